//! How busy one replica is: calls in flight and a peak-sensitive average of its latency.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

/// The latency that a replica without samples is believed to have (as in linkerd2-proxy):
/// near enough to get its share of calls, and soon replaced by what is measured.
const LATENCY_DEFAULT: Duration = Duration::from_millis(30);

/// The time in which the weight of a sample falls to 1/e (as in linkerd2-proxy and Finagle).
const LATENCY_DECAY: Duration = Duration::from_secs(10);

/// The load of one replica, shared by its connections and its calls.
#[derive(Debug)]
pub struct Load {
    in_flight: AtomicUsize,
    latency: Mutex<Latency>,
}

#[derive(Debug)]
struct Latency {
    seconds: f64,
    updated: Instant,
}

impl Load {
    /// No calls, and the default latency.
    #[must_use]
    pub fn new() -> Self {
        let latency = Latency { seconds: LATENCY_DEFAULT.as_secs_f64(), updated: Instant::now() };
        Self { in_flight: AtomicUsize::new(0), latency: Mutex::new(latency) }
    }

    /// How many calls have begun and not ended, body included.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Expected seconds of work before a new call is done: latency x (calls in flight + 1).
    #[expect(clippy::cast_precision_loss, reason = "no channel has 2^52 calls in flight")]
    pub fn cost(&self) -> f64 {
        let seconds = {
            let mut latency = self.latency.lock().unwrap_or_else(PoisonError::into_inner);
            // Decays towards zero while unused, so that a replica that was slow once is tried again.
            latency.add(0.0, Instant::now());
            latency.seconds
        };
        seconds * (self.in_flight() as f64 + 1.0)
    }

    /// Takes the time from sending a request to the head of its response.
    pub fn record(&self, latency: Duration) {
        let mut state = self.latency.lock().unwrap_or_else(PoisonError::into_inner);
        state.add(latency.as_secs_f64(), Instant::now());
    }

    /// Counts a call until the guard is dropped.
    #[must_use]
    pub fn begin(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }
}

impl Default for Load {
    fn default() -> Self {
        Self::new()
    }
}

impl Latency {
    /// A peak counts at once, recovery by and by.
    fn add(&mut self, sample: f64, now: Instant) {
        if sample > self.seconds {
            self.seconds = sample;
        } else {
            let elapsed = now.saturating_duration_since(self.updated).as_secs_f64();
            let weight = (-elapsed / LATENCY_DECAY.as_secs_f64()).exp();
            self.seconds = self.seconds * weight + sample * (1.0 - weight);
        }
        self.updated = now;
    }
}

/// A call that counts as in flight until this is dropped.
#[derive(Debug)]
pub struct InFlight(Arc<Load>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_peak_counts_at_once_and_fades_with_time() {
        let load = Load::new();
        load.record(Duration::from_secs(2));
        assert!((load.cost() - 2.0).abs() < 1e-9);
        tokio::time::advance(LATENCY_DECAY).await;
        load.record(Duration::from_millis(1));
        let expected = 2.0 * (-1.0_f64).exp() + 0.001 * (1.0 - (-1.0_f64).exp());
        assert!((load.cost() - expected).abs() < 1e-6, "{}", load.cost());
    }

    #[tokio::test(start_paused = true)]
    async fn calls_in_flight_multiply_the_cost_until_they_end() {
        let load = Arc::new(Load::new());
        let idle = load.cost();
        let calls = [load.begin(), load.begin(), load.begin()];
        assert!((load.cost() - 4.0 * idle).abs() < 1e-9);
        drop(calls);
        assert_eq!(load.in_flight(), 0);
    }
}
