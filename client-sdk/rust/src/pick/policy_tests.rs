//! What every policy promises, and how calls spread over replicas that differ.

use proptest::prelude::*;

use super::{fixture::*, *};
use crate::load::InFlight;

fn policies(seed: u64) -> Vec<Box<dyn Policy>> {
    vec![
        Box::new(PeakEwma::seeded(seed)),
        Box::new(LeastRequest::seeded(3, seed)),
        Box::new(RoundRobin::seeded(seed)),
        Box::new(WeightedRoundRobin::seeded(seed)),
        Box::new(RingHash::seeded(HashKey::Field(1), seed)),
        Box::new(Prequal::seeded(seed)),
    ]
}

proptest! {
    // Each case makes the pickers of all policies, a ring among them.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn only_an_available_untried_endpoint_is_picked_and_one_is_whenever_there_is_one(
        seed: u64,
        set in prop::collection::vec((any::<bool>(), any::<bool>(), 1_u32..5), 0..12),
        probed in prop::collection::vec((0_usize..12, 0_usize..9), 0..20),
    ) {
        let now = Instant::now();
        let endpoints = endpoints(&set.iter().map(|(_, _, weight)| *weight).collect::<Vec<_>>());
        let mut tried = Vec::new();
        for (endpoint, (is_available, is_tried, _)) in endpoints.iter().zip(&set) {
            set_available(endpoint, *is_available);
            tried.extend(is_tried.then(|| endpoint.address().clone()));
        }
        let wanted: Vec<_> = set.iter().map(|(is_available, is_tried, _)| *is_available && !is_tried).collect();
        for policy in policies(seed) {
            let picker = policy.picker(&endpoints, now);
            for &(index, in_flight) in &probed {
                picker.observe(index, Probe { in_flight, latency: Duration::from_millis(1) }, now);
            }
            for hash in [None, Some(seed)] {
                let args = PickArgs { hash, tried: &tried, ..args(&endpoints, now) };
                match picker.pick(&args) {
                    Some(index) => prop_assert!(wanted[index]),
                    None => prop_assert!(!wanted.contains(&true)),
                }
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_picks(seed: u64, weights in prop::collection::vec(1_u32..9, 1..9)) {
        let endpoints = endpoints(&weights);
        for (policy, twin) in policies(seed).iter().zip(policies(seed)) {
            let now = Instant::now();
            let (picker, twin) = (policy.picker(&endpoints, now), twin.picker(&endpoints, now));
            for _ in 0..50 {
                prop_assert_eq!(picker.pick(&args(&endpoints, now)), twin.pick(&args(&endpoints, now)));
            }
        }
    }
}

/// The value that chi-square of 4 degrees of freedom exceeds in one of a thousand runs.
const CHI_SQUARE_4: f64 = 18.47;

#[test]
fn at_rest_calls_follow_the_weights_under_every_random_policy() {
    for weights in [[1, 1, 1, 1, 1], [1, 2, 3, 4, 10]] {
        let endpoints = endpoints(&weights);
        for seed in 1..4 {
            let random: [Box<dyn Policy>; 3] = [
                Box::new(PeakEwma::seeded(seed)),
                Box::new(LeastRequest::seeded(2, seed)),
                Box::new(Prequal::seeded(seed)),
            ];
            for policy in random {
                let picks = picks(&*policy.picker(&endpoints, Instant::now()), &endpoints, 50_000);
                assert!(chi_square(&picks, &weights) < CHI_SQUARE_4, "{picks:?} for {weights:?}");
            }
        }
    }
}

#[test]
fn an_endpoint_in_slow_start_gets_that_part_of_its_share() {
    let mut endpoints = endpoints(&[1, 1, 1, 1]);
    endpoints.push(half_started(4));
    let policies: [Box<dyn Policy>; 3] = [
        Box::new(PeakEwma::seeded(5)),
        Box::new(LeastRequest::seeded(2, 5)),
        Box::new(RoundRobin::seeded(5)),
    ];
    for policy in policies {
        let picks = picks(&*policy.picker(&endpoints, Instant::now()), &endpoints, 50_000);
        let share = picks[4] as f64 / 50_000.0;
        assert!((0.09..0.13).contains(&share), "{picks:?}");
    }
}

#[test]
fn round_robin_takes_turns_and_skips_who_is_not_available() {
    let endpoints = endpoints(&[1, 1, 1, 1]);
    let picker = RoundRobin::seeded(1).picker(&endpoints, Instant::now());
    let first = picker.pick(&args(&endpoints, Instant::now())).unwrap();
    for offset in 1..9 {
        assert_eq!(picker.pick(&args(&endpoints, Instant::now())), Some((first + offset) % 4));
    }
    set_available(&endpoints[2], false);
    let picks = picks(&*picker, &endpoints, 400);
    assert_eq!((picks[2], picks.iter().max().unwrap() <= &202), (0, true), "{picks:?}");
}

#[test]
fn round_robin_gives_each_endpoint_its_exact_share() {
    let weights = [1, 2, 3, 4];
    let endpoints = endpoints(&weights);
    let picks = picks(&*RoundRobin::seeded(1).picker(&endpoints, Instant::now()), &endpoints, 10_000);
    for (count, weight) in picks.iter().zip(weights) {
        assert!(count.abs_diff(weight as usize * 1000) <= 2, "{picks:?}");
    }
}

#[test]
fn of_some_choices_least_request_takes_the_fewest_calls_per_weight() {
    let endpoints = endpoints(&[1, 1, 4]);
    let calls: Vec<InFlight> = [3, 2, 4]
        .iter()
        .zip(&endpoints)
        .flat_map(|(&calls, endpoint)| (0..calls).map(|_| endpoint.load().begin()))
        .collect();
    let picker = LeastRequest::seeded(10, 1).picker(&endpoints, Instant::now());
    assert_eq!(picks(&*picker, &endpoints, 100), [0, 0, 100]);
    drop(calls);
}

#[test]
fn of_two_endpoints_the_faster_and_less_loaded_is_picked_and_one_percent_is_a_tie() {
    let now = Instant::now();
    let shares = |millis: [f64; 2], calls: usize| {
        let endpoints = endpoints(&[1, 1]);
        for (endpoint, millis) in endpoints.iter().zip(millis) {
            endpoint.load().record(Duration::from_secs_f64(millis / 1000.0), now);
        }
        let _calls: Vec<_> = (0..calls).map(|_| endpoints[0].load().begin()).collect();
        let picker = PeakEwma::seeded(1).picker(&endpoints, now);
        let mut picks = [0_usize; 2];
        for _ in 0..1000 {
            picks[picker.pick(&args(&endpoints, now)).unwrap()] += 1;
        }
        picks
    };
    assert_eq!(shares([10.0, 12.0], 0), [1000, 0]);
    assert_eq!(shares([10.0, 12.0], 1), [0, 1000]);
    let even = shares([100.0, 100.5], 0);
    assert!(even[0].abs_diff(500) < 60, "{even:?}");
}

/// Ten seconds of a thousand calls per second, each as long as `answer` says of the endpoint's index:
/// how often each endpoint was picked.
fn simulate(policy: &dyn Policy, count: usize, answer: impl Fn(usize) -> Result<f64, f64>) -> Vec<usize> {
    let endpoints = endpoints(&vec![1; count]);
    let start = Instant::now();
    let picker = policy.picker(&endpoints, start);
    let mut picks = vec![0; count];
    let mut open: Vec<(Instant, usize, InFlight)> = Vec::new();
    for millisecond in 0..10_000 {
        let now = start + Duration::from_millis(millisecond);
        open.retain(|(end, index, _)| {
            if *end <= now {
                match answer(*index) {
                    Ok(seconds) => endpoints[*index].load().record(Duration::from_secs_f64(seconds), *end),
                    Err(seconds) => endpoints[*index].load().penalize(Duration::from_secs_f64(seconds), *end),
                }
            }
            *end > now
        });
        let index = picker.pick(&args(&endpoints, now)).unwrap();
        picks[index] += 1;
        let seconds = answer(index).unwrap_or_else(|seconds| seconds);
        open.push((after(now, seconds), index, endpoints[index].load().begin()));
    }
    picks
}

#[test]
fn a_replica_ten_times_slower_than_the_others_gets_few_calls() {
    let picks = simulate(&PeakEwma::seeded(1), 5, |index| Ok(if index == 0 { 0.05 } else { 0.005 }));
    assert!(picks[0] < 100, "{picks:?}");
    assert!(picks[1..].iter().all(|&calls| calls > 1000), "{picks:?}");
}

#[test]
fn a_replica_that_refuses_everything_at_once_attracts_no_calls() {
    for count in [2, 3, 10] {
        let picks =
            simulate(&PeakEwma::seeded(1), count, |index| if index == 0 { Err(0.0001) } else { Ok(0.005) });
        // One at the start, and one each time its penalty has faded.
        assert!((1..8).contains(&picks[0]), "{picks:?}");
    }
}

#[test]
fn a_replica_that_is_new_among_busy_ones_gets_its_first_call_at_once() {
    let now = Instant::now();
    let endpoints = endpoints(&[1, 1, 1]);
    for endpoint in &endpoints[..2] {
        endpoint.load().record(Duration::from_millis(1), now);
    }
    let picker = PeakEwma::seeded(1).picker(&endpoints, now);
    let first = (0..20).find(|_| picker.pick(&args(&endpoints, now)) == Some(2));
    assert!(first.is_some());
    let _call = endpoints[2].load().begin();
    assert_eq!(picks(&*picker, &endpoints, 100)[2], 0);
}

#[test]
fn a_replica_that_was_slow_once_is_tried_again() {
    let start = Instant::now();
    let endpoints = endpoints(&[1, 1]);
    endpoints[0].load().record(Duration::from_secs(1), start);
    let picker = PeakEwma::seeded(1).picker(&endpoints, start);
    let tried = (0..120).find(|&second| {
        let now = start + Duration::from_secs(second);
        endpoints[1].load().record(Duration::from_millis(1), now);
        picker.pick(&args(&endpoints, now)) == Some(0)
    });
    // ln(1 s / 1 ms) times 10 s.
    assert!((60..75).contains(&tried.unwrap()), "{tried:?}");
}
