//! How long a resolver waits after a failure.

use std::time::Duration;

use crate::{
    backoff::{Backoff, BackoffPolicy},
    random::Random,
};

/// The waits between failed attempts: gRPC's (1 s, x1.6, at most 120 s, +-20 %), without the quick
/// first attempts that a connection makes, since many clients ask one source.
#[derive(Debug)]
pub(super) struct Retry {
    policy: BackoffPolicy,
    backoff: Backoff,
}

impl Retry {
    pub(super) fn new(policy: BackoffPolicy) -> Self {
        Self { policy, backoff: Backoff::new(policy, Random::default()) }
    }

    pub(super) fn next_wait(&mut self) -> Duration {
        let least = self.policy.base.mul_f64(1.0 - self.policy.jitter);
        loop {
            let wait = self.backoff.next_wait();
            if wait >= least {
                return wait;
            }
        }
    }

    /// The source answered: the waits begin anew.
    pub(super) fn succeeded(&mut self) {
        *self = Self::new(self.policy);
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self::new(BackoffPolicy::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_wait_is_below_the_first_of_grpc_they_grow_and_begin_anew_after_a_success() {
        let mut retry = Retry::default();
        let waits: Vec<f64> = (0..40).map(|_| retry.next_wait().as_secs_f64()).collect();
        for (wait, expected) in waits.iter().zip([1.0, 1.6, 2.56]) {
            assert!((expected * 0.8..=expected * 1.2).contains(wait), "{wait} for {expected}");
        }
        assert!((96.0..=144.0).contains(&waits[39]), "{waits:?}");
        retry.succeeded();
        assert!(retry.next_wait() <= Duration::from_millis(1200));
    }
}
