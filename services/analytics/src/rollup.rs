//! What a set of new events adds to the rollups; written in the transaction of the events themselves.

use std::collections::BTreeMap;

use crate::{
    calendar::{day, hour, minute},
    event::Event,
    histogram,
    interest::Interest,
    message::{Measure, Message},
};

/// The actor under whom the messages of everybody are added up.
pub const EVERYBODY: &str = "";

/// Actor, day, model, measure and bucket.
pub type ValueKey = (String, i64, String, i64, i64);

/// Additions to the rollups.
///
/// Maps in the order of their keys, so that two transactions lock the same rows in the same order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Deltas {
    /// Events by (minute of receipt, kind, name).
    pub minutes: BTreeMap<(i64, i64, String), i64>,
    /// Events by (hour, kind, name).
    pub hours: BTreeMap<(i64, i64, String), i64>,
    /// Events by (day, kind, name).
    pub days: BTreeMap<(i64, i64, String), i64>,
    /// Events by (day, actor).
    pub user_days: BTreeMap<(i64, String), i64>,
    /// By actor.
    pub users: BTreeMap<String, Seen>,
    /// Messages and their tokens by (actor or [`EVERYBODY`], day, direction, model).
    pub messages: BTreeMap<(String, i64, i64, String), (i64, i64)>,
    /// Values and their sum by (actor or [`EVERYBODY`], day, model, measure, bucket).
    pub values: BTreeMap<ValueKey, (i64, i64)>,
    /// Messages by (actor or [`EVERYBODY`], day, conversation).
    pub conversations: BTreeMap<(String, i64, String), i64>,
    /// By (actor, item).
    pub interests: BTreeMap<(String, String), Interest>,
}

/// When an actor was seen, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// First event, epoch microseconds.
    pub first_us: i64,
    /// Last event, epoch microseconds.
    pub last_us: i64,
    /// Events.
    pub count: i64,
}

impl Deltas {
    /// What `events` add.
    pub fn of<'e>(events: impl IntoIterator<Item = &'e Event>) -> Self {
        let mut deltas = Self::default();
        for event in events {
            deltas.count(event);
            if let Some(message) = Message::of(event) {
                deltas.count_message(EVERYBODY, event, &message);
                deltas.count_message(&event.actor, event, &message);
            }
            if let Some(interest) = Interest::of(event) {
                let key = (interest.actor.clone(), interest.item_id.clone());
                match deltas.interests.get_mut(&key) {
                    Some(held) => held.strengthen(interest),
                    None => drop(deltas.interests.insert(key, interest)),
                }
            }
        }
        deltas
    }

    fn count(&mut self, event: &Event) {
        let at_us = event.timestamp_us;
        let key = |period| (period, event.kind.number(), event.name.clone());
        *self.minutes.entry(key(minute(event.receive_us))).or_default() += 1;
        *self.hours.entry(key(hour(at_us))).or_default() += 1;
        *self.days.entry(key(day(at_us))).or_default() += 1;
        *self.user_days.entry((day(at_us), event.actor.clone())).or_default() += 1;
        let seen = self.users.entry(event.actor.clone()).or_insert(Seen {
            first_us: at_us,
            last_us: at_us,
            count: 0,
        });
        seen.first_us = seen.first_us.min(at_us);
        seen.last_us = seen.last_us.max(at_us);
        seen.count += 1;
    }

    fn count_message(&mut self, actor: &str, event: &Event, message: &Message) {
        let day = day(event.timestamp_us);
        let key = (actor.to_owned(), day, message.direction as i64, message.model.clone());
        let counted = self.messages.entry(key).or_default();
        counted.0 += 1;
        counted.1 += message.tokens;
        for (measure, value) in [(Measure::Length, message.length), (Measure::Latency, message.latency_ms)] {
            let Some(value) = value else { continue };
            let key =
                (actor.to_owned(), day, message.model.clone(), measure as i64, histogram::bucket(value));
            let measured = self.values.entry(key).or_default();
            measured.0 += 1;
            measured.1 += value;
        }
        if !message.conversation_id.is_empty() {
            let key = (actor.to_owned(), day, message.conversation_id.clone());
            *self.conversations.entry(key).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{calendar::DAY_US, event::Object, message, sample};

    #[test]
    fn events_count_by_the_day_they_happened_and_the_minute_they_came() {
        let late = Event { timestamp_us: sample::NOON_US - DAY_US, ..sample::event("1") };
        let deltas = Deltas::of([&late, &sample::event("2")]);
        let days: Vec<_> = deltas.days.iter().map(|(key, count)| (key.0, *count)).collect();
        assert_eq!(days, [(day(sample::NOON_US) - 1, 1), (day(sample::NOON_US), 1)]);
        let minutes: Vec<_> = deltas.minutes.iter().map(|(key, count)| (key.0, *count)).collect();
        assert_eq!(minutes, [(minute(sample::NOON_US), 2)]);
        let seen = deltas.users["user:alice"];
        assert_eq!((seen.last_us - seen.first_us, seen.count), (DAY_US, 2));
    }

    #[test]
    fn a_message_counts_for_its_user_and_for_everybody() {
        let properties = json!({ "conversation_id": "c", "model": "m", "tokens": 7, "latency_ms": 0 });
        let event = Event {
            name: message::RECEIVED.to_owned(),
            properties: properties.as_object().cloned().unwrap_or_else(Object::new),
            ..sample::event("1")
        };
        let deltas = Deltas::of([&event, &event]);
        for actor in [EVERYBODY, "user:alice"] {
            let day = day(sample::NOON_US);
            let key = (actor.to_owned(), day, message::Direction::Received as i64, "m".to_owned());
            assert_eq!(deltas.messages[&key], (2, 14));
            assert_eq!(deltas.conversations[&(actor.to_owned(), day, "c".to_owned())], 2);
        }
        assert_eq!(deltas.values.values().copied().collect::<Vec<_>>(), [(2, 0), (2, 0)]);
    }
}
