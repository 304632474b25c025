//! The budget against a log of everything that happened.

use std::sync::atomic::AtomicUsize;

use proptest::prelude::*;

use super::*;

/// Each call and each granted withdrawal with its time.
#[derive(Default)]
struct Log {
    calls: Vec<Duration>,
    withdrawals: Vec<Duration>,
}

impl Log {
    /// How many of `times` lie in the `span` up to `now`, its beginning left out.
    fn count(times: &[Duration], span: Duration, now: Duration) -> u64 {
        times.iter().filter(|&&time| time <= now && time + span > now).count() as u64
    }
}

fn policy() -> impl Strategy<Value = BudgetPolicy> {
    (0_u32..150, 0_u32..4, 1_u64..15).prop_map(|(percent, min_per_second, seconds)| BudgetPolicy {
        percent,
        min_per_second,
        window: Duration::from_secs(seconds),
    })
}

proptest! {
    #[test]
    fn what_is_granted_is_what_the_log_allows_within_a_bucket(
        policy in policy(), steps in prop::collection::vec((0_u64..900, 0_u32..8, 0_u32..4), 1..120),
    ) {
        let start = Instant::now();
        let budget = RetryBudget::new(policy, start);
        let reserve = u64::from(policy.min_per_second) * policy.window.as_secs();
        let allowed = |calls: u64| calls * u64::from(policy.percent) / 100 + reserve;
        let bucket = policy.window / BUCKETS;
        let (mut log, mut now) = (Log::default(), Duration::ZERO);
        for (wait_ms, calls, withdrawals) in steps {
            now += Duration::from_millis(wait_ms);
            for _ in 0..calls {
                budget.deposit(start + now);
                log.calls.push(now);
            }
            for _ in 0..withdrawals {
                let certain_calls = Log::count(&log.calls, policy.window - bucket, now);
                let possible_withdrawals = Log::count(&log.withdrawals, policy.window + bucket, now);
                let must_grant = possible_withdrawals < allowed(certain_calls);
                let is_granted = budget.withdraw(start + now);
                prop_assert!(is_granted || !must_grant, "refused at {now:?} though the log allows it");
                if is_granted {
                    log.withdrawals.push(now);
                    let calls = Log::count(&log.calls, policy.window, now);
                    let withdrawals = Log::count(&log.withdrawals, policy.window, now);
                    prop_assert!(withdrawals <= allowed(calls), "{withdrawals} for {calls} calls at {now:?}");
                }
            }
        }
        // The whole life: one reserve for each window or part of one.
        let windows = now.as_millis() as u64 / policy.window.as_millis() as u64 + 1;
        let bound = log.calls.len() as u64 * u64::from(policy.percent) / 100 + windows * reserve;
        prop_assert!(log.withdrawals.len() as u64 <= bound);
    }

    #[test]
    fn threads_together_get_what_one_would_at_one_moment(calls in 0_u64..300, min_per_second in 0_u32..10) {
        let start = Instant::now();
        let policy = BudgetPolicy { min_per_second, ..BudgetPolicy::default() };
        let budget = RetryBudget::new(policy, start);
        let granted = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (budget, granted) = (&budget, &granted);
                scope.spawn(move || {
                    (0..calls / 4).for_each(|_| budget.deposit(start));
                    for _ in 0..100 + thread {
                        granted.fetch_add(usize::from(budget.withdraw(start)), Ordering::SeqCst);
                    }
                });
            }
        });
        // Those that met at the limit and were refused may still be granted.
        while budget.withdraw(start) {
            granted.fetch_add(1, Ordering::SeqCst);
        }
        let limit = calls / 4 * 4 / 5 + u64::from(min_per_second) * 10;
        prop_assert_eq!(granted.into_inner() as u64, limit);
    }

    #[test]
    fn threads_whose_clocks_differ_never_get_more_than_the_reserve(offsets in prop::collection::vec(0_u64..3000, 4)) {
        let start = Instant::now();
        let policy = BudgetPolicy { percent: 0, min_per_second: 1, window: Duration::from_secs(10) };
        let budget = RetryBudget::new(policy, start);
        let granted = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for offset in offsets {
                let (budget, granted) = (&budget, &granted);
                scope.spawn(move || {
                    for step in 0..60 {
                        let now = start + Duration::from_millis(offset + step * 50);
                        granted.fetch_add(usize::from(budget.withdraw(now)), Ordering::SeqCst);
                    }
                });
            }
        });
        // All of it happens within one window.
        prop_assert!(granted.into_inner() <= 10);
    }
}

#[test]
fn a_fifth_of_the_calls_and_the_minimum_may_be_sent_again() {
    let start = Instant::now();
    let budget = RetryBudget::new(BudgetPolicy::default(), start);
    (0..1000).for_each(|_| budget.deposit(start));
    let granted = (0..1000).filter(|_| budget.withdraw(start)).count();
    assert_eq!(granted, 200 + 30);
}

#[test]
fn a_new_client_may_retry_before_it_has_called_much() {
    let start = Instant::now();
    let budget = RetryBudget::new(BudgetPolicy::default(), start);
    budget.deposit(start);
    assert!(budget.withdraw(start));
}

#[test]
fn calls_of_the_last_window_pay_no_more_and_withdrawals_are_forgotten() {
    let start = Instant::now();
    let policy = BudgetPolicy { min_per_second: 0, ..BudgetPolicy::default() };
    let budget = RetryBudget::new(policy, start);
    (0..50).for_each(|_| budget.deposit(start));
    assert!((0..10).all(|_| budget.withdraw(start)));
    assert!(!budget.withdraw(start));
    let later = start + Duration::from_secs(11);
    assert!(!budget.withdraw(later), "the calls are too long ago");
    (0..5).for_each(|_| budget.deposit(later));
    assert!(budget.withdraw(later), "so are the withdrawals");
    assert!(!budget.withdraw(later));
}

#[test]
fn a_late_clock_does_not_go_back() {
    let start = Instant::now();
    let budget = RetryBudget::new(BudgetPolicy { min_per_second: 1, ..BudgetPolicy::default() }, start);
    let later = start + Duration::from_secs(100);
    assert!((0..5).all(|_| budget.withdraw(later)));
    assert!((0..5).all(|_| budget.withdraw(start)));
    assert!(!budget.withdraw(start) && !budget.withdraw(later));
}

#[test]
fn a_window_beyond_the_bounds_is_brought_inside() {
    let start = Instant::now();
    for (window, granted) in [(Duration::ZERO, 2), (Duration::MAX, 120)] {
        let budget = RetryBudget::new(BudgetPolicy { percent: 0, min_per_second: 2, window }, start);
        assert_eq!((0..1000).filter(|_| budget.withdraw(start)).count(), granted);
    }
}
