//! The policy that gives every endpoint its exact share in turn.

use std::sync::Arc;

use tokio::time::Instant;

use super::{PickArgs, Picker, Policy, sampler, stride::Stride};
use crate::{endpoint::Endpoint, random::Random};

/// How many steps of the order a pick takes to find an endpoint that is available. When three of four
/// are not, 16 in a row are unavailable in 1 % of the picks; those take the next available one.
const STEPS_MAX: usize = 16;

/// Endpoints in turn: plain when their weights are equal, else each as often as its weight says, up
/// to ten times the mean, evenly spread. One in slow start is left out now and then, as its ramp says.
#[derive(Debug, Default)]
pub struct RoundRobin {
    random: Random,
}

impl RoundRobin {
    /// Picks in an order that only the seed determines, for tests and simulations.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self { random: Random::new(seed) }
    }
}

impl Policy for RoundRobin {
    fn picker(&self, endpoints: &[Arc<Endpoint>], _now: Instant) -> Box<dyn Picker> {
        let weights: Vec<_> = endpoints.iter().map(|endpoint| f64::from(endpoint.weight())).collect();
        Box::new(StridePicker::new(&weights, self.random.fork()))
    }
}

/// Picks in the order of a [`Stride`].
#[derive(Debug)]
pub(super) struct StridePicker {
    stride: Stride,
    random: Random,
}

impl StridePicker {
    pub(super) fn new(weights: &[f64], random: Random) -> Self {
        Self { stride: Stride::new(weights, random.next()), random }
    }
}

impl Picker for StridePicker {
    fn pick(&self, args: &PickArgs<'_>) -> Option<usize> {
        if args.endpoints.is_empty() {
            return None;
        }
        let mut index = 0;
        for _ in 0..STEPS_MAX {
            index = self.stride.next();
            if args.is_available(index) && sampler::is_admitted(args, index, &self.random) {
                return Some(index);
            }
        }
        args.next_available(index)
    }
}
