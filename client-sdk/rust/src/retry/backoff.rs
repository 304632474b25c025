//! The wait before a retry (gRFC A6, "Exponential Backoff").

use std::time::Duration;

use crate::service_config::RetryPolicy;

/// By what share a wait is shorter or longer at random, so that clients of one failed server do not
/// come back all at once.
const JITTER: f64 = 0.2;

/// The wait before the `retry`-th retry, from 1, since the call began or the server named a wait.
///
/// It is `min(initial * multiplier^(retry - 1), max)`, times 0.8 to 1.2 by `fraction`, a random number
/// from 0 to 1.
#[must_use]
pub fn wait(policy: &RetryPolicy, retry: u32, fraction: f64) -> Duration {
    let exponent = i32::try_from(retry.saturating_sub(1)).unwrap_or(i32::MAX);
    let grown = policy.initial_backoff.as_secs_f64() * policy.backoff_multiplier.powi(exponent);
    let seconds = grown.min(policy.max_backoff.as_secs_f64());
    let jitter = 1.0 - JITTER + 2.0 * JITTER * fraction;
    Duration::try_from_secs_f64(seconds * jitter).unwrap_or(policy.max_backoff)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The policy of A6's example: 0.1 s, doubled, at most 1 s.
    fn example() -> RetryPolicy {
        RetryPolicy {
            initial_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(1),
            ..RetryPolicy::default()
        }
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let waits = (1..=6).map(|retry| wait(&example(), retry, 0.5).as_millis());
        assert_eq!(waits.collect::<Vec<_>>(), [100, 200, 400, 800, 1000, 1000]);
    }

    #[test]
    fn jitter_is_a_fifth_either_way_even_of_the_longest() {
        for (retry, base_ms) in [(1, 100.0), (9, 1000.0)] {
            for (fraction, factor) in [(0.0, 0.8), (0.25, 0.9), (1.0, 1.2)] {
                let wait_ms = wait(&example(), retry, fraction).as_secs_f64() * 1000.0;
                assert!((wait_ms - base_ms * factor).abs() < 1e-6, "{retry} {fraction}: {wait_ms}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_policy_makes_a_wait_beyond_the_longest_and_its_jitter(
            initial_ms in 1_u64..10_000_000, max_ms in 1_u64..10_000_000,
            multiplier in prop_oneof![0.001..10.0, Just(f64::MIN_POSITIVE), Just(f64::MAX)],
            retry in any::<u32>(), fraction in 0.0..=1.0,
        ) {
            let policy = RetryPolicy {
                initial_backoff: Duration::from_millis(initial_ms),
                max_backoff: Duration::from_millis(max_ms),
                backoff_multiplier: multiplier,
                ..RetryPolicy::default()
            };
            let wait = wait(&policy, retry, fraction);
            prop_assert!(wait <= policy.max_backoff.mul_f64(1.200_001), "{:?}", wait);
        }
    }
}
