//! How evenly subsets spread clients, and how little a change moves.

use proptest::prelude::*;

use super::*;

fn addresses(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("10.0.{}.{}:50051", number / 250, number % 250)).collect()
}

fn chosen<'a>(addresses: &[&'a str], seed: u64, size: usize) -> Vec<&'a str> {
    let size = NonZeroUsize::new(size).unwrap();
    let mut chosen: Vec<_> =
        subset(addresses, Client { seed }, size).into_iter().map(|index| addresses[index]).collect();
    chosen.sort_unstable();
    chosen
}

/// How many of the clients 0, 1, 2, ... each endpoint has.
fn clients_of_each(clients: u64, endpoints: usize, size: usize) -> Vec<u64> {
    let owned = addresses(endpoints);
    let addresses: Vec<&str> = owned.iter().map(String::as_str).collect();
    let mut counts = vec![0; endpoints];
    for seed in 0..clients {
        for index in subset(&addresses, Client { seed }, NonZeroUsize::new(size).unwrap()) {
            counts[index] += 1;
        }
    }
    counts
}

#[test]
fn clients_spread_as_independent_draws_do_and_as_documented() {
    let documented = [
        (10_000, 200, ["0.92", "1.08"]),
        (1_000, 100, ["0.81", "1.12"]),
        (100, 100, ["0.50", "1.50"]),
        (1_000, 1_000, ["0.35", "2.00"]),
    ];
    for (clients, endpoints, fewest_and_most) in documented {
        let counts = clients_of_each(clients, endpoints, 20);
        let share = 20.0 / endpoints as f64;
        let mean = clients as f64 * share;
        let extremes = [counts.iter().min().unwrap(), counts.iter().max().unwrap()];
        assert_eq!(extremes.map(|&count| format!("{:.2}", count as f64 / mean)), fewest_and_most);

        let variance = mean * (1.0 - share);
        let squares: f64 = counts.iter().map(|&count| (count as f64 - mean).powi(2)).sum();
        // Chi-square with about as many degrees of freedom as endpoints, in its standard deviations.
        let freedom = endpoints as f64;
        let excess = (squares / variance - freedom) / (2.0 * freedom).sqrt();
        assert!(excess.abs() < 5.0, "{excess} deviations from binomial");
    }
}

#[test]
fn the_choice_is_the_same_in_every_process_and_version() {
    let owned = addresses(10);
    let addresses: Vec<&str> = owned.iter().map(String::as_str).collect();
    // The reference value of XXH64 for no input; the places are from another implementation of it.
    assert_eq!(Client::named("").seed, 0xef46_db37_51d8_e999);
    let pod = subset(&addresses, Client::named("bridge-0"), NonZeroUsize::new(4).unwrap());
    assert_eq!(pod, [0, 2, 3, 4]);
}

proptest! {
    #[test]
    fn one_endpoint_less_moves_one_place_at_most(
        seed in any::<u64>(), count in 2_usize..60, size in 1_usize..30, gone in any::<prop::sample::Index>(),
    ) {
        let owned = addresses(count);
        let all: Vec<&str> = owned.iter().map(String::as_str).collect();
        let gone = gone.index(count);
        let fewer: Vec<&str> = all.iter().copied().filter(|address| *address != all[gone]).collect();
        let (before, after) = (chosen(&all, seed, size), chosen(&fewer, seed, size));
        prop_assert_eq!(before.len(), size.min(count));
        prop_assert_eq!(after.len(), size.min(count - 1));
        let kept = before.iter().filter(|address| after.contains(address)).count();
        prop_assert_eq!(kept, before.len() - usize::from(before.contains(&all[gone])));
    }

    #[test]
    fn the_order_of_the_addresses_changes_nothing(seed in any::<u64>(), size in 1_usize..20) {
        let owned = addresses(30);
        let forward: Vec<&str> = owned.iter().map(String::as_str).collect();
        let backward: Vec<&str> = forward.iter().rev().copied().collect();
        prop_assert_eq!(chosen(&forward, seed, size), chosen(&backward, seed, size));
    }

    #[test]
    fn the_chosen_are_the_least_by_hash(seed in any::<u64>(), count in 0_usize..40, size in 1_usize..50) {
        let owned = addresses(count);
        let all: Vec<&str> = owned.iter().map(String::as_str).collect();
        let mut ranked = all.clone();
        ranked.sort_by_key(|address| XxHash64::oneshot(seed, address.as_bytes()));
        ranked.truncate(size);
        ranked.sort_unstable();
        prop_assert_eq!(chosen(&all, seed, size), ranked);
    }
}
