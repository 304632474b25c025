//! The whole mesh: real processes, real sockets, everything through the front door.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test ends at the first thing that goes wrong"
)]

mod durability;
mod failover;
mod metrics;
mod outages;
mod process;
mod shutdown;
mod split;
mod tour;
mod trace;
