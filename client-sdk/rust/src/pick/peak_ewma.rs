//! The default policy: power of two choices by expected latency.

use std::sync::Arc;

use tokio::time::Instant;

use super::{PickArgs, Picker, Policy, sampler::Sampler};
use crate::{endpoint::Endpoint, random::Random};

/// Costs that differ by less than 1 % count as equal: noise must not decide, or of replicas that are
/// equally idle one would get most calls and another none.
const TIE: f64 = 0.99;

/// Power of two choices: of two random endpoints the one that costs less (Mitzenmacher 2001; the cost
/// is [`Load::cost`](crate::load::Load::cost), as in Finagle and linkerd2-proxy).
///
/// Two random looks avoid the herd that "the least loaded of all" makes of many clients. An endpoint
/// is looked at as often as its weight and its slow start say, so that among equally fast ones calls
/// follow the weights, idle or busy.
#[derive(Debug, Default)]
pub struct PeakEwma {
    random: Random,
}

impl PeakEwma {
    /// Picks in an order that only the seed determines, for tests and simulations.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self { random: Random::new(seed) }
    }
}

impl Policy for PeakEwma {
    fn picker(&self, endpoints: &[Arc<Endpoint>], _now: Instant) -> Box<dyn Picker> {
        Box::new(PeakEwmaPicker::new(endpoints, self.random.fork()))
    }
}

#[derive(Debug)]
pub(super) struct PeakEwmaPicker {
    sampler: Sampler,
}

impl PeakEwmaPicker {
    pub(super) fn new(endpoints: &[Arc<Endpoint>], random: Random) -> Self {
        Self { sampler: Sampler::new(endpoints, random) }
    }
}

impl Picker for PeakEwmaPicker {
    fn pick(&self, args: &PickArgs<'_>) -> Option<usize> {
        let (first, second) = self.sampler.pair(args)?;
        match (args.is_available(first), args.is_available(second)) {
            (true, true) if cost(args, second) < cost(args, first) * TIE => Some(second),
            (true, _) => Some(first),
            (false, true) => Some(second),
            (false, false) => args.next_available(second),
        }
    }
}

fn cost(args: &PickArgs<'_>, index: usize) -> f64 {
    let endpoint = &args.endpoints[index];
    endpoint.load().cost(endpoint.weight(), args.now)
}
