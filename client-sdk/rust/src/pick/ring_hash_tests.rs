//! The ring: which keys move and which do not, shares by weight, and the search against a slow one.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{super::fixture::*, *};

fn ring(weighted: &[(String, u32)]) -> Ring {
    Ring::new(&weighted.iter().map(|(address, weight)| (address.as_str(), *weight)).collect::<Vec<_>>())
}

fn set(weights: &[u32]) -> Vec<(String, u32)> {
    weights.iter().enumerate().map(|(number, &weight)| (format!("10.0.0.{number}:50051"), weight)).collect()
}

fn key_hashes(count: u64) -> impl Iterator<Item = u64> {
    (0..count).map(|key| hash(&key.to_le_bytes()))
}

/// The address that gets this key.
fn owner<'a>(ring: &Ring, set: &'a [(String, u32)], key: u64) -> &'a str {
    &set[ring.owners_from(key).next().unwrap()].0
}

proptest! {
    // Each case makes rings of thousands of points.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn removing_one_moves_only_its_keys_and_adding_one_only_to_it(
        count in 2_usize..40, weight in 1_u32..200, removed in any::<prop::sample::Index>(),
    ) {
        let all = set(&vec![weight; count]);
        let mut fewer = all.clone();
        let (gone, _) = fewer.remove(removed.index(count));
        let (ring_of_all, ring_of_fewer) = (ring(&all), ring(&fewer));
        let keys = 2000;
        let mut moved = 0.0;
        for key in key_hashes(keys) {
            let (before, after) = (owner(&ring_of_all, &all, key), owner(&ring_of_fewer, &fewer, key));
            if before == gone {
                moved += 1.0;
            } else {
                prop_assert_eq!(before, after);
            }
        }
        // One of n moves, within five deviations of what 160 points and 2,000 keys allow.
        let share = 1.0 / count as f64;
        let tolerance = 5.0 * share * (1.0 / 160.0 + 1.0 / (share * keys as f64)).sqrt();
        prop_assert!((moved / keys as f64 - share).abs() < tolerance, "{moved} of {keys} for one of {count}");
    }

    #[test]
    fn the_search_is_that_of_a_sorted_map(
        weights in prop::collection::vec(1_u32..20, 1..12), keys in prop::collection::vec(any::<u64>(), 50),
    ) {
        let set = set(&weights);
        let ring = ring(&set);
        let model: BTreeMap<_, _> = ring.hashes.iter().copied().zip(ring.owners.iter().copied()).collect();
        prop_assert_eq!(model.len(), ring.hashes.len());
        let edges = [0, u64::MAX, ring.hashes[0], ring.hashes[0] + 1, ring.hashes[ring.hashes.len() - 1]];
        for key in keys.into_iter().chain(edges) {
            let expected: Vec<_> =
                model.range(key..).chain(model.range(..key)).map(|(_, &owner)| owner as usize).collect();
            prop_assert_eq!(ring.owners_from(key).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn a_key_of_an_unavailable_endpoint_goes_where_it_would_go_without_it(
        count in 2_usize..12, lost in any::<prop::sample::Index>(), keys in prop::collection::vec(any::<u64>(), 50),
    ) {
        let now = Instant::now();
        let lost = lost.index(count);
        let endpoints = endpoints(&vec![1; count]);
        let mut rest = endpoints.clone();
        rest.remove(lost);
        let policy = RingHash::seeded(HashKey::Field(1), 1);
        let (whole, without) = (policy.picker(&endpoints, now), policy.picker(&rest, now));
        set_available(&endpoints[lost], false);
        for key in keys {
            let pick = whole.pick(&PickArgs { hash: Some(key), ..args(&endpoints, now) }).unwrap();
            let other = without.pick(&PickArgs { hash: Some(key), ..args(&rest, now) }).unwrap();
            prop_assert!(Arc::ptr_eq(&endpoints[pick], &rest[other]));
        }
    }
}

#[test]
fn shares_follow_the_weights() {
    let set = set(&[1, 1, 2, 4]);
    let ring = ring(&set);
    let mut counts = [0_usize; 4];
    for key in key_hashes(80_000) {
        counts[ring.owners_from(key).next().unwrap()] += 1;
    }
    for (count, weight) in counts.into_iter().zip([1, 1, 2, 4]) {
        assert!(count.abs_diff(10_000 * weight) < 2000 * weight, "{counts:?}");
    }
}

#[test]
fn points_are_those_that_grpc_makes_and_the_ring_stays_within_its_bound() {
    let point = (hash(b"10.0.0.0:50051_7"), 0);
    assert!(points(&[("10.0.0.0:50051", 1)]).contains(&point));
    assert_eq!(points(&[("a:1", 100), ("b:1", 300)]).len(), 640);
    for weights in [vec![1; 1000], vec![u32::MAX, 1, 7]] {
        let size = ring(&set(&weights)).hashes.len();
        assert!((20_000..=65_540).contains(&size), "{size}");
    }
}

#[test]
fn calls_without_the_key_go_everywhere() {
    let endpoints = endpoints(&[1, 1, 1]);
    let picker = RingHash::seeded(HashKey::Field(1), 1).picker(&endpoints, Instant::now());
    let picks = picks(&*picker, &endpoints, 3000);
    assert!(picks.iter().all(|&count| count > 600), "{picks:?}");
}

#[test]
fn the_last_available_endpoint_of_a_large_set_is_found() {
    let endpoints = endpoints(&vec![1; 1000]);
    endpoints.iter().skip(1).for_each(|endpoint| set_available(endpoint, false));
    let picker = RingHash::seeded(HashKey::Field(1), 1).picker(&endpoints, Instant::now());
    assert!(picks(&*picker, &endpoints, 100)[0] == 100);
}
