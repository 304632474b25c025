//! How loaded a server is: rates and processor time over the last seconds, sampled by one task.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicU64, Ordering},
    thread::available_parallelism,
    time::Duration,
};

use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// How often load is sampled.
const INTERVAL: Duration = Duration::from_secs(1);
/// How many samples a rate is computed over: five seconds follow a change soon, and even out single calls.
const SAMPLES_MAX: usize = 6;
/// Ticks per second in `/proc`, the same on every Linux that Rust runs on (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// Counts calls, and knows the latest rates.
#[derive(Debug, Default)]
pub(crate) struct Load {
    ended: AtomicU64,
    failed: AtomicU64,
    /// The bits of three floats.
    rates: [AtomicU64; 3],
}

/// Load over the last seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rates {
    /// Calls that ended per second.
    pub(super) calls_per_second: f64,
    /// Those of them that failed by the server's fault.
    pub(super) errors_per_second: f64,
    /// Processor time of the process as a share of the processors it may use; 0 where unknown.
    pub(super) cpu: f64,
}

impl Load {
    /// Notes that a call has ended.
    pub(super) fn count(&self, failed: bool) {
        self.ended.fetch_add(1, Ordering::Relaxed);
        if failed {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The latest rates.
    pub(super) fn rates(&self) -> Rates {
        let [calls_per_second, errors_per_second, cpu] =
            [0, 1, 2].map(|index: usize| f64::from_bits(self.rates[index].load(Ordering::Relaxed)));
        Rates { calls_per_second, errors_per_second, cpu }
    }

    /// Samples until `stop`.
    pub(crate) async fn sample(&self, stop: CancellationToken) {
        let processors = available_parallelism().map_or(1, usize::from);
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut window = Window::default();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                at = ticks.tick() => window.add(Sample {
                    at,
                    ended: self.ended.load(Ordering::Relaxed),
                    failed: self.failed.load(Ordering::Relaxed),
                    cpu_seconds: cpu_seconds(),
                }),
            }
            let Rates { calls_per_second, errors_per_second, cpu } = window.rates(processors);
            for (stored, rate) in self.rates.iter().zip([calls_per_second, errors_per_second, cpu]) {
                stored.store(rate.to_bits(), Ordering::Relaxed);
            }
        }
    }
}

/// What had happened until one moment.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    ended: u64,
    failed: u64,
    cpu_seconds: Option<f64>,
}

/// The latest samples.
#[derive(Debug, Default)]
struct Window(VecDeque<Sample>);

impl Window {
    fn add(&mut self, sample: Sample) {
        if self.0.len() == SAMPLES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(sample);
    }

    #[expect(clippy::cast_precision_loss, reason = "rates need no more than the bits that an f64 keeps")]
    fn rates(&self, processors: usize) -> Rates {
        let (Some(first), Some(last)) = (self.0.front(), self.0.back()) else { return Rates::default() };
        let seconds = (last.at - first.at).as_secs_f64();
        if seconds <= 0.0 {
            return Rates::default();
        }
        let cpu = first.cpu_seconds.zip(last.cpu_seconds).map_or(0.0, |(first, last)| last - first);
        Rates {
            calls_per_second: (last.ended - first.ended) as f64 / seconds,
            errors_per_second: (last.failed - first.failed) as f64 / seconds,
            cpu: cpu.max(0.0) / seconds / processors as f64,
        }
    }
}

/// The processor time that this process has used; `None` where there is no `/proc`.
fn cpu_seconds() -> Option<f64> {
    parse_stat(&std::fs::read_to_string("/proc/self/stat").ok()?)
}

/// User and system time of a line of `/proc/PID/stat` (`proc_pid_stat(5)`), in seconds.
#[expect(clippy::cast_precision_loss, reason = "2^52 ticks are a million years")]
fn parse_stat(stat: &str) -> Option<f64> {
    // The name of the program is in parentheses and may hold anything; the state after it is the third field.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(14 - 3);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) as f64 / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn processor_time_is_read_whatever_the_program_is_called() {
        let stat = "42 (a ) b (c) S 1 42 42 0 -1 4194560 9 0 0 0 250 150 7 8 20 0 4 0 100 1 2";
        assert_eq!(parse_stat(stat), Some(4.0));
        assert_eq!(parse_stat("42 (x) S 1"), None);
    }

    #[test]
    fn rates_are_those_of_the_last_seconds_only() {
        let mut window = Window::default();
        assert_eq!(window.rates(2), Rates::default());
        let start = Instant::now();
        let calls = [0, 500, 500, 500, 500, 500, 510];
        for (second, ended) in (0_u64..).zip(calls) {
            let at = start + Duration::from_secs(second);
            let cpu_seconds = Some(second as f64);
            window.add(Sample { at, ended, failed: ended / 10, cpu_seconds });
        }
        // The burst of the first second is over five seconds ago.
        let rates = Rates { calls_per_second: 2.0, errors_per_second: 0.2, cpu: 0.5 };
        assert_eq!(window.rates(2), rates);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_counted_shows_in_the_rates_and_is_forgotten_again() {
        let load = Arc::new(Load::default());
        let stop = CancellationToken::new();
        let sampler = tokio::spawn({
            let (load, stop) = (Arc::clone(&load), stop.clone());
            async move { load.sample(stop).await }
        });
        tokio::time::sleep(INTERVAL / 2).await;
        (0..100).for_each(|number| load.count(number % 4 == 0));
        tokio::time::sleep(INTERVAL).await;
        let Rates { calls_per_second, errors_per_second, cpu } = load.rates();
        assert_eq!((calls_per_second, errors_per_second), (100.0, 25.0));
        assert!((0.0..=2.0).contains(&cpu), "{cpu}");
        tokio::time::sleep(INTERVAL * 7).await;
        assert_eq!(load.rates().calls_per_second, 0.0);
        stop.cancel();
        sampler.await.unwrap();
    }
}
