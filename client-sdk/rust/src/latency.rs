//! How long a method usually takes, and from when on a call is late.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// So many answers are seen before anything is called late.
const SAMPLES_MIN: u64 = 20;
/// A call is not late before this: below, the scheduler of a busy machine decides.
const LATE_MIN: Duration = Duration::from_millis(10);

/// Mean and mean deviation of the latency of one method, as TCP keeps them of its round trips
/// (RFC 6298): late is what takes longer than the mean and four deviations.
///
/// Updates that meet may lose one of them, which a moving mean forgives; reading takes no lock.
#[derive(Debug, Default)]
pub(crate) struct Latency {
    samples: AtomicU64,
    mean_us: AtomicU64,
    deviation_us: AtomicU64,
}

impl Latency {
    /// Takes how long an attempt took that was answered.
    pub(crate) fn record(&self, latency: Duration) {
        let sample = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX / 16).min(u64::MAX / 16);
        if self.samples.fetch_add(1, Ordering::Relaxed) == 0 {
            self.mean_us.store(sample, Ordering::Relaxed);
            self.deviation_us.store(sample / 2, Ordering::Relaxed);
            return;
        }
        let mean = self.mean_us.load(Ordering::Relaxed);
        let deviation = self.deviation_us.load(Ordering::Relaxed);
        self.deviation_us.store(moved(deviation, mean.abs_diff(sample), 4), Ordering::Relaxed);
        self.mean_us.store(moved(mean, sample, 8), Ordering::Relaxed);
    }

    /// From when on an attempt is late; `None` while too little is known.
    pub(crate) fn late(&self) -> Option<Duration> {
        if self.samples.load(Ordering::Relaxed) < SAMPLES_MIN {
            return None;
        }
        let mean = self.mean_us.load(Ordering::Relaxed);
        let late = mean.saturating_add(self.deviation_us.load(Ordering::Relaxed).saturating_mul(4));
        Some(Duration::from_micros(late).max(LATE_MIN))
    }
}

/// The value moved towards the sample by one part in `parts`.
fn moved(value: u64, sample: u64, parts: u64) -> u64 {
    value - value / parts + sample / parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_late_until_enough_is_known() {
        let latency = Latency::default();
        for _ in 1..SAMPLES_MIN {
            latency.record(Duration::from_millis(100));
        }
        assert_eq!(latency.late(), None);
        latency.record(Duration::from_millis(100));
        assert!(latency.late().is_some());
    }

    #[test]
    fn late_is_near_the_mean_when_answers_are_steady_and_far_from_it_when_they_vary() {
        let (steady, varied) = (Latency::default(), Latency::default());
        for round in 0..400 {
            steady.record(Duration::from_millis(100));
            varied.record(Duration::from_millis(if round % 2 == 0 { 20 } else { 180 }));
        }
        let (steady, varied) = (steady.late().unwrap(), varied.late().unwrap());
        assert!(steady >= Duration::from_millis(99) && steady < Duration::from_millis(102), "{steady:?}");
        assert!(varied > Duration::from_millis(350) && varied < Duration::from_millis(500), "{varied:?}");
    }

    #[test]
    fn a_fast_method_is_not_late_within_the_noise_of_a_machine() {
        let latency = Latency::default();
        for _ in 0..100 {
            latency.record(Duration::from_micros(80));
        }
        assert_eq!(latency.late(), Some(LATE_MIN));
    }
}
