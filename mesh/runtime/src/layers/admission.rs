//! The places of a server: calls under way, within the configured limit and, where asked for, a measured one.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tonic::Code;

use super::{
    concurrency::{Concurrency, Sample},
    kind::Kind,
};

/// How many calls a server lets in at once.
pub(crate) struct Admission {
    places: Arc<Semaphore>,
    places_max: usize,
    adaptive: Option<Arc<Adaptive>>,
}

/// The measured limit; for unary calls only.
struct Adaptive {
    /// What `concurrency` says, where every call can read it.
    limit: AtomicUsize,
    in_flight: AtomicUsize,
    concurrency: Mutex<Concurrency>,
}

/// The place of one call, which it holds until its last byte is sent.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    measured: Option<Measured>,
}

/// A call that counts against the measured limit; it stops counting when this is dropped.
struct Measured {
    adaptive: Arc<Adaptive>,
    began: Instant,
    in_flight: usize,
}

impl Admission {
    /// Places for `places_max` calls, fewer where `adaptive` finds them slow.
    pub(crate) fn new(places_max: usize, adaptive: bool) -> Self {
        let concurrency = adaptive.then(|| Concurrency::new(places_max, Instant::now()));
        let adaptive = concurrency.map(|concurrency| {
            Arc::new(Adaptive {
                limit: AtomicUsize::new(concurrency.limit()),
                in_flight: AtomicUsize::new(0),
                concurrency: Mutex::new(concurrency),
            })
        });
        Self { places: Arc::new(Semaphore::new(places_max)), places_max, adaptive }
    }

    /// A place for a call, if there is one.
    pub(super) fn enter(&self, kind: Kind) -> Option<Place> {
        let permit = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let measured = match &self.adaptive {
            Some(adaptive) if kind == Kind::Unary => Some(Measured::begin(adaptive)?),
            _ => None,
        };
        Some(Place { _permit: permit, measured })
    }

    /// Calls that hold a place.
    pub(super) fn in_flight(&self) -> usize {
        self.places_max - self.places.available_permits()
    }

    /// Calls that may hold one.
    pub(super) fn places_max(&self) -> usize {
        self.places_max
    }
}

impl Measured {
    fn begin(adaptive: &Arc<Adaptive>) -> Option<Self> {
        let in_flight = adaptive.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        let measured = Self { adaptive: Arc::clone(adaptive), began: Instant::now(), in_flight };
        (in_flight <= adaptive.limit.load(Ordering::Relaxed)).then_some(measured)
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        self.adaptive.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Place {
    /// Gives the place back; the call ended with `code`.
    pub(super) fn leave(self, code: Code) {
        let Some(measured) = &self.measured else { return };
        // A refusal is quick and a cancelled call is cut short: neither tells how long the work takes.
        if !matches!(code, Code::Ok | Code::DeadlineExceeded) {
            return;
        }
        let (began, in_flight) = (measured.began, measured.in_flight);
        let adaptive = &measured.adaptive;
        let mut concurrency = adaptive.concurrency.lock().unwrap_or_else(PoisonError::into_inner);
        concurrency.record(Sample { began, ended: Instant::now(), in_flight });
        adaptive.limit.store(concurrency.limit(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn calls_that_wait_for_each_other_lower_the_limit_and_streams_do_not_count() {
        let admission = Admission::new(1_000, true);
        let round = async |latency_ms| {
            let places: Vec<_> = std::iter::from_fn(|| admission.enter(Kind::Unary)).collect();
            assert!(admission.enter(Kind::Streaming).is_some(), "a stream needs no measured place");
            tokio::time::advance(Duration::from_millis(latency_ms)).await;
            let count = places.len();
            places.into_iter().for_each(|place| place.leave(Code::Ok));
            assert_eq!(admission.in_flight(), 0);
            count
        };
        assert_eq!(round(100).await, 64);
        // A window holds calls of two rounds.
        round(100).await;
        let grown = round(100).await;
        assert!(grown > 64, "{grown}");
        for _ in 0..5 {
            round(1_000).await;
        }
        let shrunk = round(1_000).await;
        assert!(shrunk < grown * 3 / 4, "{grown} then {shrunk}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_was_refused_or_cancelled_says_nothing_about_latency() {
        let admission = Admission::new(1_000, true);
        for code in [Code::Cancelled, Code::Unauthenticated, Code::Internal] {
            let places: Vec<_> = std::iter::from_fn(|| admission.enter(Kind::Unary)).collect();
            assert_eq!(places.len(), 64);
            tokio::time::advance(Duration::from_secs(1)).await;
            places.into_iter().for_each(|place| place.leave(code));
        }
    }

    #[test]
    fn without_the_measured_limit_only_the_configured_one_counts() {
        let admission = Admission::new(100, false);
        let places: Vec<_> = std::iter::from_fn(|| admission.enter(Kind::Unary)).collect();
        assert_eq!((places.len(), admission.in_flight()), (100, 100));
        assert!(admission.enter(Kind::Streaming).is_none());
    }
}
