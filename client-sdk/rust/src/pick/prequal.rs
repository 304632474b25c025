//! The policy that asks replicas how busy they are.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    PickArgs, Picker, Policy, Probe, ProbeTargets,
    peak_ewma::PeakEwmaPicker,
    probe_pool::{POOL_SIZE, ProbePool, REPLIES_MIN},
};
use crate::{endpoint::Endpoint, random::Random};

/// How many endpoints are probed because of a call (the paper's `r_probe`).
pub const PROBES_PER_CALL: usize = 3;

/// How many replies a call removes from a full pool beside the one it uses up (the paper's `r_remove`).
const REMOVALS_PER_CALL: f64 = 1.0;

/// By how many replies per call the pool shall tend to grow (the paper's delta).
const GROWTH_PER_CALL: f64 = 1.0;

/// How many replies that turn out to be of no use a pick leaves behind before it gives up on the pool.
const REFUSALS_MAX: u32 = 4;

/// Prequal (Wydrowski, Kleinberg, Rumble and Archer, NSDI 2024, arXiv 2312.10172): calls go to the
/// replica that is fastest and not hot, by the calls of all clients that it says it has in hand.
///
/// Each call has a few random endpoints probed ([`Picker::probe_targets`]), whose replies
/// ([`Picker::observe`]) serve later calls: a pick chooses in a pool of the latest 16, and waits for
/// none. A reply is used for a second at most, and, when there are more endpoints than the pool holds,
/// only as often as new ones come. While the pool holds fewer than two, picks are those of
/// [`PeakEwma`](super::PeakEwma); so are they when the replies are of replicas that fail calls, which
/// would look idle and fast.
#[derive(Debug, Default)]
pub struct Prequal {
    random: Random,
}

impl Prequal {
    /// Picks in an order that only the seed and the probes determine, for tests and simulations.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self { random: Random::new(seed) }
    }
}

impl Policy for Prequal {
    fn picker(&self, endpoints: &[Arc<Endpoint>], now: Instant) -> Box<dyn Picker> {
        Box::new(PrequalPicker {
            pool: ProbePool::new(endpoints.len(), now),
            reuse_budget: reuse_budget(endpoints.len()),
            fallback: PeakEwmaPicker::new(endpoints, self.random.fork()),
            random: self.random.fork(),
        })
    }

    fn probes(&self) -> bool {
        true
    }
}

struct PrequalPicker {
    pool: ProbePool,
    /// How often a reply is used, on average.
    reuse_budget: f64,
    fallback: PeakEwmaPicker,
    random: Random,
}

impl Picker for PrequalPicker {
    fn pick(&self, args: &PickArgs<'_>) -> Option<usize> {
        let mut excluded = 0;
        for _ in 0..REFUSALS_MAX {
            let (best, count) = self.pool.best(excluded, args.now);
            let Some(reply) = best.filter(|_| count >= REPLIES_MIN) else { break };
            if args.is_available(reply.index) && !is_failing(args, reply.index, reply.latency_s) {
                self.pool.consume(&reply, args.now);
                return Some(reply.index);
            }
            excluded |= reply.bit();
        }
        self.fallback.pick(args)
    }

    fn probe_targets(&self, args: &PickArgs<'_>) -> ProbeTargets {
        let mut targets = ProbeTargets::default();
        let count = args.endpoints.len();
        // Twice as many draws as probes: with few endpoints some fall on the same one, and then fewer do.
        for _ in 0..2 * PROBES_PER_CALL {
            if targets.count < PROBES_PER_CALL.min(count) {
                let index = self.random.below(count);
                if args.endpoints[index].is_available() {
                    targets.insert(index);
                }
            }
        }
        targets
    }

    fn observe(&self, index: usize, probe: Probe, now: Instant) {
        // A fraction of a use becomes a whole one as often as it says.
        let uses = (self.reuse_budget + self.random.fraction()) as u32;
        self.pool.insert(index, probe, uses, now);
    }
}

/// Whether calls to this endpoint failed so lately that its word, by which it is fast, is not to be taken.
fn is_failing(args: &PickArgs<'_>, index: usize, latency_s: f32) -> bool {
    args.endpoints[index].load().penalty(args.now) > f64::from(latency_s)
}

/// How often a reply may be used so that the pool neither runs empty nor grows stale (the paper's
/// equation 1); without bound where probes come too seldom for that.
fn reuse_budget(endpoints: usize) -> f64 {
    let unknown = 1.0 - POOL_SIZE as f64 / endpoints.max(1) as f64;
    let surplus = unknown * PROBES_PER_CALL as f64 - REMOVALS_PER_CALL;
    if surplus > 0.0 { ((1.0 + GROWTH_PER_CALL) / surplus).max(1.0) } else { f64::from(u32::MAX) }
}

#[cfg(test)]
#[path = "prequal_tests.rs"]
mod tests;
