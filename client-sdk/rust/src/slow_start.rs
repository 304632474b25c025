//! How much of its share a new endpoint gets, growing with time (as Envoy's slow start).

use std::time::Duration;

use tokio::time::Instant;

/// How the share of a new endpoint grows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlowStart {
    /// Time from the first connection to the full share; zero turns slow start off.
    ///
    /// Default: 10 s, one interval of outlier detection. A new process has empty caches, pools and
    /// congestion windows, and a picker that goes by latency has no sample of it yet; these fill in
    /// seconds. A longer window (Netflix: 90 s) is for runtimes that compile while they run, and makes
    /// a fleet that grows under load wait for the help.
    pub window: Duration,
    /// 1 grows evenly; more grows faster at first. Default: 1.
    pub aggression: f64,
    /// The least share, in percent from 1: without calls nothing gets warm. Default: 10.
    pub min_weight_percent: u32,
}

impl SlowStart {
    /// Whether all values can be used.
    ///
    /// # Errors
    ///
    /// The first field that cannot.
    pub fn check(&self) -> Result<(), SlowStartError> {
        if !(self.aggression.is_finite() && self.aggression > 0.0) {
            return Err(SlowStartError::Aggression { aggression: self.aggression });
        }
        if !(1..=100).contains(&self.min_weight_percent) {
            return Err(SlowStartError::MinWeight { percent: self.min_weight_percent });
        }
        Ok(())
    }

    /// By what to multiply the weight of an endpoint that became ready at `since`: more than 0, at most 1.
    ///
    /// `since` is when it came into use after it was unknown, unreachable or set aside. A connection that follows
    /// another without a gap, as after a connection's maximal age, does not make an endpoint new. When
    /// all endpoints are equally new, all factors are alike and cancel out.
    #[must_use]
    pub fn factor(&self, since: Instant, now: Instant) -> f64 {
        let elapsed = now.saturating_duration_since(since);
        if elapsed >= self.window {
            return 1.0;
        }
        let progress = elapsed.as_secs_f64() / self.window.as_secs_f64();
        let least = f64::from(self.min_weight_percent) / 100.0;
        progress.powf(1.0 / self.aggression).clamp(least, 1.0)
    }
}

impl Default for SlowStart {
    fn default() -> Self {
        Self { window: Duration::from_secs(10), aggression: 1.0, min_weight_percent: 10 }
    }
}

/// A setting that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum SlowStartError {
    /// The exponent's divisor is zero, negative or no number.
    #[error("slow start: aggression is {aggression}; give a number above 0")]
    Aggression {
        /// Its value.
        aggression: f64,
    },
    /// A least share of nothing, or of more than all.
    #[error("slow start: min_weight_percent is {percent}; give a percentage from 1 to 100")]
    MinWeight {
        /// Its value.
        percent: u32,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn factor(settings: SlowStart, elapsed_ms: u64) -> f64 {
        let since = Instant::now();
        settings.factor(since, since + Duration::from_millis(elapsed_ms))
    }

    #[test]
    fn the_share_grows_evenly_from_a_tenth_to_all() {
        for (elapsed_ms, expected) in [(0, 0.1), (999, 0.1), (2_500, 0.25), (5_000, 0.5), (10_000, 1.0)] {
            let factor = factor(SlowStart::default(), elapsed_ms);
            assert!((factor - expected).abs() < 1e-9, "{factor} after {elapsed_ms} ms");
        }
    }

    #[test]
    fn aggression_makes_the_first_part_faster() {
        let settings = SlowStart { aggression: 2.0, ..SlowStart::default() };
        assert!((factor(settings, 2_500) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn without_a_window_the_share_is_full_at_once() {
        assert_eq!(factor(SlowStart { window: Duration::ZERO, ..SlowStart::default() }, 0), 1.0);
    }

    #[test]
    fn a_value_that_cannot_be_used_is_named() {
        for aggression in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let error = SlowStart { aggression, ..SlowStart::default() }.check().unwrap_err();
            assert!(error.to_string().contains("aggression"), "{error}");
        }
        for min_weight_percent in [0, 101] {
            let error = SlowStart { min_weight_percent, ..SlowStart::default() }.check().unwrap_err();
            assert!(error.to_string().contains("min_weight_percent"), "{error}");
        }
        assert_eq!(SlowStart::default().check(), Ok(()));
    }

    proptest! {
        #[test]
        fn the_share_never_shrinks_and_stays_within_its_bounds(
            window_ms in 0_u64..100_000, aggression in 0.01_f64..100.0, min_weight_percent in 1_u32..=100,
            earlier_ms in 0_u64..120_000, later_ms in 0_u64..120_000,
        ) {
            let window = Duration::from_millis(window_ms);
            let settings = SlowStart { window, aggression, min_weight_percent };
            let earlier = factor(settings, earlier_ms);
            let later = factor(settings, earlier_ms + later_ms);
            prop_assert!(earlier >= f64::from(min_weight_percent) / 100.0 && earlier <= later && later <= 1.0);
        }
    }
}
