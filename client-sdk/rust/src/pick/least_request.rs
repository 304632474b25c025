//! The policy that counts calls in flight and nothing else.

use std::sync::Arc;

use tokio::time::Instant;

use super::{PickArgs, Picker, Policy, sampler::Sampler};
use crate::{endpoint::Endpoint, random::Random};

/// The choices that gRFC A48 allows; more than 10 come near "the least loaded of all", which makes a
/// herd of many clients, and cost a look each.
const CHOICES_MIN: usize = 2;
const CHOICES_MAX: usize = 10;

/// Of some random endpoints the one with the fewest calls in flight, counted per weight (gRFC A48).
#[derive(Debug)]
pub struct LeastRequest {
    choices: usize,
    random: Random,
}

impl LeastRequest {
    /// Looks at this many endpoints for each call; less than 2 count as 2, more than 10 as 10 (A48).
    #[must_use]
    pub fn new(choices: usize) -> Self {
        Self { choices: choices.clamp(CHOICES_MIN, CHOICES_MAX), random: Random::default() }
    }

    /// Picks in an order that only the seed determines, for tests and simulations.
    #[must_use]
    pub fn seeded(choices: usize, seed: u64) -> Self {
        Self { random: Random::new(seed), ..Self::new(choices) }
    }
}

impl Default for LeastRequest {
    /// Two choices, A48's default.
    fn default() -> Self {
        Self::new(CHOICES_MIN)
    }
}

impl Policy for LeastRequest {
    fn picker(&self, endpoints: &[Arc<Endpoint>], _now: Instant) -> Box<dyn Picker> {
        let sampler = Sampler::new(endpoints, self.random.fork());
        Box::new(LeastRequestPicker { choices: self.choices, sampler })
    }
}

struct LeastRequestPicker {
    choices: usize,
    sampler: Sampler,
}

impl Picker for LeastRequestPicker {
    fn pick(&self, args: &PickArgs<'_>) -> Option<usize> {
        let (mut last, second) = self.sampler.pair(args)?;
        let mut best: Option<(usize, f64)> = None;
        for choice in 0..self.choices {
            last = match choice {
                0 => last,
                1 => second,
                _ => self.sampler.draw(args, Some(last)),
            };
            if !args.is_available(last) {
                continue;
            }
            let endpoint = &args.endpoints[last];
            let calls = endpoint.load().in_flight() as f64 / f64::from(endpoint.weight());
            if best.is_none_or(|(_, fewest)| calls < fewest) {
                best = Some((last, calls));
            }
        }
        best.map(|(index, _)| index).or_else(|| args.next_available(last))
    }
}
