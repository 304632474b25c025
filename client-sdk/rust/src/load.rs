//! How busy one replica is: calls in flight, a peak-sensitive average of its latency, and its failures.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use crate::load_report::LatestReport;

/// The latency that a replica is believed to have while its first call is under way
/// (as in linkerd2-proxy), until something is measured.
pub const LATENCY_DEFAULT: Duration = Duration::from_millis(30);

/// The time in which the weight of a latency falls to 1/e (as in linkerd2-proxy and Finagle).
pub const LATENCY_DECAY: Duration = Duration::from_secs(10);

/// What a failed attempt costs at least, however fast it failed: a replica that refuses everything
/// in 0.1 ms must not look like the fastest (as in linkerd2-proxy's load biaser).
pub const PENALTY: Duration = Duration::from_secs(5);

/// The time in which a penalty falls to 1/e.
///
/// With this one a replica that failed once is tried
/// again after 8.5 s beside replicas that answer in 1 ms (5 s / e^8.5 = 1 ms), and after 5 s beside
/// such that take 30 ms. A latency's own decay would keep it away for a minute and a half.
pub const PENALTY_DECAY: Duration = Duration::from_secs(1);

/// So often the latency of a replica whose calls are overtaken is doubled: 10 ms become 10 s, which no
/// replica's cost outweighs.
const OVERTAKEN_DOUBLINGS_MAX: u32 = 10;

/// The load of one replica, shared by its connections and its calls. No method takes a lock.
///
/// Each call's outcome goes to [`record`](Self::record) or to [`penalize`](Self::penalize).
#[derive(Debug)]
pub struct Load {
    epoch: Instant,
    in_flight: AtomicUsize,
    latency: Decaying,
    penalty: Decaying,
    /// Calls in a row that another attempt overtook.
    overtaken: AtomicU32,
    report: LatestReport,
}

impl Load {
    /// No calls, and no latency yet.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            epoch: now,
            in_flight: AtomicUsize::new(0),
            latency: Decaying::new(LATENCY_DECAY),
            penalty: Decaying::new(PENALTY_DECAY),
            overtaken: AtomicU32::new(0),
            report: LatestReport::new(now),
        }
    }

    /// How many calls have begun and not ended, body included.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Expected seconds until a new call is done: latency x (calls in flight / weight + 1).
    ///
    /// Latency and [`penalty`](Self::penalty) decay while the replica is unused, so that one that was
    /// slow or failed is tried again. One that has never answered costs nothing until it has its first
    /// call and [`LATENCY_DEFAULT`] while that is under way (as in Finagle): it gets one call at once,
    /// and no herd before the answer. The weight divides the calls alone: at rest, a heavier replica is
    /// no faster.
    #[must_use]
    pub fn cost(&self, weight: u32, now: Instant) -> f64 {
        let ticks = self.ticks(now);
        let in_flight = self.in_flight();
        let latency = match self.latency.get(ticks) {
            Some(seconds) => seconds,
            None if in_flight == 0 => 0.0,
            None => LATENCY_DEFAULT.as_secs_f32(),
        };
        let seconds = latency.max(self.penalty.get(ticks).unwrap_or(0.0));
        f64::from(seconds) * (in_flight as f64 / f64::from(weight.max(1)) + 1.0)
    }

    /// What a call takes by its average, which decays while the replica is unused; `None` until one was
    /// answered.
    #[must_use]
    pub fn latency(&self, now: Instant) -> Option<Duration> {
        self.latency.get(self.ticks(now)).and_then(|seconds| Duration::try_from_secs_f32(seconds).ok())
    }

    /// Seconds of latency that failures make the replica be worth at present, 0 without any.
    #[must_use]
    pub fn penalty(&self, now: Instant) -> f64 {
        self.penalty.get(self.ticks(now)).map_or(0.0, f64::from)
    }

    /// Takes the time from sending a request to the head of its response. A peak counts at once,
    /// recovery by and by (peak EWMA, as in Finagle).
    pub fn record(&self, latency: Duration, now: Instant) {
        if self.overtaken.load(Ordering::Relaxed) != 0 {
            self.overtaken.store(0, Ordering::Relaxed);
        }
        self.latency.average(latency.as_secs_f32(), self.ticks(now));
    }

    /// Takes an attempt that failed or was given up after `elapsed`: it counts as a latency of
    /// `elapsed` or [`PENALTY`], whichever is longer, that fades by [`PENALTY_DECAY`].
    pub fn penalize(&self, elapsed: Duration, now: Instant) {
        self.penalty.raise(elapsed.max(PENALTY).as_secs_f32(), self.ticks(now));
    }

    /// Forgets latency, penalty and load report: for a replica that was connected anew, since behind
    /// the same address there may be another process. Calls in flight stay counted.
    pub fn forget(&self) {
        self.latency.clear();
        self.penalty.clear();
        self.overtaken.store(0, Ordering::Relaxed);
        self.report.clear();
    }

    /// What the replica last said of itself.
    #[must_use]
    pub fn report(&self) -> &LatestReport {
        &self.report
    }

    /// Takes that a call was given up which had not been answered for so long, since another attempt was
    /// faster: its latency is more than that, but nobody saw how much more. Each further such call in a
    /// row doubles what is believed (as TCP doubles its timeout, RFC 6298), or a replica whose calls are
    /// all overtaken would look hardly slower than those that overtake it.
    pub fn overtaken(&self, elapsed: Duration, now: Instant) {
        let doublings = self.overtaken.fetch_add(1, Ordering::Relaxed).min(OVERTAKEN_DOUBLINGS_MAX);
        let believed = elapsed.saturating_mul(1 << doublings);
        self.latency.raise(believed.as_secs_f32(), self.ticks(now));
    }

    /// Counts a call until the guard is dropped.
    #[must_use]
    pub fn begin(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    /// Milliseconds since the start, modulo 2^32.
    fn ticks(&self, now: Instant) -> u32 {
        now.saturating_duration_since(self.epoch).as_millis() as u32
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

/// Seconds that decay towards zero: the value as an f32 and the millisecond of its last change share
/// one atomic word, so that no reader sees one without the other and no peak is lost to a race.
#[derive(Debug)]
struct Decaying {
    /// 0 when there is no value.
    word: AtomicU64,
    per_tick: f32,
}

impl Decaying {
    fn new(decay: Duration) -> Self {
        Self { word: AtomicU64::new(0), per_tick: -0.001 / decay.as_secs_f32() }
    }

    fn get(&self, ticks: u32) -> Option<f32> {
        let word = self.word.load(Ordering::Relaxed);
        (word != 0).then(|| seconds(word) * self.factor(word, ticks))
    }

    /// By how much the value has decayed.
    fn factor(&self, word: u64, ticks: u32) -> f32 {
        match elapsed(word, ticks) {
            // Under load most looks come within the millisecond of a change: they need no exponential.
            0 => 1.0,
            elapsed => (elapsed as f32 * self.per_tick).exp(),
        }
    }

    /// Takes a sample into the average; a peak replaces it.
    fn average(&self, sample: f32, ticks: u32) {
        self.change(|word| {
            if word == 0 || sample > seconds(word) {
                return Some(packed(sample, ticks));
            }
            // A sample of the same millisecond would weigh nothing; leaving it out saves the write.
            (elapsed(word, ticks) > 0).then(|| {
                let weight = self.factor(word, ticks);
                packed(seconds(word) * weight + sample * (1.0 - weight), ticks)
            })
        });
    }

    /// Makes the value at least this.
    fn raise(&self, value: f32, ticks: u32) {
        self.change(|word| (seconds(word) * self.factor(word, ticks) < value).then(|| packed(value, ticks)));
    }

    fn change(&self, change: impl FnMut(u64) -> Option<u64>) {
        // An error says that nothing was to change.
        self.word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change).ok();
    }

    fn clear(&self) {
        self.word.store(0, Ordering::Relaxed);
    }
}

fn packed(seconds: f32, ticks: u32) -> u64 {
    // Never 0, which is "no value".
    (u64::from(seconds.max(f32::MIN_POSITIVE).to_bits()) << 32) | u64::from(ticks)
}

fn seconds(word: u64) -> f32 {
    f32::from_bits((word >> 32) as u32)
}

/// Milliseconds since the change; 0 when the change is later than the caller's look at the clock,
/// as happens when calls race. A value left alone for 24 days counts as fresh: no replica is.
fn elapsed(word: u64, ticks: u32) -> u32 {
    let since = ticks.wrapping_sub(word as u32);
    if since > u32::MAX / 2 { 0 } else { since }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
