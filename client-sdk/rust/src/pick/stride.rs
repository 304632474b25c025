//! The order of weighted round robin: gRPC's static stride scheduler.

use std::sync::atomic::{AtomicU64, Ordering};

/// What the greatest weight is scaled to.
const SCALE: u64 = u16::MAX as u64;

/// By how much the phases of neighbours differ, as a share of [`SCALE`]: the golden ratio's, of which
/// any row of multiples is spread evenly. gRPC takes a half, with which all even and all odd endpoints
/// of equal weight come in the same generations, and picks in between skip thousands of steps.
const PHASE_STEP: u64 = 40_503;

/// No endpoint counts as heavier than this many times the mean (gRPC's ratio): the steps of a pick
/// are on average the greatest weight over the mean one, and this bounds them.
const RATIO_MAX: f64 = 10.0;

/// How often the mean is computed anew, since capping what is far above it lowers it. Unless nearly a
/// tenth of the endpoints are to be capped, the rest of the error shrinks fast.
const MEAN_ROUNDS: usize = 16;

/// An order in which each endpoint comes as often as its weight says, evenly spread, without a lock.
///
/// A shared number counts steps. Each `count` steps are a generation, in which every endpoint is
/// looked at once and taken or left out, so that it is taken in weight / greatest weight of the
/// generations (gRFC A58; the rule is that of gRPC's `static_stride_scheduler`).
#[derive(Debug)]
pub(super) struct Stride {
    count: u64,
    /// Empty when all weights are equal.
    weights: Vec<u16>,
    sequence: AtomicU64,
}

impl Stride {
    /// Endpoints whose weight is 0 get the mean of the others; with fewer than two weights all count
    /// alike (A58). The order begins at a step that `start` determines, so that of many clients that
    /// start at once not all begin with the same endpoint.
    pub(super) fn new(weights: &[f64], start: u64) -> Self {
        let sequence = AtomicU64::new(start >> 32);
        Self { count: weights.len() as u64, weights: scaled(weights), sequence }
    }

    /// The index that comes next. There is at least one endpoint.
    pub(super) fn next(&self) -> usize {
        loop {
            let step = self.sequence.fetch_add(1, Ordering::Relaxed);
            let (generation, index) = (step / self.count, step % self.count);
            let Some(&weight) = self.weights.get(index as usize) else { return index as usize };
            let weight = u64::from(weight);
            let phase = (weight.wrapping_mul(generation) + index * PHASE_STEP) % SCALE;
            if phase >= SCALE - weight {
                return index as usize;
            }
        }
    }
}

fn scaled(weights: &[f64]) -> Vec<u16> {
    let known: Vec<_> = weights.iter().copied().filter(|&weight| weight > 0.0).collect();
    if known.len() < 2 {
        return Vec::new();
    }
    let mean_below = |cap: f64| known.iter().map(|weight| weight.min(cap)).sum::<f64>() / known.len() as f64;
    let mean = (0..MEAN_ROUNDS).fold(f64::MAX, |mean, _| mean_below(mean * RATIO_MAX));
    let capped = |weight: f64| if weight > 0.0 { weight.min(mean * RATIO_MAX) } else { mean };
    let greatest = known.iter().copied().map(capped).fold(0.0, f64::max);
    let scaled: Vec<_> = weights
        .iter()
        // The least weight is 1 of 65,535: what is in the set gets a call now and then.
        .map(|&weight| (capped(weight) / greatest * SCALE as f64).round().max(1.0) as u16)
        .collect();
    if scaled.windows(2).all(|pair| pair[0] == pair[1]) { Vec::new() } else { scaled }
}

#[cfg(test)]
#[path = "stride_tests.rs"]
mod tests;
