//! How one user behaves, drawn from the moments and names of their events.

use std::{cmp::Reverse, collections::HashMap};

use crate::{
    calendar::{Span, hour_of_day},
    event::Kind,
    rollup::Seen,
    session::{self, Session},
};

/// Events that one answer looks into: a year of a busy user, about 5 MB.
pub const EVENTS_MAX: i64 = 50_000;
/// Different events listed.
pub const TOP_EVENTS_MAX: usize = 20;
/// Sessions listed.
pub const SESSIONS_MAX: usize = 20;
/// Events listed one by one.
pub const RECENT_EVENTS_MAX: usize = 50;

/// One event of a user, without its properties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Its id.
    pub message_id: String,
    /// Its kind, as in the store.
    pub kind: i64,
    /// What it is about.
    pub name: String,
    /// When it happened, epoch microseconds.
    pub timestamp_us: i64,
}

/// How often one event was tracked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventCount {
    /// Its kind, as in the store.
    pub kind: i64,
    /// What it is about.
    pub name: String,
    /// How often.
    pub count: i64,
}

impl EventCount {
    /// Its kind in the words of the Segment spec.
    #[must_use]
    pub fn word(&self) -> &'static str {
        Kind::of(self.kind).map_or("", Kind::word)
    }
}

/// What the store knows about a user in a span.
#[derive(Clone, Debug)]
pub struct Record {
    /// The span.
    pub span: Span,
    /// Over their whole life; `None` when they never had an event.
    pub seen: Option<Seen>,
    /// Days with events and how many, oldest first.
    pub days: Vec<(i64, i64)>,
    /// The latest events of the span, at most [`EVENTS_MAX`], latest first.
    pub moments: Vec<Moment>,
}

/// How one user behaved in a span.
#[derive(Clone, Debug, PartialEq)]
pub struct Behavior {
    /// The span.
    pub span: Span,
    /// Over their whole life; `None` when they never had an event.
    pub seen: Option<Seen>,
    /// All events of the span.
    pub event_count: i64,
    /// Days with events and how many, oldest first.
    pub days: Vec<(i64, i64)>,
    /// Events by hour of the day.
    pub hours: [i64; 24],
    /// Most frequent first.
    pub top_events: Vec<EventCount>,
    /// All sessions.
    pub sessions: session::Summary,
    /// Latest first.
    pub recent_sessions: Vec<Session>,
    /// Latest first.
    pub recent_events: Vec<Moment>,
    /// Whether the span held more events than were looked into.
    pub truncated: bool,
}

impl Behavior {
    /// What `record` says.
    #[must_use]
    pub fn of(record: Record) -> Self {
        let event_count: i64 = record.days.iter().map(|(_, count)| count).sum();
        let mut hours = [0; 24];
        let mut counts: HashMap<(i64, &str), i64> = HashMap::new();
        for moment in &record.moments {
            hours[hour_of_day(moment.timestamp_us)] += 1;
            *counts.entry((moment.kind, &moment.name)).or_default() += 1;
        }
        let top_events = top(counts);
        let mut sessions = session::sessions(record.moments.iter().rev().map(|moment| moment.timestamp_us));
        let summary = session::summary(&sessions);
        sessions.reverse();
        sessions.truncate(SESSIONS_MAX);
        let truncated =
            i64::try_from(record.moments.len()).is_ok_and(|looked_into| looked_into < event_count);
        let mut recent_events = record.moments;
        recent_events.truncate(RECENT_EVENTS_MAX);
        Self {
            span: record.span,
            seen: record.seen,
            event_count,
            days: record.days,
            hours,
            top_events,
            sessions: summary,
            recent_sessions: sessions,
            recent_events,
            truncated,
        }
    }
}

fn top(counts: HashMap<(i64, &str), i64>) -> Vec<EventCount> {
    let mut top: Vec<EventCount> = counts
        .into_iter()
        .map(|((kind, name), count)| EventCount { kind, name: name.to_owned(), count })
        .collect();
    top.sort_by(|left, right| {
        (Reverse(left.count), left.kind, &left.name).cmp(&(Reverse(right.count), right.kind, &right.name))
    });
    top.truncate(TOP_EVENTS_MAX);
    top
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::{DAY_US, HOUR_US, day};

    fn moment(name: &str, timestamp_us: i64) -> Moment {
        Moment { message_id: String::new(), kind: 1, name: name.to_owned(), timestamp_us }
    }

    #[test]
    fn a_day_of_a_user_is_told_from_their_moments() {
        let midnight = 20_000 * DAY_US;
        let at = |hours: i64| midnight + hours * HOUR_US;
        let record = Record {
            span: Span { start_us: midnight, end_us: midnight + DAY_US },
            seen: None,
            days: vec![(day(midnight), 4)],
            moments: vec![
                moment("b", at(20)),
                moment("a", at(8) + 2),
                moment("a", at(8) + 1),
                moment("a", at(8)),
            ],
        };
        let behavior = Behavior::of(record);
        assert_eq!((behavior.event_count, behavior.truncated), (4, false));
        assert_eq!((behavior.hours[8], behavior.hours[20], behavior.hours.iter().sum::<i64>()), (3, 1, 4));
        let top: Vec<_> = behavior.top_events.iter().map(|top| (top.name.as_str(), top.count)).collect();
        assert_eq!(top, [("a", 3), ("b", 1)]);
        assert_eq!(behavior.sessions.count, 2);
        assert_eq!(behavior.recent_sessions[0].start_us, at(20));
        assert_eq!(behavior.recent_events[0].name, "b");
    }

    #[test]
    fn more_events_than_were_looked_into_are_admitted_to() {
        let record = Record {
            span: Span { start_us: 0, end_us: 1 },
            seen: None,
            days: vec![(0, 5)],
            moments: vec![moment("a", 0)],
        };
        assert!(Behavior::of(record).truncated);
    }
}
