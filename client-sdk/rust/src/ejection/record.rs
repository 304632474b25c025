//! What calls met at one endpoint, and whether it is set aside.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;
use tonic::Code;

use super::{Settings, is_endpoint_failure};

/// One endpoint, as outlier detection sees it. Shared by all calls to it, without a lock.
///
/// Calls only count; a [`Set`](super::Set) alone changes the state, under its owner's lock.
#[derive(Debug)]
pub struct Record {
    created: Instant,
    /// A [`Standing`] in one word, so that a pick reads it with one load.
    standing: AtomicU64,
    /// Calls since the last sweep: successes in the low 32 bits, failures in the high ones. One word,
    /// so that a sweep takes both at the same moment. Half a billion calls a second would be needed
    /// to overflow in the default interval.
    calls: AtomicU64,
    consecutive_failures: AtomicU32,
}

/// Whether an endpoint is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It gets its share of calls.
    Healthy,
    /// It gets no calls.
    Ejected {
        /// The first sweep after this lets calls through again.
        until: Instant,
        /// How many times in a row, less the quiet intervals since. At least 1.
        times: u32,
    },
    /// Its time has passed. It gets one call at a time until one has succeeded or failed.
    Probing,
}

/// Why the owner of the records is to call [`Set::judge`](super::Set::judge).
#[must_use = "the state changes only when the set judges the endpoint"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// There is nothing to judge.
    Nothing,
    /// With this call as many calls in a row as the settings say have failed, once more.
    ConsecutiveFailures,
    /// A call to a probing endpoint succeeded.
    ProbeSucceeded,
    /// A call to a probing endpoint failed.
    ProbeFailed,
}

impl Record {
    /// A healthy endpoint without calls.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            created: now,
            standing: AtomicU64::new(Standing::NEW.to_bits()),
            calls: AtomicU64::new(0),
            consecutive_failures: AtomicU32::new(0),
        }
    }

    /// Whether it is set aside.
    #[must_use]
    pub fn state(&self) -> State {
        let standing = self.standing();
        match standing.phase {
            Phase::Healthy => State::Healthy,
            Phase::Probing => State::Probing,
            Phase::Ejected => State::Ejected { until: self.at(standing.until_ms), times: standing.times },
        }
    }

    /// Whether it takes another call beside those in flight: one atomic load.
    ///
    /// Two calls that ask at the very same moment may both be let through while probing. Not to be
    /// asked when ejection is disregarded ([`Mode::Panic`](crate::selection::Mode::Panic)).
    #[must_use]
    pub fn allows(&self, in_flight: usize) -> bool {
        match self.standing().phase {
            Phase::Healthy => true,
            Phase::Ejected => false,
            Phase::Probing => in_flight == 0,
        }
    }

    /// Counts a call that ended with this code, as [`is_endpoint_failure`] says. `CANCELLED` is not
    /// counted: it says nothing of the endpoint. A stream may be counted as soon as its first message
    /// is there, so that a long one does not hold up the others while probing.
    pub fn ended(&self, code: Code, settings: &Settings) -> Signal {
        match code {
            Code::Cancelled => Signal::Nothing,
            code if is_endpoint_failure(code) => self.failure(settings),
            _ => self.success(),
        }
    }

    /// Counts a call that the endpoint answered.
    pub fn success(&self) -> Signal {
        self.calls.fetch_add(SUCCESS, Ordering::Relaxed);
        // Written only when it changes: the word stays in every core's cache while all is well.
        if self.consecutive_failures.load(Ordering::Relaxed) != 0 {
            self.consecutive_failures.store(0, Ordering::Relaxed);
        }
        match self.standing().phase {
            Phase::Probing => Signal::ProbeSucceeded,
            Phase::Healthy | Phase::Ejected => Signal::Nothing,
        }
    }

    /// Counts a call that the endpoint failed.
    pub fn failure(&self, settings: &Settings) -> Signal {
        self.calls.fetch_add(FAILURE, Ordering::Relaxed);
        let failures = self.consecutive_failures.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        match self.standing().phase {
            Phase::Probing => Signal::ProbeFailed,
            Phase::Ejected => Signal::Nothing,
            // At every multiple: if a limit forbade the ejection, it is tried again.
            Phase::Healthy => match settings.consecutive_failures {
                Some(threshold) if failures.is_multiple_of(threshold) => Signal::ConsecutiveFailures,
                _ => Signal::Nothing,
            },
        }
    }

    pub(super) fn standing(&self) -> Standing {
        Standing::from_bits(self.standing.load(Ordering::Relaxed))
    }

    pub(super) fn set_standing(&self, standing: Standing) {
        self.standing.store(standing.to_bits(), Ordering::Relaxed);
    }

    /// Sets it aside once more in a row. The answer is until when, and how many times it is by now.
    pub(super) fn eject(&self, now: Instant, settings: &Settings) -> (Instant, u32) {
        let times = self.standing().times.saturating_add(1).min(TIMES_MAX);
        let until = now.saturating_duration_since(self.created) + settings.ejection_time(times);
        // Rounded up: never back too early.
        let until_ms = until.as_nanos().div_ceil(1_000_000);
        let until_ms = u64::try_from(until_ms).unwrap_or(UNTIL_MS_MAX).min(UNTIL_MS_MAX);
        self.set_standing(Standing { phase: Phase::Ejected, times, until_ms });
        (self.at(until_ms), times)
    }

    fn at(&self, since_created_ms: u64) -> Instant {
        self.created + Duration::from_millis(since_created_ms)
    }

    /// The calls since the last time that this was asked.
    pub(super) fn take_tally(&self) -> Tally {
        let calls = self.calls.swap(0, Ordering::Relaxed);
        Tally { successes: calls & u64::from(u32::MAX), failures: calls >> 32 }
    }
}

const SUCCESS: u64 = 1;
const FAILURE: u64 = 1 << 32;

/// The calls of one endpoint in one interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) successes: u64,
    pub(super) failures: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Healthy = 0,
    Ejected = 1,
    Probing = 2,
}

/// All that outlier detection remembers of one endpoint from one interval to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) phase: Phase,
    /// A50's ejection time multiplier.
    pub(super) times: u32,
    /// When an ejection ends, in milliseconds since the record was created.
    pub(super) until_ms: u64,
}

const PHASE_BITS: u32 = 2;
const TIMES_BITS: u32 = 16;
/// Beyond this the time of an ejection does not grow, long after it has met its limit.
const TIMES_MAX: u32 = (1 << TIMES_BITS) - 1;
/// Two thousand years, which any clock can add to the present.
const UNTIL_MS_MAX: u64 = (1 << (64 - PHASE_BITS - TIMES_BITS)) - 1;

impl Standing {
    pub(super) const NEW: Self = Self { phase: Phase::Healthy, times: 0, until_ms: 0 };

    fn to_bits(self) -> u64 {
        self.phase as u64 | u64::from(self.times) << PHASE_BITS | self.until_ms << (PHASE_BITS + TIMES_BITS)
    }

    #[expect(clippy::cast_possible_truncation, reason = "the mask leaves 16 bits")]
    fn from_bits(bits: u64) -> Self {
        let phase = match bits & 3 {
            0 => Phase::Healthy,
            1 => Phase::Ejected,
            _ => Phase::Probing,
        };
        let times = (bits >> PHASE_BITS) as u32 & TIMES_MAX;
        Self { phase, times, until_ms: bits >> (PHASE_BITS + TIMES_BITS) }
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
