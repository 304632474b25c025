//! Sessions: events of one user with no long gap between them.

use crate::calendar::MINUTE_US;

/// A session ends where this much time passes without an event, as in most web analytics.
pub const GAP_US: i64 = 30 * MINUTE_US;

/// Events with no gap of [`GAP_US`] between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Of its first event, epoch microseconds.
    pub start_us: i64,
    /// Of its last event, epoch microseconds.
    pub end_us: i64,
    /// How many events.
    pub event_count: i64,
}

/// All sessions in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary {
    /// How many sessions.
    pub count: i64,
    /// From the first to the last event of a session, in milliseconds; 0 without sessions.
    pub average_duration_ms: i64,
    /// The lower of the two in the middle when their number is even.
    pub median_duration_ms: i64,
    /// Events per session.
    pub average_event_count: f64,
}

/// Cuts moments, which must be in order, into sessions.
#[must_use]
pub fn sessions(times_us: impl IntoIterator<Item = i64>) -> Vec<Session> {
    let mut sessions: Vec<Session> = Vec::new();
    for at_us in times_us {
        match sessions.last_mut() {
            Some(session) if at_us - session.end_us < GAP_US => {
                session.end_us = at_us;
                session.event_count += 1;
            }
            _ => sessions.push(Session { start_us: at_us, end_us: at_us, event_count: 1 }),
        }
    }
    sessions
}

/// The numbers of `sessions`.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a mean needs no more than 52 bits")]
pub fn summary(sessions: &[Session]) -> Summary {
    let Ok(count) = i64::try_from(sessions.len()) else { return Summary::default() };
    if count == 0 {
        return Summary::default();
    }
    let mut durations_us: Vec<i64> =
        sessions.iter().map(|session| session.end_us - session.start_us).collect();
    durations_us.sort_unstable();
    let events: i64 = sessions.iter().map(|session| session.event_count).sum();
    Summary {
        count,
        average_duration_ms: durations_us.iter().sum::<i64>() / count / 1_000,
        median_duration_ms: durations_us[(durations_us.len() - 1) / 2] / 1_000,
        average_event_count: events as f64 / count as f64,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn two_events_share_a_session_exactly_when_no_gap_lies_between_them(
            mut times in prop::collection::vec(0_i64..40 * GAP_US, 1..60)
        ) {
            times.sort_unstable();
            let sessions = sessions(times.iter().copied());
            let place = |at: i64| sessions.iter().position(|session| session.start_us <= at && at <= session.end_us);
            for pair in times.windows(2) {
                prop_assert_eq!(place(pair[0]) == place(pair[1]), pair[1] - pair[0] < GAP_US);
            }
            let counted: i64 = sessions.iter().map(|session| session.event_count).sum();
            prop_assert_eq!(counted, times.len() as i64);
        }
    }

    #[test]
    fn a_gap_of_exactly_thirty_minutes_ends_a_session() {
        assert_eq!(sessions([0, GAP_US - 1]).len(), 1);
        assert_eq!(sessions([0, GAP_US]).len(), 2);
    }

    #[test]
    fn the_summary_names_mean_and_median() {
        let second = 1_000_000;
        let sessions = sessions([0, 10 * second, GAP_US * 2, GAP_US * 2 + second, GAP_US * 9]);
        let summary = summary(&sessions);
        assert_eq!(summary.count, 3);
        assert_eq!(summary.average_duration_ms, 11_000 / 3);
        assert_eq!(summary.median_duration_ms, 1_000);
        assert!((summary.average_event_count - 5.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn nobody_there_means_no_sessions() {
        assert_eq!(summary(&sessions([])), Summary::default());
    }
}
