//! What a load promises to pickers: peaks, decay, penalties, first calls, and no lost update.

use proptest::prelude::*;

use super::*;

/// Within what an f32 and a clock of milliseconds lose.
fn assert_near(actual: f64, expected: f64) {
    assert!((actual - expected).abs() <= expected.abs() * 1e-3 + 1e-9, "{actual} for {expected}");
}

fn after(start: Instant, seconds: f64) -> Instant {
    start + Duration::from_secs_f64(seconds)
}

#[test]
fn a_peak_counts_at_once_and_fades_with_time() {
    let start = Instant::now();
    let load = Load::new(start);
    load.record(Duration::from_millis(1), start);
    load.record(Duration::from_secs(2), start);
    assert_near(load.cost(1, start), 2.0);
    let later = start + LATENCY_DECAY;
    assert_near(load.cost(1, later), 2.0 * (-1.0_f64).exp());
    load.record(Duration::from_millis(1), later);
    assert_near(load.cost(1, later), 2.0 * (-1.0_f64).exp() + 0.001 * (1.0 - (-1.0_f64).exp()));
}

#[test]
fn calls_in_flight_multiply_the_cost_until_they_end_and_weight_divides_them() {
    let start = Instant::now();
    let load = Arc::new(Load::new(start));
    load.record(Duration::from_millis(10), start);
    let calls = [load.begin(), load.begin(), load.begin(), load.begin()];
    assert_near(load.cost(1, start), 0.05);
    assert_near(load.cost(2, start), 0.03);
    drop(calls);
    assert_near(load.cost(2, start), 0.01);
    assert_eq!(load.in_flight(), 0);
}

#[test]
fn a_replica_that_never_answered_gets_one_call_and_no_herd() {
    let start = Instant::now();
    let load = Arc::new(Load::new(start));
    assert_near(load.cost(1, start), 0.0);
    let call = load.begin();
    assert_near(load.cost(1, start), 2.0 * LATENCY_DEFAULT.as_secs_f64());
    load.record(Duration::from_millis(1), start);
    drop(call);
    assert_near(load.cost(1, start), 0.001);
}

#[test]
fn a_fast_failure_never_looks_like_a_fast_replica() {
    let start = Instant::now();
    let (failing, slow) = (Load::new(start), Load::new(start));
    slow.record(Duration::from_secs(4), start);
    failing.penalize(Duration::from_micros(100), start);
    assert!(failing.cost(1, start) > slow.cost(1, start));
    // Answers between its failures do not help it.
    failing.record(Duration::from_micros(100), start);
    assert_near(failing.cost(1, start), PENALTY.as_secs_f64());
    assert_near(failing.penalty(start), PENALTY.as_secs_f64());
}

#[test]
fn a_replica_that_failed_is_tried_again_within_nine_seconds() {
    let start = Instant::now();
    let load = Load::new(start);
    load.record(Duration::from_millis(1), start);
    load.penalize(Duration::ZERO, start);
    assert!(load.cost(1, after(start, 8.0)) > 0.001);
    assert!(load.cost(1, after(start, 9.0)) < 0.001);
}

#[test]
fn an_attempt_given_up_late_counts_as_long_as_it_took_and_a_later_penalty_never_lowers_it() {
    let start = Instant::now();
    let load = Load::new(start);
    load.penalize(Duration::from_secs(20), start);
    load.penalize(Duration::ZERO, start);
    assert_near(load.penalty(start), 20.0);
    load.penalize(Duration::ZERO, after(start, 3.0));
    assert_near(load.penalty(after(start, 3.0)), 5.0);
}

#[test]
fn a_replica_connected_anew_is_new_but_for_its_calls() {
    let start = Instant::now();
    let load = Arc::new(Load::new(start));
    let call = load.begin();
    load.record(Duration::from_secs(1), start);
    load.penalize(Duration::ZERO, start);
    load.forget();
    assert_near(load.cost(1, start), 2.0 * LATENCY_DEFAULT.as_secs_f64());
    drop(call);
    assert_near(load.cost(1, start), 0.0);
}

#[test]
fn a_look_at_an_older_clock_sees_no_decay() {
    let start = Instant::now();
    let load = Load::new(start);
    load.record(Duration::from_secs(1), after(start, 1.0));
    assert_near(load.cost(1, start), 1.0);
    load.record(Duration::from_millis(1), start);
    assert_near(load.cost(1, after(start, 1.0)), 1.0);
}

#[test]
fn no_peak_is_lost_when_threads_record_at_once() {
    let start = Instant::now();
    let load = Load::new(start);
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let load = &load;
            scope.spawn(move || {
                for sample in 1..=10_000 {
                    load.record(Duration::from_micros(sample * 4 + thread), start);
                }
            });
        }
    });
    assert_near(load.cost(1, start), 0.040_003);
}

proptest! {
    #[test]
    fn the_latency_is_that_of_the_slow_model(
        steps in prop::collection::vec((1_u64..20_000, 0.0001_f64..3.0), 1..50),
    ) {
        let start = Instant::now();
        let load = Load::new(start);
        let (mut model, mut now) = (0.0, start);
        for (millis, sample) in steps {
            now += Duration::from_millis(millis);
            let weight = (-(millis as f64) / 10_000.0).exp();
            model = if sample > model { sample } else { model * weight + sample * (1.0 - weight) };
            load.record(Duration::from_secs_f64(sample), now);
            let cost = load.cost(1, now);
            prop_assert!((cost - model).abs() <= model * 1e-4, "{cost} for {model}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_replica_whose_calls_are_overtaken_costs_twice_as_much_each_time_until_it_answers() {
    let (load, now) = (Load::new(Instant::now()), Instant::now());
    for expected_ms in [10.0, 20.0, 40.0, 80.0] {
        load.overtaken(Duration::from_millis(10), now);
        assert!((load.cost(1, now) * 1000.0 - expected_ms).abs() < 0.01, "{}", load.cost(1, now));
    }
    load.record(Duration::from_millis(5), now);
    load.overtaken(Duration::from_millis(100), now);
    assert!((load.cost(1, now) - 0.1).abs() < 1e-4, "one call alone is what it is");
}
