//! How many calls one endpoint may have in flight: a bound, and within it a limit that adapts.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::time::Instant;

/// The most calls in flight to one endpoint (the default of gRPC's proposal A32, there per cluster).
pub const ENDPOINT_IN_FLIGHT_MAX: usize = 1024;

/// How the limit of each endpoint adapts: additive increase, multiplicative decrease (AIMD; Chiu and
/// Jain 1989), as TCP finds out what a path carries.
///
/// It rises by one each time that as many calls as it allows went well while it was at least half
/// used, and falls by a share when the endpoint says by its answers that it has too much to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdaptiveConcurrency {
    /// Where it begins. Default: 20.
    pub initial: usize,
    /// It does not fall below. Default: 4, so that recovery is seen.
    pub min: usize,
    /// By what it is multiplied after an overload. Default: 0.9 (as in Netflix's concurrency-limits).
    pub backoff_ratio: f64,
}

impl Default for AdaptiveConcurrency {
    fn default() -> Self {
        Self { initial: 20, min: 4, backoff_ratio: 0.9 }
    }
}

/// The limit of one endpoint.
#[derive(Debug)]
pub(crate) struct Concurrency {
    max: usize,
    adaptive: Option<AdaptiveConcurrency>,
    limit: AtomicUsize,
    /// Calls that went well since the limit last rose.
    successes: AtomicUsize,
    epoch: Instant,
    /// When the limit last fell, in microseconds since `epoch`: one overload shows in many calls.
    fell_us: AtomicU64,
}

/// What an answer says about how busy its endpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Success,
    /// `RESOURCE_EXHAUSTED`, `UNAVAILABLE`, or no answer in time.
    Overload,
}

impl Concurrency {
    pub(crate) fn new(max: usize, adaptive: Option<AdaptiveConcurrency>) -> Self {
        let initial = adaptive.map_or(max, |adaptive| adaptive.initial.clamp(1, max.max(1)));
        Self {
            max,
            adaptive,
            limit: AtomicUsize::new(initial),
            successes: AtomicUsize::new(0),
            epoch: Instant::now(),
            fell_us: AtomicU64::new(0),
        }
    }

    /// How many calls may be in flight now.
    pub(crate) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Takes how a call ended that was sent at `sent_at`, with so many calls in flight, itself included.
    pub(crate) fn record(&self, signal: Signal, in_flight: usize, sent_at: Instant) {
        let Some(adaptive) = self.adaptive else { return };
        let limit = self.limit();
        match signal {
            Signal::Success if in_flight * 2 >= limit => {
                if self.successes.fetch_add(1, Ordering::Relaxed) + 1 >= limit {
                    self.successes.store(0, Ordering::Relaxed);
                    self.limit.store((limit + 1).min(self.max), Ordering::Relaxed);
                }
            }
            Signal::Success => {}
            Signal::Overload => {
                // Calls that were sent before the limit fell say nothing about the new one.
                let sent_us = sent_at.saturating_duration_since(self.epoch).as_micros();
                if sent_us < u128::from(self.fell_us.load(Ordering::Relaxed)) {
                    return;
                }
                let now_us = Instant::now().saturating_duration_since(self.epoch).as_micros();
                self.fell_us.store(u64::try_from(now_us).unwrap_or(u64::MAX), Ordering::Relaxed);
                self.successes.store(0, Ordering::Relaxed);
                self.limit.store(lowered(limit, adaptive).min(self.max), Ordering::Relaxed);
            }
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "limits are far below 2^52 and the ratio is between 0 and 1"
)]
fn lowered(limit: usize, adaptive: AdaptiveConcurrency) -> usize {
    let lowered = (limit as f64 * adaptive.backoff_ratio.clamp(0.0, 1.0)) as usize;
    lowered.min(limit.saturating_sub(1)).max(adaptive.min.max(1))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn adaptive(initial: usize) -> Concurrency {
        Concurrency::new(100, Some(AdaptiveConcurrency { initial, ..AdaptiveConcurrency::default() }))
    }

    #[tokio::test(start_paused = true)]
    async fn it_rises_by_one_for_each_limit_of_successes_and_only_when_it_is_used() {
        let concurrency = adaptive(10);
        for _ in 0..9 {
            concurrency.record(Signal::Success, 10, Instant::now());
        }
        assert_eq!(concurrency.limit(), 10);
        concurrency.record(Signal::Success, 10, Instant::now());
        assert_eq!(concurrency.limit(), 11);
        for _ in 0..100 {
            concurrency.record(Signal::Success, 2, Instant::now());
        }
        assert_eq!(concurrency.limit(), 11, "an idle endpoint shows nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn one_overload_lowers_it_once_however_many_calls_met_it() {
        let concurrency = adaptive(50);
        let before = Instant::now();
        tokio::time::advance(Duration::from_millis(5)).await;
        for _ in 0..20 {
            concurrency.record(Signal::Overload, 50, before);
        }
        assert_eq!(concurrency.limit(), 45);
        tokio::time::advance(Duration::from_millis(5)).await;
        concurrency.record(Signal::Overload, 45, Instant::now());
        assert_eq!(concurrency.limit(), 40);
    }

    #[test]
    fn without_adaptation_the_limit_is_the_bound() {
        let concurrency = Concurrency::new(7, None);
        concurrency.record(Signal::Overload, 7, Instant::now());
        assert_eq!(concurrency.limit(), 7);
    }

    proptest! {
        #[test]
        fn it_stays_within_its_bounds(initial in 1_usize..200, signals in proptest::collection::vec(any::<bool>(), 0..2_000)) {
            let concurrency = adaptive(initial);
            for is_success in signals {
                let signal = if is_success { Signal::Success } else { Signal::Overload };
                concurrency.record(signal, concurrency.limit(), Instant::now());
                prop_assert!((1..=100).contains(&concurrency.limit()));
            }
        }
    }
}
