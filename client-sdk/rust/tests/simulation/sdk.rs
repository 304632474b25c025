//! The channel under test. All that the simulation knows of the SDK's settings and promises is here.

use std::time::Duration;

use plexus_client::{Channel, ManualResolver, backoff::BackoffPolicy};

use crate::network::SimulatedTcp;

/// Shorter than the default of 120 s, so that a run shows within a minute that replicas come back.
pub(crate) const BACKOFF_MAX: Duration = Duration::from_secs(4);

/// Whether the channel repeats a read that a replica took along when it died.
pub(crate) const REPEATS_READS: bool = true;

/// What all servers together may be asked, as a share of the calls.
pub(crate) const ATTEMPTS_PER_CALL_MAX: f64 = 1.2;
/// What they may be asked beyond that in one run: the part of the budget that does not depend on calls.
pub(crate) const ATTEMPTS_FREE: f64 = 0.0;
/// What one call may ask.
pub(crate) const ATTEMPTS_OF_ONE_CALL_MAX: usize = 5;

/// A larger request that was refused is not sent again.
pub(crate) const REPLAY_BYTES_MAX: usize = 1024 * 1024;

pub(crate) fn channel(seed: u64, resolver: ManualResolver) -> Channel {
    let backoff = BackoffPolicy { max: BACKOFF_MAX, ..BackoffPolicy::default() };
    Channel::builder("simulation")
        .resolver(resolver)
        .connector(SimulatedTcp)
        .backoff(backoff)
        .seed(seed)
        .idempotent("/simulation.Reader/*")
        .unwrap()
        .build()
}
