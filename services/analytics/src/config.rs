//! The settings of this service.

use plexus_runtime::settings::{self, SettingError};
use serde::{Deserialize, Serialize};

/// The longest time anything is kept: ten years.
const KEPT_DAYS_MAX: i64 = 3_650;

/// How long events are kept, how live metrics are sent, and how large the recommender may grow.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Days for which events are kept one by one, 1 to 3650. Default 90: a quarter, enough to look at single
    /// users, and what one disk holds. Older events are refused. Repetitions are told from new events for as long.
    pub events_kept_days: i64,
    /// Days for which counts by hour and day, users and message statistics are kept, at least
    /// `events_kept_days`. Default 730: this year can be compared with the one before.
    pub rollups_kept_days: i64,
    /// Seconds between two rounds of throwing away what is old, at least 1. Default 3600: a round then removes
    /// little at a time.
    pub retention_interval_seconds: u64,
    /// Milliseconds after which live metrics are sent even without a change, at least 100. Default 5000: a
    /// minute that passes shows soon, and changes that other replicas took in do too.
    pub live_interval_ms: u64,
    /// Streams of live metrics that one replica serves, at least 1. Default 256: each costs little, but holds a
    /// connection.
    pub watchers_max: usize,
    /// Latest interests of users in items that recommendations are computed from, at least 1. Default 100000:
    /// 25 to 270 ms of one core to compute, and 2 to 94 MB of memory, the more the more different items there are.
    pub recommendation_interests_max: i64,
    /// Seconds for which the likeness of items is used before it is computed again; 0 computes it for each
    /// call. Default 60: it changes slowly, and a user's own history is read for each call anyway.
    pub recommendation_age_max_seconds: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            events_kept_days: 90,
            rollups_kept_days: 730,
            retention_interval_seconds: 3_600,
            live_interval_ms: 5_000,
            watchers_max: 256,
            recommendation_interests_max: 100_000,
            recommendation_age_max_seconds: 60,
        }
    }
}

impl settings::Settings for Settings {
    fn check(&self) -> Result<(), SettingError> {
        if !(1..=KEPT_DAYS_MAX).contains(&self.events_kept_days) {
            return Err(SettingError::new("events_kept_days", format!("must be 1 to {KEPT_DAYS_MAX}")));
        }
        if !(self.events_kept_days..=KEPT_DAYS_MAX).contains(&self.rollups_kept_days) {
            let message = format!("must be at least events_kept_days and at most {KEPT_DAYS_MAX}");
            return Err(SettingError::new("rollups_kept_days", message));
        }
        if self.live_interval_ms < 100 {
            return Err(SettingError::new("live_interval_ms", "must be at least 100"));
        }
        for (key, value) in [
            ("retention_interval_seconds", self.retention_interval_seconds),
            ("watchers_max", u64::try_from(self.watchers_max).unwrap_or(u64::MAX)),
            ("recommendation_interests_max", u64::try_from(self.recommendation_interests_max).unwrap_or(0)),
        ] {
            if value == 0 {
                return Err(SettingError::new(key, "must be at least 1"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plexus_runtime::settings::Settings as _;

    #[test]
    fn the_defaults_are_usable() {
        assert_eq!(Settings::default().check(), Ok(()));
    }

    #[test]
    fn rollups_cannot_be_kept_for_less_time_than_their_events() {
        let settings = Settings { events_kept_days: 90, rollups_kept_days: 89, ..Settings::default() };
        assert_eq!(settings.check().unwrap_err().key, "rollups_kept_days");
    }

    #[test]
    fn zero_is_refused_where_it_would_stop_everything() {
        let settings = Settings { watchers_max: 0, ..Settings::default() };
        assert_eq!(settings.check().unwrap_err().key, "watchers_max");
        let settings = Settings { recommendation_interests_max: -1, ..Settings::default() };
        assert_eq!(settings.check().unwrap_err().key, "recommendation_interests_max");
    }
}
