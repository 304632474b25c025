//! The policy that keeps calls of one key with one replica.

use std::sync::Arc;

use tokio::time::Instant;

use super::{HashKey, PickArgs, Picker, Policy, hash_key::hash};
use crate::{endpoint::Endpoint, random::Random};

/// Points on the ring for each unit of weight (as in ketama): shares then differ by some 8 %.
const POINTS_PER_WEIGHT: f64 = 160.0;

/// The most points of a ring, if there are not even more endpoints: 12 bytes each, and a few
/// milliseconds to make. Beyond it each weight gets half as many, and half again. (A42 lets a
/// configuration ask for 8 Mi, and clients cap it at 4,096.)
const RING_SIZE_MAX: f64 = 65_536.0;

/// How many points a pick walks on over endpoints that are not available. When half of them are not,
/// that many in a row do not occur; with none left, the walk ends here.
const WALK_MAX: usize = 1024;

/// Consistent hashing (gRFC A42, with the request's key as in A76).
///
/// Endpoints have points on a ring, and a call goes to the first point from the hash of its key on. When that endpoint is not available
/// the call walks on, so that only the keys of a lost endpoint move, each to the same other one.
///
/// Calls without the key go to a random point. Points are XXH64 of `address_0`, `address_1` and so on,
/// as in A42. Unlike there, their number per weight does not depend on how many endpoints there are:
/// in A42's ring of 1,024 points an endpoint less means more points for the others, and moves as many
/// of their keys again.
#[derive(Debug)]
pub struct RingHash {
    key: HashKey,
    random: Random,
}

impl RingHash {
    /// Calls with the same value of this key meet the same endpoint.
    #[must_use]
    pub fn new(key: HashKey) -> Self {
        Self { key, random: Random::default() }
    }

    /// Sends calls without the key in an order that only the seed determines, for tests and simulations.
    #[must_use]
    pub fn seeded(key: HashKey, seed: u64) -> Self {
        Self { key, random: Random::new(seed) }
    }
}

impl Policy for RingHash {
    fn picker(&self, endpoints: &[Arc<Endpoint>], _now: Instant) -> Box<dyn Picker> {
        let weighted: Vec<_> =
            endpoints.iter().map(|endpoint| (endpoint.address().as_str(), endpoint.weight())).collect();
        Box::new(RingPicker { ring: Ring::new(&weighted), random: self.random.fork() })
    }

    fn hash_key(&self) -> Option<&HashKey> {
        Some(&self.key)
    }
}

#[derive(Debug)]
struct RingPicker {
    ring: Ring,
    random: Random,
}

impl Picker for RingPicker {
    fn pick(&self, args: &PickArgs<'_>) -> Option<usize> {
        let hash = args.hash.unwrap_or_else(|| self.random.next());
        let mut owners = self.ring.owners_from(hash);
        let owner = owners.next()?;
        if args.is_available(owner) {
            return Some(owner);
        }
        let next = owners.take(WALK_MAX).find(|&other| other != owner && args.is_available(other));
        next.or_else(|| args.next_available(owner))
    }
}

/// The points in the order of their hashes.
#[derive(Debug)]
struct Ring {
    hashes: Vec<u64>,
    owners: Vec<u32>,
    /// For each value of a hash's leading bits where such hashes begin: hashes are spread evenly, so
    /// that a search ends within a step or two, however large the ring is.
    starts: Vec<u32>,
    shift: u32,
}

impl Ring {
    fn new(weighted: &[(&str, u32)]) -> Self {
        let mut points = points(weighted);
        points.sort_unstable();
        let (hashes, owners): (Vec<_>, Vec<_>) = points.into_iter().unzip();
        let bits = hashes.len().next_power_of_two().ilog2().max(1);
        let shift = u64::BITS - bits;
        let starts = (0..1_u64 << bits)
            .map(|lead| hashes.partition_point(|&hash| hash >> shift < lead) as u32)
            .collect();
        Self { hashes, owners, starts, shift }
    }

    /// Once around the ring from the first point that is not before the hash.
    fn owners_from(&self, hash: u64) -> impl Iterator<Item = usize> {
        let lead = self.starts[(hash >> self.shift) as usize] as usize;
        let start = lead + self.hashes[lead..].iter().take_while(|&&point| point < hash).count();
        let (before, after) = self.owners.split_at(start);
        after.iter().chain(before).map(|&owner| owner as usize)
    }
}

fn points(weighted: &[(&str, u32)]) -> Vec<(u64, u32)> {
    // Weights of 100 each shall make the same ring as weights of 1.
    let divisor = weighted.iter().map(|(_, weight)| *weight).fold(0, greatest_common_divisor).max(1);
    let total: f64 = weighted.iter().map(|(_, weight)| f64::from(weight / divisor)).sum();
    let mut per_weight = POINTS_PER_WEIGHT;
    while total * per_weight > RING_SIZE_MAX {
        // By halves, so that the points that stay are where they were.
        per_weight /= 2.0;
    }
    let mut points = Vec::new();
    let mut text = String::new();
    for (owner, (address, weight)) in weighted.iter().enumerate() {
        let count = (f64::from(weight / divisor) * per_weight).round().max(1.0) as u32;
        for number in 0..count {
            text.clear();
            text.push_str(address);
            text.push('_');
            text.push_str(&number.to_string());
            points.push((hash(text.as_bytes()), owner as u32));
        }
    }
    points
}

fn greatest_common_divisor(mut one: u32, mut other: u32) -> u32 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

#[cfg(test)]
#[path = "ring_hash_tests.rs"]
mod tests;
