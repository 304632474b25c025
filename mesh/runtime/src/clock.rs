//! Time as a value: the system's clock, or one that a test moves by hand.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime},
};

use prost_types::Timestamp;

use crate::status::Problem;

/// The years that `google.protobuf.Timestamp` knows: 0001 to 9999, in epoch seconds.
const SECONDS_RANGE: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// A source of the present moment; clones show the same time.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    manual_us: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The clock of the machine.
    #[must_use]
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands at `start_us` (epoch microseconds) until [`Clock::advance`] moves it.
    #[must_use]
    pub fn manual(start_us: i64) -> Self {
        Self { manual_us: Some(Arc::new(AtomicI64::new(start_us))) }
    }

    /// Moves a manual clock; the system's clock goes on by itself.
    pub fn advance(&self, by: Duration) {
        if let Some(manual_us) = &self.manual_us {
            manual_us.fetch_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn now_us(&self) -> i64 {
        if let Some(manual_us) = &self.manual_us {
            return manual_us.load(Ordering::SeqCst);
        }
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX)
    }
}

/// `us` epoch microseconds as a protobuf timestamp.
#[must_use]
pub fn timestamp(us: i64) -> Timestamp {
    let nanos = i32::try_from(us.rem_euclid(1_000_000) * 1_000).unwrap_or(0);
    Timestamp { seconds: us.div_euclid(1_000_000), nanos }
}

/// The epoch microseconds of a timestamp that a client sent in `field`; less than a microsecond is dropped.
///
/// # Errors
/// `INVALID_ARGUMENT` naming `field` when it lies outside the years 0001 to 9999.
pub fn micros(field: &str, timestamp: &Timestamp) -> Result<i64, Problem> {
    if !SECONDS_RANGE.contains(&timestamp.seconds) || !(0..1_000_000_000).contains(&timestamp.nanos) {
        return Err(Problem::invalid(field, "must be a time from the year 0001 to the year 9999"));
    }
    Ok(timestamp.seconds * 1_000_000 + i64::from(timestamp.nanos / 1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_survives_the_way_to_a_timestamp_and_back() {
        for us in [0, 1, -1, 1_800_000_000_123_456, -62_135_596_800_000_000, 253_402_300_799_999_999] {
            assert_eq!(micros("t", &timestamp(us)).unwrap(), us);
        }
    }

    #[test]
    fn times_that_no_calendar_has_are_refused_by_name() {
        let problem = micros("event.timestamp", &Timestamp { seconds: i64::MAX, nanos: 0 }).unwrap_err();
        assert!(tonic::Status::from(problem).message().contains("event.timestamp"));
    }
}
