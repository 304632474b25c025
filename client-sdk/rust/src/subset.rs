//! Which endpoints of a large fleet one client connects to (rendezvous hashing, gRFC A68).
//!
//! With 1,000 clients and 1,000 endpoints a full mesh is a million connections, nearly all idle. Each
//! client takes the endpoints whose hash, seeded by the client, is least. No client needs to know of
//! another, and a client whose seed stays returns to the same endpoints after a restart.
//!
//! - Movement: an endpoint that comes or goes changes at most one place of any subset.
//! - Balance: the clients of an endpoint are binomially distributed, with mean `clients x size /
//!   endpoints` and a standard deviation below the root of the mean. So the spread follows from the
//!   mean alone; measured, with the fewest and the most clients of any endpoint as parts of the mean:
//!
//! | clients | endpoints | size | mean | fewest | most |
//! |---|---|---|---|---|---|
//! | 10,000 | 200 | 20 | 1,000 | 0.92 | 1.08 |
//! | 1,000 | 100 | 20 | 200 | 0.81 | 1.12 |
//! | 100 | 100 | 20 | 20 | 0.50 | 1.50 |
//! | 1,000 | 1,000 | 20 | 20 | 0.35 | 2.00 |
//!
//! These are connections, not calls: a picker that goes by load takes fewer calls from each client of
//! a crowded endpoint. Where the mean would be below about 100, prefer a larger size.
//!
//! The alternatives balance exactly: Google's round-based subsets (Site Reliability Engineering,
//! chapter 20) and Twitter's deterministic aperture. But they need an index for each client without
//! gaps or doubles, kept in step over the whole fleet, and move many connections whenever a count
//! changes. gRFC A68 considered them and took hashing as well.

use std::num::NonZeroUsize;

use twox_hash::XxHash64;

/// A size that suits most fleets (Finagle's least aperture is 12, Google's book has 20 to 100): small
/// enough to matter, and large enough that losing some of them leaves enough and chance evens out.
pub const SUBSET_SIZE: NonZeroUsize = NonZeroUsize::MIN.saturating_add(19);

/// The places in `addresses` of this client's endpoints, ascending; all of them when there are not more
/// than `size`. It depends on neither the order of the addresses nor the process nor the version.
///
/// Priority levels are to be subset each by itself, or a client may miss the best level altogether.
#[must_use]
pub fn subset(addresses: &[&str], client: Client, size: NonZeroUsize) -> Vec<usize> {
    let mut ranked: Vec<(u64, &str, usize)> = addresses
        .iter()
        .enumerate()
        .map(|(index, address)| (XxHash64::oneshot(client.seed, address.as_bytes()), *address, index))
        .collect();
    if size.get() < ranked.len() {
        ranked.select_nth_unstable(size.get());
        ranked.truncate(size.get());
    }
    let mut indices: Vec<usize> = ranked.into_iter().map(|(_, _, index)| index).collect();
    indices.sort_unstable();
    indices
}

/// Who chooses. Clients with different seeds choose independently of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// What its hashes begin with.
    pub seed: u64,
}

impl Client {
    /// The client of this name, such as its pod's. One that keeps its name keeps its endpoints.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { seed: XxHash64::oneshot(0, name.as_bytes()) }
    }
}

#[cfg(test)]
#[path = "subset_tests.rs"]
mod tests;
