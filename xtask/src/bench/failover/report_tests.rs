//! What the figures say of made-up rounds, and what the goals say of the figures.

use super::*;
use crate::bench::{
    drive::OpenLoopOutcome,
    failover::round::{Log, Runs},
};

const OK: i32 = 0;
const UNAVAILABLE: i32 = 14;

/// A call of 1 ms that is due so many milliseconds after the first.
fn call(number: usize, due_ms: u64, code: i32) -> Call {
    Call { number, due_us: due_ms * 1_000, latency_us: 1_000, code }
}

fn log(runs: &[(usize, usize, usize)]) -> Log {
    runs.iter().map(|&(number, begun, ended)| (number, Runs { begun, ended })).collect()
}

/// A kill that lasted from 2,000 to 2,010 ms.
fn killed(calls: Vec<Call>, logs: Vec<Log>) -> Figures {
    let outcome = OpenLoopOutcome { calls, streams_broken: 0, errors: Vec::new() };
    let round = Round { outcome, killed_us: Some((2_000_000, 2_010_000)), undrained: 0, logs };
    Figures::of(Event::KillOnce, &round)
}

fn row(event: Event, figures: Figures) -> Row {
    Row { event, client: Kind::Plexus, rounds: vec![figures] }
}

#[test]
fn a_call_that_only_the_killed_replica_had_may_fail() {
    let figures = killed(vec![call(0, 2_000, UNAVAILABLE)], vec![log(&[(0, 1, 0)]), log(&[])]);
    assert_eq!((figures.error_count(), figures.owed, figures.errors_not_owed), (1, 1, 0));
    let written_but_never_read = killed(vec![call(0, 2_009, UNAVAILABLE)], vec![log(&[]), log(&[])]);
    assert_eq!(written_but_never_read.errors_not_owed, 0);
    assert!(goal::missed(&row(Event::KillOnce, figures), &[]).is_none());
}

#[test]
fn a_call_that_failed_elsewhere_or_later_misses_the_goal() {
    let elsewhere = killed(vec![call(0, 2_000, UNAVAILABLE)], vec![log(&[]), log(&[(0, 1, 0)])]);
    let later = killed(vec![call(0, 2_016, UNAVAILABLE)], vec![log(&[]), log(&[])]);
    let earlier = killed(vec![call(0, 1_998, UNAVAILABLE)], vec![log(&[]), log(&[])]);
    for figures in [elsewhere, later, earlier] {
        assert_eq!(figures.errors_not_owed, 1);
        assert!(goal::missed(&row(Event::KillOnce, figures), &[]).is_some());
    }
}

#[test]
fn a_call_that_may_run_once_and_ran_on_two_replicas_is_found() {
    let calls = || vec![call(0, 0, OK), call(1, 1, OK)];
    let twice = killed(calls(), vec![log(&[(0, 1, 0), (1, 1, 1)]), log(&[(0, 1, 1)])]);
    assert_eq!(twice.ran_twice, 1);
    assert!((twice.attempts - 1.5).abs() < 1e-9);
    assert!(goal::missed(&row(Event::KillOnce, twice), &[]).is_some_and(|text| text.contains("twice")));
    let once = killed(calls(), vec![log(&[(0, 1, 1)]), log(&[(1, 1, 1)])]);
    assert_eq!(once.ran_twice, 0);
}

#[test]
fn latencies_are_those_of_all_calls_and_the_last_error_counts_from_the_event() {
    let mut calls: Vec<Call> = (0..1_000).map(|number| call(number, number as u64, OK)).collect();
    for slow in &mut calls[980..] {
        slow.latency_us = 1_000_000;
    }
    calls.push(Call { number: 1_000, due_us: 3_000_000, latency_us: 500_000, code: HANGS });
    let figures = killed(calls, vec![log(&[]), log(&[])]);
    assert!((figures.p50_ms - 1.0).abs() < 1e-9);
    assert!((figures.p99_ms - 1_000.0).abs() < 1e-9);
    assert_eq!(figures.last_error_ms, Some(1_500.0));
    assert_eq!(figures.errors.get("hangs"), Some(&1));
}

#[test]
fn with_nobody_to_call_a_call_ends_at_its_deadline() {
    let ended = |latency_us: u64, code: i32| {
        let calls = vec![Call { number: 0, due_us: 0, latency_us, code }];
        let outcome = OpenLoopOutcome { calls, streams_broken: 0, errors: Vec::new() };
        let round = Round { outcome, killed_us: None, undrained: 0, logs: Vec::new() };
        goal::missed(&row(Event::NoEndpoints, Figures::of(Event::NoEndpoints, &round)), &[]).is_none()
    };
    assert!(ended(1_019_000, UNAVAILABLE) && ended(981_000, UNAVAILABLE) && ended(1_000_000, 4));
    assert!(!ended(1_021_000, UNAVAILABLE) && !ended(500, UNAVAILABLE));
    assert!(!ended(1_000_000, OK) && !ended(1_000_000, 1));
}

#[test]
fn a_p99_is_judged_beside_that_of_the_quiet_run() {
    let with = |event: Event, latency_us: u64| {
        let calls = vec![Call { number: 0, due_us: 0, latency_us, code: OK }];
        let outcome = OpenLoopOutcome { calls, streams_broken: 0, errors: Vec::new() };
        let round = Round { outcome, killed_us: None, undrained: 0, logs: vec![log(&[(0, 1, 1)])] };
        row(event, Figures::of(event, &round))
    };
    let quiet = [with(Event::Quiet, 1_000), with(Event::FiveHealthy, 1_000)];
    assert!(goal::missed(&with(Event::Freeze, 2_000), &quiet).is_none());
    assert!(goal::missed(&with(Event::Freeze, 2_100), &quiet).is_some());
    assert!(goal::missed(&with(Event::OneSlow, 1_300), &quiet).is_none());
    assert!(goal::missed(&with(Event::OneSlow, 1_400), &quiet).is_some());
}

#[test]
fn an_event_brings_along_what_its_goal_compares_with() {
    assert_eq!(Event::with_what_they_need(&[Event::Freeze]), [Event::Quiet, Event::Freeze]);
    assert_eq!(Event::with_what_they_need(&[Event::KillOnce]), [Event::KillOnce]);
    assert_eq!(Event::with_what_they_need(&[]).len(), 12);
}
