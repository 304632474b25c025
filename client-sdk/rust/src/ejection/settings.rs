//! When an endpoint is set aside and for how long (the fields of gRFC A50).

use std::time::Duration;

/// The shortest interval: each sweep looks at every endpoint, and over a shorter time the calls
/// of an endpoint hardly ever reach the volume from which its rates are judged.
const INTERVAL_MIN: Duration = Duration::from_millis(100);

/// How outlier detection judges. Fields and defaults are A50's, where nothing else is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Time from one sweep to the next; at least 100 ms. Default: 10 s.
    pub interval: Duration,
    /// How long an endpoint is set aside the first time; the n-th time in a row it is n times as long.
    /// Default: 30 s.
    pub base_ejection_time: Duration,
    /// The longest time that an endpoint is set aside, if the base is not longer. Default: 300 s.
    pub max_ejection_time: Duration,
    /// No further endpoint is set aside when this share of the set is, in percent; so the last one may
    /// go beyond it, and any share but 0 allows one.
    ///
    /// Default: 50, where A50 has 10. With 10 only one of three replicas could be set aside, and when
    /// two are broken half of all calls would still meet a broken one. 50 lets two of three go, and
    /// half of larger sets, which is as far as [`selection`](crate::selection) follows.
    pub max_ejection_percent: u32,
    /// Comparison of the endpoints with each other; `None` turns it off. Default: on.
    pub success_rate: Option<SuccessRate>,
    /// Comparison of each endpoint with a fixed share; `None` turns it off. Default: on (xDS leaves it
    /// off), since several broken endpoints spread the success rates so far that none is an outlier.
    pub failure_percentage: Option<FailurePercentage>,
    /// An endpoint is set aside at once when this many calls in a row have failed; `None` turns it off.
    /// It needs neither volume nor peers, so it is what protects sets of fewer than five.
    /// Not in A50. Default: 5, as in Finagle and Envoy.
    pub consecutive_failures: Option<u32>,
}

/// Sets endpoints aside whose success rate lies far below that of their peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuccessRate {
    /// An endpoint is an outlier below `mean - stdev * stdev_factor / 1000`. Default: 1900.
    pub stdev_factor: u32,
    /// The chance that an outlier really is set aside, in percent. Default: 100.
    pub enforcement_percentage: u32,
    /// Rates are compared when at least this many endpoints have the volume. Default: 5, the smallest
    /// set in which one of them can lie 1.9 standard deviations below the mean.
    pub minimum_hosts: u32,
    /// Calls in an interval from which an endpoint's rate is looked at. Default: 100.
    pub request_volume: u32,
}

/// Sets endpoints aside of whose calls too large a share fails, whatever their peers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailurePercentage {
    /// An endpoint is an outlier when more than this share of its calls fails, in percent. Default: 85.
    pub threshold: u32,
    /// The chance that an outlier really is set aside, in percent. Default: 100.
    pub enforcement_percentage: u32,
    /// Endpoints are looked at when at least this many have the volume. Default: 5.
    pub minimum_hosts: u32,
    /// Calls in an interval from which an endpoint is looked at. Default: 50.
    pub request_volume: u32,
}

impl Settings {
    /// Whether all values can be used.
    ///
    /// # Errors
    ///
    /// The first field that cannot, and what it may be.
    pub fn check(&self) -> Result<(), SettingsError> {
        let success_rate = self.success_rate.unwrap_or_default();
        let failure_percentage = self.failure_percentage.unwrap_or_default();
        let percentages = [
            ("max_ejection_percent", self.max_ejection_percent),
            ("success_rate.enforcement_percentage", success_rate.enforcement_percentage),
            ("failure_percentage.threshold", failure_percentage.threshold),
            ("failure_percentage.enforcement_percentage", failure_percentage.enforcement_percentage),
        ];
        if let Some((field, percent)) = percentages.into_iter().find(|(_, percent)| *percent > 100) {
            return Err(SettingsError::TooLarge { field, percent });
        }
        if self.interval < INTERVAL_MIN {
            return Err(SettingsError::IntervalTooShort { interval: self.interval });
        }
        if self.consecutive_failures == Some(0) {
            return Err(SettingsError::NoFailures);
        }
        Ok(())
    }

    /// How long an endpoint is set aside the `times`-th time in a row.
    pub(super) fn ejection_time(&self, times: u32) -> Duration {
        let longest = self.base_ejection_time.max(self.max_ejection_time);
        self.base_ejection_time.saturating_mul(times).min(longest)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(10),
            base_ejection_time: Duration::from_secs(30),
            max_ejection_time: Duration::from_secs(300),
            max_ejection_percent: 50,
            success_rate: Some(SuccessRate::default()),
            failure_percentage: Some(FailurePercentage::default()),
            consecutive_failures: Some(5),
        }
    }
}

impl Default for SuccessRate {
    fn default() -> Self {
        Self { stdev_factor: 1900, enforcement_percentage: 100, minimum_hosts: 5, request_volume: 100 }
    }
}

impl Default for FailurePercentage {
    fn default() -> Self {
        Self { threshold: 85, enforcement_percentage: 100, minimum_hosts: 5, request_volume: 50 }
    }
}

/// A setting that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A percentage beyond 100.
    #[error("outlier detection: {field} is {percent}; give a percentage from 0 to 100")]
    TooLarge {
        /// The field's path.
        field: &'static str,
        /// Its value.
        percent: u32,
    },
    /// An interval below the minimum.
    #[error("outlier detection: interval is {interval:?}; give at least {INTERVAL_MIN:?}")]
    IntervalTooShort {
        /// Its value.
        interval: Duration,
    },
    /// A threshold that every call would reach.
    #[error("outlier detection: consecutive_failures is 0; give at least 1, or none to turn it off")]
    NoFailures,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_can_be_used() {
        assert_eq!(Settings::default().check(), Ok(()));
    }

    #[test]
    fn a_value_that_cannot_be_used_is_named() {
        let defaults = Settings::default();
        let success_rate = SuccessRate { enforcement_percentage: 101, ..SuccessRate::default() };
        let threshold = FailurePercentage { threshold: 101, ..FailurePercentage::default() };
        let enforcement = FailurePercentage { enforcement_percentage: 101, ..FailurePercentage::default() };
        let cases = [
            ("max_ejection_percent", Settings { max_ejection_percent: 101, ..defaults }),
            (
                "success_rate.enforcement_percentage",
                Settings { success_rate: Some(success_rate), ..defaults },
            ),
            ("failure_percentage.threshold", Settings { failure_percentage: Some(threshold), ..defaults }),
            (
                "failure_percentage.enforcement_percentage",
                Settings { failure_percentage: Some(enforcement), ..defaults },
            ),
            ("interval", Settings { interval: Duration::from_millis(99), ..defaults }),
            ("consecutive_failures", Settings { consecutive_failures: Some(0), ..defaults }),
        ];
        for (field, settings) in cases {
            let error = settings.check().unwrap_err().to_string();
            assert!(error.contains(&format!(" {field} is ")), "{error}");
        }
    }

    #[test]
    fn each_ejection_in_a_row_is_longer_up_to_the_limit_which_is_never_below_the_base() {
        let settings = Settings::default();
        let seconds = [1, 2, 9, 10, 11, u32::MAX].map(|times| settings.ejection_time(times).as_secs());
        assert_eq!(seconds, [30, 60, 270, 300, 300, 300]);
        let short_max = Settings { max_ejection_time: Duration::from_secs(1), ..settings };
        assert_eq!(short_max.ejection_time(3).as_secs(), 30);
    }
}
