//! The randomness of picks, jitter and probes: cheap, without a lock, the same again for the same seed.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher as _, Hasher as _},
    sync::atomic::{AtomicU64, Ordering},
};

/// `SplitMix64` (Steele, Lea and Flood 2014): a few nanoseconds, no lock, not for secrets.
#[derive(Debug)]
pub(crate) struct Random(AtomicU64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    pub(crate) fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut bits = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// Another source, whose numbers have nothing to do with those of this one.
    pub(crate) fn fork(&self) -> Self {
        Self::new(self.next())
    }

    /// Less than `bound`, which is not 0.
    pub(crate) fn below(&self, bound: usize) -> usize {
        scale((self.next() >> 32) as u32, bound)
    }

    /// From 0 to 1.
    pub(crate) fn fraction(&self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Maps 32 random bits to a number below `bound` without a division (Lemire 2019). The bias is
/// `bound` in 2^32, far below what any number of calls could show.
pub(crate) fn scale(bits: u32, bound: usize) -> usize {
    ((u64::from(bits) * bound as u64) >> 32) as usize
}

impl Default for Random {
    /// Seeded from the randomness of the standard library's hash maps.
    fn default() -> Self {
        Self::new(RandomState::new().build_hasher().finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_below_a_bound_are_even_and_the_same_for_the_same_seed() {
        let (random, twin) = (Random::new(7), Random::new(7));
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            let number = random.below(7);
            assert_eq!(number, twin.below(7));
            counts[number] += 1;
        }
        assert!(counts.iter().all(|&count| count.abs_diff(10_000) < 400), "{counts:?}");
    }

    #[test]
    fn the_ends_of_the_range_stay_below_the_bound() {
        assert_eq!((scale(0, 1000), scale(u32::MAX, 1000), scale(u32::MAX, 1)), (0, 999, 0));
    }
}
