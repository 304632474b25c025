//! Which replica carries the next call: the policies, and the two traits behind which they stand.
//!
//! | policy | choose it when |
//! |---|---|
//! | [`PeakEwma`] | nothing is known: fast replicas get more calls, slow and failing ones few |
//! | [`LeastRequest`] | calls differ widely in length, so that latency says little |
//! | [`RoundRobin`] | every replica shall get its exact share |
//! | [`WeightedRoundRobin`] | replicas report their load (ORCA), and many clients share them |
//! | [`RingHash`] | calls of one session shall meet the same replica |
//! | [`Prequal`] | replicas answer probes, and their load is not what one client causes |
//!
//! As in gRPC, a [`Policy`] makes a [`Picker`] for each set of endpoints, and picks neither wait, nor
//! lock, nor allocate.

mod hash_key;
mod least_request;
mod peak_ewma;
mod prequal;
mod probe_pool;
mod ring_hash;
mod round_robin;
mod sampler;
mod stride;
mod weighted_round_robin;

#[cfg(test)]
mod allocation_tests;
#[cfg(test)]
mod fixture;

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{address::Address, endpoint::Endpoint};

pub use hash_key::HashKey;
pub use least_request::LeastRequest;
pub use peak_ewma::PeakEwma;
pub use prequal::{PROBES_PER_CALL, Prequal};
pub use ring_hash::RingHash;
pub use round_robin::RoundRobin;
pub use weighted_round_robin::WeightedRoundRobin;

/// How the endpoint for a call is chosen: makes a [`Picker`] for each set of endpoints.
pub trait Policy: Send + Sync + 'static {
    /// A picker for these endpoints, which may be none.
    fn picker(&self, endpoints: &[Arc<Endpoint>], now: Instant) -> Box<dyn Picker>;

    /// How often a new picker is to be made though the set has not changed; `None` for never.
    fn refresh_interval(&self) -> Option<Duration> {
        None
    }

    /// Whether its pickers name endpoints to be probed ([`Picker::probe_targets`]); if not, they are not
    /// asked. Default: no.
    fn probes(&self) -> bool {
        false
    }

    /// What of a request decides where it goes; the channel puts its hash into [`PickArgs::hash`].
    fn hash_key(&self) -> Option<&HashKey> {
        None
    }
}

/// Chooses among the endpoints for which it was made.
pub trait Picker: Send + Sync + 'static {
    /// The index of an available endpoint ([`PickArgs::is_available`]); `None` only when there is none.
    ///
    /// It is on the path of every call: no lock, no allocation, no wait.
    fn pick(&self, args: &PickArgs<'_>) -> Option<usize>;

    /// The indices of the endpoints to be probed because of this call, after it was sent. It is asked
    /// when [`Policy::probes`] says so.
    ///
    /// A probe is a `grpc.health.v1.Health/Check` on a connection to the endpoint. It is left out while
    /// another one of the same endpoint is under way.
    fn probe_targets(&self, _args: &PickArgs<'_>) -> ProbeTargets {
        ProbeTargets::default()
    }

    /// Takes the answer to a probe of the endpoint with this index; there is none when it fails, takes too
    /// long, or says that the endpoint does not serve.
    fn observe(&self, _index: usize, _probe: Probe, _now: Instant) {}
}

/// One pick (gRPC's term): what a [`Picker`] sees of it.
#[derive(Clone, Copy, Debug)]
pub struct PickArgs<'a> {
    /// The endpoints for which the picker was made, in the same order.
    pub endpoints: &'a [Arc<Endpoint>],
    /// Endpoints that this call has met before and does not want again.
    pub tried: &'a [Address],
    /// The hash of what [`Policy::hash_key`] names; `None` when the request has no such thing.
    pub hash: Option<u64>,
    /// The time of the pick.
    pub now: Instant,
}

impl PickArgs<'_> {
    /// Whether the endpoint with this index takes a call now, and this call has not met it before.
    #[must_use]
    pub fn is_available(&self, index: usize) -> bool {
        self.endpoints.get(index).is_some_and(|endpoint| {
            endpoint.is_available() && (self.tried.is_empty() || !self.tried.contains(endpoint.address()))
        })
    }

    /// The first available endpoint from this index on, around the end: the way out for a picker whose
    /// own choices are not available.
    #[must_use]
    pub fn next_available(&self, index: usize) -> Option<usize> {
        let count = self.endpoints.len();
        let start = index.min(count);
        (start..count).chain(0..start).find(|&index| self.is_available(index))
    }
}

/// What an endpoint answered to a probe (Prequal, section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Calls of all clients that the replica has in hand, by the named metric `in_flight` of its
    /// [load report](crate::load_report); without one, those of this channel.
    pub in_flight: usize,
    /// What a call takes at present, as this channel measures it; what the probe took, while no call has
    /// been answered.
    pub latency: Duration,
}

/// The most endpoints to be probed because of one call.
const PROBE_TARGETS_MAX: usize = 4;

/// Up to four indices of endpoints, without an allocation.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProbeTargets {
    indices: [usize; PROBE_TARGETS_MAX],
    count: usize,
}

impl ProbeTargets {
    /// Adds an index unless it is there already or no place is left.
    pub fn insert(&mut self, index: usize) {
        if self.count < PROBE_TARGETS_MAX && !self.indices[..self.count].contains(&index) {
            self.indices[self.count] = index;
            self.count += 1;
        }
    }
}

impl IntoIterator for ProbeTargets {
    type Item = usize;
    type IntoIter = std::iter::Take<std::array::IntoIter<usize, PROBE_TARGETS_MAX>>;

    fn into_iter(self) -> Self::IntoIter {
        self.indices.into_iter().take(self.count)
    }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
