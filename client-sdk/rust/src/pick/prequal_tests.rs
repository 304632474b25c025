//! Prequal as a whole: probes steer calls, failures overrule probes, and without probes it is P2C.

use std::time::Duration;

use super::{super::fixture::*, *};

fn probe(in_flight: usize, millis: u64) -> Probe {
    Probe { in_flight, latency: Duration::from_millis(millis) }
}

#[test]
fn calls_go_where_the_probes_say_until_calls_in_flight_make_it_hot() {
    let now = Instant::now();
    let endpoints = endpoints(&[1; 5]);
    let picker = Prequal::seeded(1).picker(&endpoints, now);
    for index in 0..5 {
        picker.observe(index, probe(3, if index == 2 { 5 } else { 50 }), now);
    }
    assert_eq!(picker.pick(&args(&endpoints, now)), Some(2));
    // The pick itself made it the hottest of all.
    assert_ne!(picker.pick(&args(&endpoints, now)), Some(2));
}

#[test]
fn a_replica_that_fails_calls_does_not_win_by_looking_idle() {
    let now = Instant::now();
    let endpoints = endpoints(&[1; 3]);
    let picker = Prequal::seeded(1).picker(&endpoints, now);
    picker.observe(0, probe(0, 0), now);
    picker.observe(1, probe(3, 10), now);
    picker.observe(2, probe(3, 10), now);
    assert_eq!(picker.pick(&args(&endpoints, now)), Some(0));
    endpoints[0].load().penalize(Duration::from_micros(100), now);
    assert_eq!(picks(&*picker, &endpoints, 100)[0], 0);
}

#[test]
fn old_replies_or_too_few_leave_the_choice_to_latency() {
    let now = Instant::now();
    let endpoints = endpoints(&[1; 2]);
    endpoints[0].load().record(Duration::from_millis(1), now);
    endpoints[1].load().record(Duration::from_millis(9), now);
    let picker = Prequal::seeded(1).picker(&endpoints, now);
    picker.observe(1, probe(0, 1), now);
    assert_eq!(picker.pick(&args(&endpoints, now)), Some(0));
    picker.observe(0, probe(0, 5), now);
    assert_eq!(picker.pick(&args(&endpoints, now)), Some(1));
    assert_eq!(picker.pick(&args(&endpoints, now + Duration::from_secs(1))), Some(0));
}

#[test]
fn each_call_probes_three_different_available_endpoints_evenly() {
    let endpoints = endpoints(&[1; 6]);
    set_available(&endpoints[5], false);
    let picker = Prequal::seeded(1).picker(&endpoints, Instant::now());
    let mut counts = vec![0; 6];
    for _ in 0..10_000 {
        let targets: Vec<_> = picker.probe_targets(&args(&endpoints, Instant::now())).into_iter().collect();
        assert!(targets.len() <= PROBES_PER_CALL);
        assert!((1..targets.len()).all(|at| !targets[..at].contains(&targets[at])), "{targets:?}");
        targets.iter().for_each(|&index| counts[index] += 1);
    }
    assert_eq!(counts.pop(), Some(0));
    assert!(counts.iter().sum::<usize>() > 28_000, "{counts:?}");
    assert!(chi_square(&counts, &[1; 5]) < 18.47, "{counts:?}");
}

#[test]
fn other_policies_and_sets_without_a_choice_ask_for_no_probe() {
    let now = Instant::now();
    let endpoints = endpoints(&[1; 3]);
    let picker = super::super::PeakEwma::seeded(1).picker(&endpoints, now);
    assert_eq!(picker.probe_targets(&args(&endpoints, now)).into_iter().count(), 0);
    assert_eq!(Prequal::seeded(1).picker(&[], now).probe_targets(&args(&[], now)).into_iter().count(), 0);
}

#[test]
fn the_reuse_budget_is_that_of_the_paper_s_equation() {
    // (1 + 1) / ((1 - 16/100) x 3 - 1)
    assert!((reuse_budget(100) - 2.0 / 1.52).abs() < 1e-9);
    assert!((reuse_budget(1_000_000) - 1.0).abs() < 1e-4);
    assert!(reuse_budget(16) > 1e9 && reuse_budget(0) > 1e9);
}
