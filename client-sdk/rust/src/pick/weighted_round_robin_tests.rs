//! The weights of A58: which reports count, since when and how long, and what calls follow from them.

use super::{super::fixture::*, *};
use crate::load_report::LoadReport;

fn report(endpoint: &Endpoint, [rps, utilization, eps]: [f64; 3], now: Instant) {
    let report =
        LoadReport { rps_fractional: rps, application_utilization: utilization, eps, ..Default::default() };
    endpoint.load().report().record(&report, now);
}

/// Picks at this time, ten thousand of them.
fn picks_at(endpoints: &[Arc<Endpoint>], now: Instant) -> Vec<usize> {
    picks(&*WeightedRoundRobin::seeded(1).picker(endpoints, now), endpoints, 10_000)
}

fn assert_shares(picks: &[usize], shares: &[usize]) {
    let near = picks.iter().zip(shares).all(|(pick, share)| pick.abs_diff(*share) <= 5);
    assert!(near, "{picks:?} for {shares:?}");
}

#[test]
fn calls_follow_requests_per_utilization_exactly_and_the_silent_get_the_mean() {
    let start = after(Instant::now(), 1.0);
    let endpoints: Vec<_> = (0..4).map(|number| ready_at(number, start)).collect();
    for seconds in [0.0, 10.0] {
        report(&endpoints[0], [100.0, 1.0, 0.0], after(start, seconds));
        report(&endpoints[1], [100.0, 0.5, 0.0], after(start, seconds));
        report(&endpoints[2], [150.0, 0.5, 0.0], after(start, seconds));
    }
    assert_shares(&picks_at(&endpoints, after(start, 10.0)), &[1250, 2500, 3750, 2500]);
}

#[test]
fn errors_count_as_utilization() {
    let start = after(Instant::now(), 1.0);
    let endpoints: Vec<_> = (0..2).map(|number| ready_at(number, start)).collect();
    report(&endpoints[0], [100.0, 0.5, 0.0], start);
    report(&endpoints[1], [100.0, 0.5, 50.0], start);
    assert_shares(&picks_at(&endpoints, after(start, 10.0)), &[6667, 3333]);
}

#[test]
fn a_report_counts_after_the_blackout_until_it_expires_and_then_there_is_a_blackout_again() {
    let start = after(Instant::now(), 1.0);
    let endpoints: Vec<_> = (0..2).map(|number| ready_at(number, start)).collect();
    let report_both = |seconds: f64| {
        report(&endpoints[0], [100.0, 1.0, 0.0], after(start, seconds));
        report(&endpoints[1], [300.0, 1.0, 0.0], after(start, seconds));
    };
    let (even, weighted) = ([5000, 5000], [2500, 7500]);
    report_both(5.0);
    assert_shares(&picks_at(&endpoints, after(start, 14.9)), &even);
    assert_shares(&picks_at(&endpoints, after(start, 15.0)), &weighted);
    assert_shares(&picks_at(&endpoints, after(start, 184.9)), &weighted);
    assert_shares(&picks_at(&endpoints, after(start, 185.0)), &even);
    report_both(186.0);
    assert_shares(&picks_at(&endpoints, after(start, 195.9)), &even);
    assert_shares(&picks_at(&endpoints, after(start, 196.0)), &weighted);
}

#[test]
fn what_a_replica_said_before_it_was_connected_anew_does_not_count() {
    let start = after(Instant::now(), 1.0);
    let endpoints: Vec<_> = (0..2).map(|number| ready_at(number, after(start, 20.0))).collect();
    report(&endpoints[0], [100.0, 1.0, 0.0], start);
    report(&endpoints[1], [300.0, 1.0, 0.0], start);
    assert_shares(&picks_at(&endpoints, after(start, 31.0)), &[5000, 5000]);
    report(&endpoints[0], [100.0, 1.0, 0.0], after(start, 21.0));
    report(&endpoints[1], [300.0, 1.0, 0.0], after(start, 21.0));
    assert_shares(&picks_at(&endpoints, after(start, 29.9)), &[5000, 5000]);
    assert_shares(&picks_at(&endpoints, after(start, 30.0)), &[2500, 7500]);
}

#[test]
fn weights_are_computed_anew_each_second_and_never_faster_than_the_floor() {
    let mut policy = WeightedRoundRobin::default();
    assert_eq!(policy.refresh_interval(), Some(Duration::from_secs(1)));
    policy.weight_update_period = Duration::ZERO;
    assert_eq!(policy.refresh_interval(), Some(UPDATE_INTERVAL_MIN));
}
