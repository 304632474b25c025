//! How many calls at once the measured latency bears: pure, a function of the calls that have ended.
//!
//! The gradient rule of Envoy's adaptive concurrency filter and Netflix's concurrency-limits: latency with
//! little to do is the baseline, and where the present one is longer, calls wait for each other, so fewer are let
//! in. The baseline is measured again now and then with half as many, lest a long overload pass for normal.

use std::time::Duration;

use tokio::time::Instant;

/// The least limit: below it the chance of a few slow calls decides.
const LIMIT_MIN: f64 = 16.0;
/// The limit at the start; a server that bears more has more within a second.
const LIMIT_START: f64 = 64.0;
/// A window of measurement lasts at least this long, so that a burst is not yet overload.
const WINDOW: Duration = Duration::from_millis(100);
/// Fewer calls than these make no median.
const SAMPLES_MIN: usize = 25;
/// More calls than these make the median no better: the window keeps the latest.
const SAMPLES_MAX: usize = 128;
/// How much longer than the baseline a call may take before the limit goes down (Envoy's buffer).
const TOLERANCE: f64 = 1.25;
/// One window changes the limit by no more than this factor downwards.
const GRADIENT_MIN: f64 = 0.5;
/// How long a baseline counts; Envoy's default is a minute, but here a measurement costs less.
const BASELINE_AGE: Duration = Duration::from_secs(30);
/// The share of the limit that is left while the baseline is measured again.
const PROBE_SHARE: f64 = 0.5;

/// A call that ended well, or at its deadline.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) began: Instant,
    pub(super) ended: Instant,
    /// How many were under way when it began, itself included.
    pub(super) in_flight: usize,
}

/// The limit, and what it is computed from.
#[derive(Debug)]
pub(super) struct Concurrency {
    max: f64,
    limit: f64,
    baseline: Option<Baseline>,
    /// The limit to go back to, while the baseline is measured again.
    before_probe: Option<f64>,
    window: Window,
}

#[derive(Clone, Copy, Debug)]
struct Baseline {
    latency: Duration,
    measured: Instant,
}

#[derive(Debug)]
struct Window {
    opened: Instant,
    latencies: Vec<Duration>,
    count: usize,
    in_flight_peak: usize,
}

impl Concurrency {
    /// A limit of at most `max`, measured from `now` on.
    #[expect(clippy::cast_precision_loss, reason = "limits are far below 2^52")]
    pub(super) fn new(max: usize, now: Instant) -> Self {
        let max = max as f64;
        let window = Window::new(now);
        Self { max, limit: LIMIT_START.min(max), baseline: None, before_probe: None, window }
    }

    /// The present limit in calls, at least 1.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it lies within 1 and max")]
    pub(super) fn limit(&self) -> usize {
        self.limit as usize
    }

    /// Takes the next call that has ended into account.
    pub(super) fn record(&mut self, sample: Sample) {
        // A call from before the probe waited among more others than the probe allows.
        if self.before_probe.is_some() && sample.began < self.window.opened {
            return;
        }
        self.window.add(sample);
        if !self.window.is_complete(sample.ended) {
            return;
        }
        let (median, peak) = (self.window.median(), self.window.in_flight_peak);
        self.window = Window::new(sample.ended);
        self.close_window(median, peak, sample.ended);
    }

    fn close_window(&mut self, median: Duration, peak: usize, now: Instant) {
        if let Some(limit) = self.before_probe.take() {
            self.limit = limit;
            self.baseline = Some(Baseline { latency: median, measured: now });
            return;
        }
        let baseline = match self.baseline {
            Some(baseline) if baseline.latency <= median => baseline,
            _ => Baseline { latency: median, measured: now },
        };
        self.baseline = Some(baseline);
        if now - baseline.measured >= BASELINE_AGE {
            self.before_probe = Some(self.limit);
            self.limit = self.within(self.limit * PROBE_SHARE);
            return;
        }
        self.limit = self.within(next(self.limit, baseline.latency, median, peak));
    }

    fn within(&self, limit: f64) -> f64 {
        limit.clamp(LIMIT_MIN.min(self.max), self.max)
    }
}

/// The next limit after a window with this median latency and so many calls at once.
#[expect(clippy::cast_precision_loss, reason = "limits are far below 2^52")]
fn next(limit: f64, baseline: Duration, median: Duration, peak: usize) -> f64 {
    // Nobody came near the limit: the window says nothing about it.
    if (peak as f64) < limit / 2.0 {
        return limit;
    }
    let ratio = baseline.as_secs_f64() / median.as_secs_f64().max(f64::MIN_POSITIVE);
    let gradient = (TOLERANCE * ratio).clamp(GRADIENT_MIN, TOLERANCE);
    // The square root lets the limit grow where nothing waits, and leaves room for bursts.
    limit * gradient + limit.sqrt()
}

impl Window {
    fn new(opened: Instant) -> Self {
        Self { opened, latencies: Vec::with_capacity(SAMPLES_MIN), count: 0, in_flight_peak: 0 }
    }

    fn add(&mut self, sample: Sample) {
        let latency = sample.ended - sample.began;
        if self.latencies.len() < SAMPLES_MAX {
            self.latencies.push(latency);
        } else {
            self.latencies[self.count % SAMPLES_MAX] = latency;
        }
        self.count += 1;
        self.in_flight_peak = self.in_flight_peak.max(sample.in_flight);
    }

    fn is_complete(&self, now: Instant) -> bool {
        self.count >= SAMPLES_MIN && now - self.opened >= WINDOW
    }

    fn median(&mut self) -> Duration {
        let middle = self.latencies.len() / 2;
        *self.latencies.select_nth_unstable(middle).1
    }
}

#[cfg(test)]
#[path = "concurrency_tests.rs"]
mod tests;
