//! How long to wait before the next connection attempt (gRPC's connection-backoff document).

use std::time::Duration;

use crate::random::Random;

/// The waits of the first attempts after a connection was lost, or after the start: a replica
/// that restarts, or starts beside us, is often back before the first real back-off would end.
const FIRST_WAITS: [Duration; 3] = [Duration::ZERO, Duration::from_millis(50), Duration::from_millis(200)];

/// How connection attempts to one replica slow down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BackoffPolicy {
    /// The first wait. Default: 1 s.
    pub base: Duration,
    /// By what each further wait is longer. Default: 1.6.
    pub factor: f64,
    /// The longest wait, before jitter. Default: 120 s.
    pub max: Duration,
    /// Each wait is this share longer or shorter at random, so that many clients of a restarted
    /// server do not come at once. Default: 0.2.
    pub jitter: f64,
}

impl Default for BackoffPolicy {
    fn default() -> Self {
        Self { base: Duration::from_secs(1), factor: 1.6, max: Duration::from_secs(120), jitter: 0.2 }
    }
}

/// The waits of one replica.
#[derive(Debug)]
pub(crate) struct Backoff {
    policy: BackoffPolicy,
    random: Random,
    failures: usize,
}

impl Backoff {
    pub(crate) fn new(policy: BackoffPolicy, random: Random) -> Self {
        Self { policy, random, failures: 0 }
    }

    /// The wait before the next attempt.
    pub(crate) fn next_wait(&mut self) -> Duration {
        let failures = self.failures;
        self.failures = self.failures.saturating_add(1);
        let Some(step) = failures.checked_sub(FIRST_WAITS.len()) else {
            return FIRST_WAITS[failures];
        };
        let exponent = i32::try_from(step).unwrap_or(i32::MAX);
        let wait = self.policy.base.as_secs_f64() * self.policy.factor.powi(exponent);
        let wait = wait.min(self.policy.max.as_secs_f64());
        let jitter = 1.0 + self.policy.jitter * (2.0 * self.random.fraction() - 1.0);
        Duration::try_from_secs_f64(wait * jitter).unwrap_or(self.policy.max)
    }

    /// A connection that ended after this long: one that lasted starts the waits anew. One that
    /// the server closed at once counts as a failure, or a broken server would be hammered.
    pub(crate) fn connected_for(&mut self, lifetime: Duration) {
        if lifetime >= self.policy.base.min(Duration::from_secs(1)) {
            self.failures = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_connection_that_lasted_is_retried_at_once_and_one_that_did_not_is_not() {
        let mut backoff = Backoff::new(BackoffPolicy::default(), Random::new(1));
        for expected in FIRST_WAITS {
            assert_eq!(backoff.next_wait(), expected);
        }
        backoff.connected_for(Duration::from_millis(10));
        assert!(backoff.next_wait() >= Duration::from_millis(800));
        backoff.connected_for(Duration::from_secs(2));
        assert_eq!(backoff.next_wait(), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn each_wait_is_the_documented_one_within_the_jitter(seed in any::<u64>(), step in 0_usize..400) {
            let mut backoff = Backoff::new(BackoffPolicy::default(), Random::new(seed));
            backoff.failures = FIRST_WAITS.len() + step;
            let expected = 1.6_f64.powi(i32::try_from(step).unwrap()).min(120.0);
            let wait = backoff.next_wait().as_secs_f64();
            prop_assert!(wait >= expected * 0.799_999 && wait <= expected * 1.200_001, "{wait} for {expected}");
        }
    }
}
