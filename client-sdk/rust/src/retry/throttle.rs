//! gRFC A6's throttle: a channel whose calls fail too often stops retrying and hedging.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::service_config::RetryThrottling;

/// What a failure takes: one token. Counted in thousandths, in which the ratio is exact.
const FAILURE: u64 = 1000;

/// The tokens of one channel, shared by its calls (A6, "Throttling Retry Attempts and Hedged RPCs").
///
/// One atomic number, no lock. While nothing fails, it stays full and is only read.
#[derive(Debug)]
pub struct Throttle {
    tokens: AtomicU64,
    tokens_max: u64,
    success: u64,
}

impl Throttle {
    /// Full of tokens.
    #[must_use]
    pub fn new(throttling: RetryThrottling) -> Self {
        let tokens_max = u64::from(throttling.max_tokens) * FAILURE;
        let success = u64::from(throttling.token_ratio_thousandths);
        Self { tokens: AtomicU64::new(tokens_max), tokens_max, success }
    }

    /// An attempt succeeded: adds `tokenRatio`, up to the most.
    pub fn record_success(&self) {
        self.change(|tokens| (tokens + self.success).min(self.tokens_max));
    }

    /// An attempt failed with a retryable or non-fatal code, or with a push-back that says not to
    /// retry: takes one token, down to none. Other failures do not count, nor do attempts that no
    /// server application saw. [`CallAttempts::failed`](super::CallAttempts::failed) knows which do.
    pub fn record_failure(&self) {
        self.change(|tokens| tokens.saturating_sub(FAILURE));
    }

    /// Whether more than half of the tokens are there, and calls may be retried and hedged.
    #[must_use]
    pub fn allows(&self) -> bool {
        2 * self.tokens.load(Ordering::Relaxed) > self.tokens_max
    }

    fn change(&self, next: impl Fn(u64) -> u64) {
        let changed = |tokens| Some(next(tokens)).filter(|&next| next != tokens);
        // `Err` is the number that stays as it is.
        self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, changed).ok();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn throttle(max_tokens: u32, token_ratio_thousandths: u32) -> Throttle {
        Throttle::new(RetryThrottling { max_tokens, token_ratio_thousandths })
    }

    #[test]
    fn the_example_of_a6_stops_at_half_and_goes_on_above_it() {
        let throttle = throttle(10, 100);
        for _ in 0..4 {
            throttle.record_failure();
            assert!(throttle.allows());
        }
        throttle.record_failure();
        assert!(!throttle.allows(), "5 of 10 tokens are not more than half");
        throttle.record_success();
        assert!(throttle.allows(), "5.1 of 10 tokens are");
    }

    #[test]
    fn an_odd_number_of_tokens_is_halved_exactly() {
        let throttle = throttle(3, 500);
        throttle.record_failure();
        assert!(throttle.allows(), "2 of 3");
        throttle.record_failure();
        throttle.record_success();
        assert!(!throttle.allows(), "1.5 of 3");
    }

    proptest! {
        #[test]
        fn tokens_are_those_of_the_definition(
            max_tokens in 1_u32..=20, ratio in 1_u32..3000, outcomes in prop::collection::vec(any::<bool>(), 0..200),
        ) {
            let throttle = throttle(max_tokens, ratio);
            let mut model = f64::from(max_tokens);
            for succeeded in outcomes {
                if succeeded {
                    throttle.record_success();
                    model = (model + f64::from(ratio) / 1000.0).min(f64::from(max_tokens));
                } else {
                    throttle.record_failure();
                    model = (model - 1.0).max(0.0);
                }
                // The model adds decimals in binary; the tokens are whole thousandths.
                model = (model * 1000.0).round() / 1000.0;
                prop_assert_eq!(throttle.allows(), model > f64::from(max_tokens) / 2.0, "{} tokens", model);
            }
        }

        #[test]
        fn threads_lose_no_outcome(failures in 0_u32..60, successes in 0_u32..60) {
            const THREADS: u32 = 4;
            // Too many tokens for a bound to matter, so that the order does not either.
            let throttle = throttle(1000, 250);
            for _ in 0..300 {
                throttle.record_failure();
            }
            std::thread::scope(|scope| {
                for _ in 0..THREADS {
                    scope.spawn(|| (0..failures).for_each(|_| throttle.record_failure()));
                    scope.spawn(|| (0..successes).for_each(|_| throttle.record_success()));
                }
            });
            let expected = 700_000 - u64::from(THREADS * failures) * 1000 + u64::from(THREADS * successes) * 250;
            prop_assert_eq!(throttle.tokens.into_inner(), expected);
        }

        #[test]
        fn threads_never_leave_the_bounds(max_tokens in 1_u32..4, ratio in 1_u32..3000) {
            let throttle = throttle(max_tokens, ratio);
            std::thread::scope(|scope| {
                for thread in 0..4 {
                    let throttle = &throttle;
                    scope.spawn(move || {
                        for _ in 0..200 {
                            if thread % 2 == 0 { throttle.record_failure() } else { throttle.record_success() }
                            assert!(throttle.tokens.load(Ordering::Relaxed) <= throttle.tokens_max);
                        }
                    });
                }
            });
        }
    }
}
