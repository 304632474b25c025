//! Attempts: what all servers together are asked stays within the budget, in the run and at each time of it.

use std::time::Duration;

use crate::{
    invariants::Violation,
    plan::{Call, Method, Plan},
    sdk,
    story::Story,
};

/// The longest that a call lasts that is no stream.
const CALL_MAX: Duration = Duration::from_secs(4);

/// How far the times are apart from which calls are counted.
const STEP: Duration = Duration::from_secs(1);

/// How far the run, or a time of it, exceeds the budget.
pub(crate) fn exceeded(plan: &Plan, stories: &[Story]) -> Vec<Violation> {
    let windows = plan.end.as_nanos().div_ceil(sdk::BUDGET_WINDOW.as_nanos()) as usize;
    let further: usize = stories.iter().map(further).sum();
    let mut violations = Vec::new();
    if further as f64 > limit(plan.calls.len(), windows) {
        violations.push(violation(format!("{further} further attempts for {} calls", plan.calls.len())));
    }
    let mut from = Duration::ZERO;
    while from < plan.end {
        violations.extend(exceeded_from(plan, stories, from));
        from += STEP;
    }
    violations
}

/// Calls that begin early enough to end within one window make all their attempts within it. The latest of
/// these was granted by the calls of the window that ends there.
fn exceeded_from(plan: &Plan, stories: &[Story], from: Duration) -> Option<Violation> {
    let early = plan.calls.iter().zip(stories).filter(|(call, _)| {
        let begins_early = from <= call.at && call.at < from + sdk::BUDGET_WINDOW - CALL_MAX;
        begins_early && !matches!(call.method, Method::Count { .. })
    });
    let further: usize = early.map(|(_, story)| further(story)).sum();
    let calls = most_calls_of_a_window(&plan.calls, from);
    let is_exceeded = further as f64 > limit(calls, 1);
    is_exceeded.then(|| violation(format!("{further} further attempts for {calls} calls from {from:?} on")))
}

/// The calls of that window which has most of them, among those that end in the window from `from` on.
fn most_calls_of_a_window(calls: &[Call], from: Duration) -> usize {
    let before = |time: Duration| calls.partition_point(|call| call.at < time);
    let ends = before(from)..before(from + sdk::BUDGET_WINDOW);
    let in_window = |end: usize| end + 1 - before(calls[end].at.saturating_sub(sdk::BUDGET_WINDOW));
    let first = before(from) - before(from.saturating_sub(sdk::BUDGET_WINDOW));
    ends.map(in_window).chain([first]).max().unwrap_or_default()
}

fn limit(calls: usize, windows: usize) -> f64 {
    calls as f64 * sdk::FURTHER_ATTEMPTS_PER_CALL_MAX + (windows * sdk::FURTHER_ATTEMPTS_FREE) as f64
}

/// Attempts beyond the first and beyond the one that is free after a first refusal.
fn further(story: &Story) -> usize {
    let free = 1 + usize::from(!story.refusals.is_empty());
    (story.executions.len() + story.refusals.len()).saturating_sub(free)
}

fn violation(text: String) -> Violation {
    Violation { invariant: "attempts stay within the budget", text }
}
