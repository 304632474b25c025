//! The verdict on each kind of failure, for each kind of method and policy.

use super::*;
use crate::{
    retry::BudgetPolicy,
    service_config::{CodeSet, HedgingPolicy, RetryPolicy, RetryThrottling},
};

const UNAVAILABLE: Outcome = Outcome::Failed { code: Code::Unavailable, pushback: Pushback::Absent };
const FATAL: Outcome = Outcome::Failed { code: Code::InvalidArgument, pushback: Pushback::Absent };
const STOP: Outcome = Outcome::Failed { code: Code::Unavailable, pushback: Pushback::Stop };
const NAMED_WAIT: Duration = Duration::from_millis(7);
const WAIT: Outcome = Outcome::Failed { code: Code::Unavailable, pushback: Pushback::After(NAMED_WAIT) };
const BACKOFF: Duration = Duration::from_millis(25);

fn retry() -> AttemptPolicy {
    AttemptPolicy::Retry(RetryPolicy { max_attempts: 3, ..RetryPolicy::default() })
}

fn hedging() -> AttemptPolicy {
    AttemptPolicy::Hedging(HedgingPolicy {
        max_attempts: 3,
        hedging_delay: Duration::from_millis(50),
        non_fatal_codes: CodeSet::only(Code::Unavailable),
    })
}

/// The verdict on each outcome in turn, without guards and without jitter.
fn verdicts(policy: &AttemptPolicy, is_idempotent: bool, outcomes: &[Outcome]) -> Vec<Verdict> {
    let mut call = CallAttempts::new(policy, is_idempotent);
    let mut judge = |outcome: &Outcome| call.failed(*outcome, Guards::default(), Instant::now(), 0.5);
    outcomes.iter().map(&mut judge).collect()
}

#[test]
fn each_failure_gets_the_verdict_of_the_table() {
    use Outcome::{NeverSent, Refused, TimedOut};
    use Reason::{Attempts, Code, NoPolicy, NotIdempotent};
    use Verdict::{AfterBackoff, AtOnce, GiveUp};
    let later = AfterBackoff(BACKOFF);
    let now = AfterBackoff(Duration::ZERO);
    let none = AttemptPolicy::Once;
    let waited = |factor| AfterBackoff(factor * RetryPolicy::default().initial_backoff);
    let table: &[(&AttemptPolicy, bool, &[Outcome], &[Verdict])] = &[
        // No policy: only what no application saw is sent again.
        (&none, true, &[UNAVAILABLE], &[GiveUp(NoPolicy)]),
        (&none, false, &[NeverSent, NeverSent, Refused, NeverSent], &[AtOnce; 4]),
        (
            &none,
            false,
            &[Refused; 6],
            &[AtOnce, waited(1), waited(2), waited(4), waited(8), GiveUp(Attempts)],
        ),
        (&none, true, &[TimedOut], &[GiveUp(NoPolicy)]),
        // Retries of an idempotent method: by the code, up to the attempts.
        (&retry(), true, &[UNAVAILABLE; 3], &[later, AfterBackoff(2 * BACKOFF), GiveUp(Attempts)]),
        (&retry(), true, &[FATAL], &[GiveUp(Code)]),
        (&retry(), true, &[UNAVAILABLE, FATAL], &[later, GiveUp(Code)]),
        (&retry(), true, &[TimedOut], &[later]),
        (&retry(), true, &[STOP], &[GiveUp(Reason::Pushback)]),
        // Transparent repetitions are none of the attempts.
        (
            &retry(),
            true,
            &[NeverSent, Refused, UNAVAILABLE, NeverSent, UNAVAILABLE, UNAVAILABLE],
            &[AtOnce, AtOnce, later, AtOnce, AfterBackoff(2 * BACKOFF), GiveUp(Attempts)],
        ),
        // The server's wait is exact, and the policy's begin anew after it; attempts stay bounded.
        (&retry(), true, &[UNAVAILABLE, WAIT], &[later, AfterBackoff(NAMED_WAIT)]),
        (&retry(), true, &[WAIT, UNAVAILABLE], &[AfterBackoff(NAMED_WAIT), later]),
        (
            &retry(),
            true,
            &[WAIT, WAIT, WAIT],
            &[AfterBackoff(NAMED_WAIT), AfterBackoff(NAMED_WAIT), GiveUp(Attempts)],
        ),
        // Not idempotent: never again once a server may have processed it.
        (&retry(), false, &[UNAVAILABLE], &[GiveUp(NotIdempotent)]),
        (&retry(), false, &[WAIT], &[GiveUp(NotIdempotent)]),
        (&retry(), false, &[TimedOut], &[GiveUp(NotIdempotent)]),
        (&retry(), false, &[Refused, Refused, UNAVAILABLE], &[AtOnce, later, GiveUp(NotIdempotent)]),
        // Hedging: a failure that is not fatal brings the next one at once.
        (&hedging(), true, &[UNAVAILABLE; 3], &[now, now, GiveUp(Attempts)]),
        (&hedging(), true, &[WAIT], &[AfterBackoff(NAMED_WAIT)]),
        (&hedging(), true, &[FATAL], &[GiveUp(Code)]),
        (&hedging(), true, &[STOP], &[GiveUp(Reason::Pushback)]),
        (&hedging(), true, &[Refused, Refused], &[AtOnce, waited(1)]),
        (&hedging(), false, &[UNAVAILABLE], &[GiveUp(NotIdempotent)]),
    ];
    for (policy, is_idempotent, outcomes, expected) in table {
        let verdicts = verdicts(policy, *is_idempotent, outcomes);
        assert_eq!(&verdicts, expected, "{policy:?}, idempotent: {is_idempotent}, {outcomes:?}");
    }
}

#[test]
fn what_never_leaves_the_client_is_tried_again_up_to_a_limit() {
    let outcomes = [Outcome::NeverSent; NEVER_SENT_MAX as usize + 1];
    let verdicts = verdicts(&AttemptPolicy::Once, false, &outcomes);
    let (last, others) = verdicts.split_last().unwrap();
    assert!(others.iter().all(|verdict| *verdict == Verdict::AtOnce));
    assert_eq!(*last, Verdict::GiveUp(Reason::NeverSent));
}

#[test]
fn after_a_stop_no_hedge_is_sent_whatever_the_others_meet() {
    let policy = hedging();
    let mut call = CallAttempts::new(&policy, true);
    let now = Instant::now();
    assert_eq!(call.hedge_due(Guards::default(), now), Verdict::AfterBackoff(Duration::ZERO));
    assert_eq!(call.failed(STOP, Guards::default(), now, 0.5), Verdict::GiveUp(Reason::Pushback));
    assert_eq!(call.failed(UNAVAILABLE, Guards::default(), now, 0.5), Verdict::GiveUp(Reason::Pushback));
    assert_eq!(call.hedge_due(Guards::default(), now), Verdict::GiveUp(Reason::Pushback));
}

#[test]
fn only_a_fatal_code_ends_a_hedged_call_before_its_other_attempts() {
    assert!(Reason::Code.ends_call());
    for reason in
        [Reason::Pushback, Reason::Attempts, Reason::Throttled, Reason::Budget, Reason::NotIdempotent]
    {
        assert!(!reason.ends_call(), "{reason:?}");
    }
}

#[test]
fn hedges_are_sent_up_to_the_attempts_and_only_by_a_hedging_policy_of_an_idempotent_method() {
    let due = |policy: &AttemptPolicy, is_idempotent, times: usize| {
        let mut call = CallAttempts::new(policy, is_idempotent);
        let verdicts = (0..times).map(|_| call.hedge_due(Guards::default(), Instant::now()));
        (verdicts.last().unwrap(), call.previous())
    };
    assert_eq!(due(&hedging(), true, 2), (Verdict::AfterBackoff(Duration::ZERO), 2));
    assert_eq!(due(&hedging(), true, 3), (Verdict::GiveUp(Reason::Attempts), 2));
    assert_eq!(due(&hedging(), false, 1), (Verdict::GiveUp(Reason::NotIdempotent), 0));
    assert_eq!(due(&retry(), true, 1), (Verdict::GiveUp(Reason::NoPolicy), 0));
}

#[test]
fn the_throttle_counts_failures_that_a_retry_could_mend_and_stops_retries_and_hedges() {
    let now = Instant::now();
    let tokens = || Throttle::new(RetryThrottling { max_tokens: 2, token_ratio_thousandths: 1 });
    for (policy, is_idempotent, outcome, is_shut) in [
        (retry(), true, UNAVAILABLE, true),
        (hedging(), true, UNAVAILABLE, true),
        (retry(), true, STOP, true),
        (AttemptPolicy::Once, true, STOP, true),
        (retry(), false, UNAVAILABLE, true),
        (retry(), true, FATAL, false),
        (AttemptPolicy::Once, true, UNAVAILABLE, false),
        (retry(), true, Outcome::NeverSent, false),
        (retry(), true, Outcome::Refused, false),
    ] {
        let throttle = tokens();
        let guards = Guards { throttle: Some(&throttle), budget: None };
        CallAttempts::new(&policy, is_idempotent).failed(outcome, guards, now, 0.5);
        assert_eq!(!throttle.allows(), is_shut, "{policy:?} {outcome:?}");
        if is_shut && is_idempotent && outcome == UNAVAILABLE {
            let throttled = Verdict::GiveUp(Reason::Throttled);
            let mut next = CallAttempts::new(&policy, true);
            assert_eq!(next.failed(UNAVAILABLE, guards, now, 0.5), throttled);
            assert_eq!(next.failed(Outcome::Refused, guards, now, 0.5), Verdict::AtOnce);
            assert_eq!(CallAttempts::new(&hedging(), true).hedge_due(guards, now), throttled);
        }
    }
}

#[test]
fn the_budget_pays_for_retries_and_hedges_and_for_nothing_else() {
    let now = Instant::now();
    let one = BudgetPolicy { percent: 20, min_per_second: 1, window: Duration::from_secs(1) };
    for outcome in [Outcome::NeverSent, Outcome::Refused, FATAL, STOP, UNAVAILABLE] {
        let budget = RetryBudget::new(one, now);
        let guards = Guards { throttle: None, budget: Some(&budget) };
        CallAttempts::new(&retry(), true).failed(outcome, guards, now, 0.5);
        CallAttempts::new(&retry(), false).failed(outcome, guards, now, 0.5);
        CallAttempts::new(&AttemptPolicy::Once, true).failed(outcome, guards, now, 0.5);
        let second = CallAttempts::new(&retry(), true).failed(UNAVAILABLE, guards, now, 0.5);
        let is_spent = outcome == UNAVAILABLE;
        let expected =
            if is_spent { Verdict::GiveUp(Reason::Budget) } else { Verdict::AfterBackoff(BACKOFF) };
        assert_eq!(second, expected, "after {outcome:?}");
        let hedge = CallAttempts::new(&hedging(), true).hedge_due(guards, now);
        assert_eq!(hedge, Verdict::GiveUp(Reason::Budget));
    }
}

#[test]
fn after_a_wait_that_the_server_named_the_policys_waits_begin_anew() {
    let policy = AttemptPolicy::Retry(RetryPolicy { max_attempts: 5, ..RetryPolicy::default() });
    let verdicts = verdicts(&policy, true, &[UNAVAILABLE, UNAVAILABLE, WAIT, UNAVAILABLE]);
    let waits = [BACKOFF, 2 * BACKOFF, NAMED_WAIT, BACKOFF];
    assert_eq!(verdicts, waits.map(Verdict::AfterBackoff));
}
