//! Which connection carries the next call.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher as _, Hasher as _},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{address::Address, load::Load};

/// What a picker sees of one connection.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The replica.
    pub address: &'a Address,
    /// Whether it can take a call now. A connection may die between two looks.
    pub is_ready: bool,
    /// How busy the replica is.
    pub load: &'a Load,
}

/// The connections among which to pick. Looking at one costs a few atomic reads,
/// so that a picker need not look at all.
pub trait Candidates {
    /// How many there are.
    fn count(&self) -> usize;

    /// One of them; `index` is less than [`count`](Self::count).
    fn get(&self, index: usize) -> Candidate<'_>;
}

/// Chooses the connection for a call.
pub trait Pick: Send + Sync + 'static {
    /// The index of a ready candidate; `None` when none is ready.
    fn pick(&self, candidates: &dyn Candidates) -> Option<usize>;
}

/// Costs that differ by less than 1 % count as equal: noise must not decide, or of replicas that are
/// equally idle one would get most calls and another none.
const TIE: f64 = 0.99;

/// Power of two choices: of two random candidates the one that costs less
/// (Mitzenmacher 2001; the cost is [`Load::cost`], as in Finagle and linkerd2-proxy).
///
/// Two random looks avoid the herd that "the least loaded of all" makes of many clients.
#[derive(Debug, Default)]
pub struct TwoChoices {
    random: Random,
}

impl TwoChoices {
    /// Picks in an order that only the seed determines, for tests and simulations.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self { random: Random::new(seed) }
    }
}

impl Pick for TwoChoices {
    fn pick(&self, candidates: &dyn Candidates) -> Option<usize> {
        let count = candidates.count();
        if count == 0 {
            return None;
        }
        let first = self.random.below(count);
        let one = candidates.get(first);
        if count == 1 {
            return one.is_ready.then_some(first);
        }
        let second = (first + 1 + self.random.below(count - 1)) % count;
        let other = candidates.get(second);
        match (one.is_ready, other.is_ready) {
            (true, true) if other.load.cost() < one.load.cost() * TIE => Some(second),
            (true, _) => Some(first),
            (false, true) => Some(second),
            (false, false) => (0..count)
                .map(|offset| (first + offset) % count)
                .find(|&index| candidates.get(index).is_ready),
        }
    }
}

/// `SplitMix64` (Steele, Lea and Flood 2014): a few nanoseconds, no lock, not for secrets.
#[derive(Debug)]
pub(crate) struct Random(AtomicU64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut bits = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// Less than `bound`, which is not 0.
    #[expect(clippy::cast_possible_truncation, reason = "the remainder is less than a usize")]
    fn below(&self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// From 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what an f64 holds")]
    pub(crate) fn fraction(&self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

impl Default for Random {
    /// Seeded from the randomness of the standard library's hash maps.
    fn default() -> Self {
        Self::new(RandomState::new().build_hasher().finish())
    }
}

#[cfg(test)]
#[path = "picker_tests.rs"]
mod tests;
