//! What must hold in every run.

use std::time::Duration;

use tonic::Code;

use crate::{
    black_hole, budget, danger,
    plan::{Call, Kind, LEFT_WITHIN, Method, Plan, Reply, USED_EACH, USED_WITHIN},
    reconnects,
    record::{Event, Outcome},
    sdk,
    story::{Story, stories},
};

/// By how much a call may miss its deadline: timers and segments move in steps of milliseconds.
const DEADLINE_TOLERANCE: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) invariant: &'static str,
    pub(crate) text: String,
}

/// Whether what became of a call is right.
type Check = fn(&Plan, &Call, &Story) -> bool;

/// The invariants that a run broke.
pub(crate) fn broken(plan: &Plan, events: &[Event]) -> Vec<Violation> {
    let stories = stories(plan, events);
    let mut violations = Vec::new();
    for (id, (call, story)) in plan.calls.iter().zip(&stories).enumerate() {
        let checks: [(&str, Check); 8] = [
            ("every call ends, by its deadline", ends_by_its_deadline),
            ("no call that may not runs twice", runs_once),
            ("one call is sent a bounded number of times", is_sent_a_few_times),
            ("an answer was given by a server, and is this call's", is_answered_truly),
            ("a stream's messages come in order, without gap or repetition", is_in_order),
            ("a failure is UNAVAILABLE or, at the deadline, DEADLINE_EXCEEDED", fails_by_the_specification),
            ("a call succeeds that no fault threatens", succeeds_unless_in_danger),
            ("a replica that left the set gets no calls", is_sent_to_members),
        ];
        for (invariant, holds) in checks {
            if !holds(plan, call, story) {
                violations.push(Violation { invariant, text: format!("call {id}: {call:?}\n    {story:?}") });
            }
        }
    }
    violations.extend(budget::exceeded(plan, &stories));
    violations.extend((0..plan.replicas).flat_map(|replica| unused(plan, &stories, replica)));
    violations.extend(black_hole::stuck(plan, &stories));
    violations.extend(reconnects::hasty(plan, events));
    violations
}

fn ends_by_its_deadline(_: &Plan, call: &Call, story: &Story) -> bool {
    let (Some(called), Some((ended, _))) = (story.called, &story.ended) else { return false };
    *ended <= called + call.deadline + DEADLINE_TOLERANCE
}

fn runs_once(_: &Plan, call: &Call, story: &Story) -> bool {
    call.method == Method::Read || story.executions.len() <= 1
}

fn is_sent_a_few_times(_: &Plan, call: &Call, story: &Story) -> bool {
    story.executions.len() + story.refusals.len() <= sdk::attempts_max(call.method)
}

fn is_answered_truly(_: &Plan, call: &Call, story: &Story) -> bool {
    let is_stream = matches!(call.method, Method::Count { .. });
    let was_answered = if is_stream { !story.executions.is_empty() } else { !story.answers.is_empty() };
    match &story.ended {
        Some((_, Outcome::Content)) => was_answered && call.reply == Reply::Content,
        Some((_, Outcome::Refusal)) => was_answered && call.reply == Reply::Refusal,
        Some((_, Outcome::Wrong)) => false,
        Some((_, Outcome::Failed { .. })) | None => true,
    }
}

fn is_in_order(_: &Plan, call: &Call, story: &Story) -> bool {
    let Method::Count { messages, .. } = call.method else { return story.messages.is_empty() };
    let is_whole = story.messages.len() == messages as usize;
    let ended_well = matches!(story.ended, Some((_, Outcome::Content)));
    story.messages.iter().copied().eq(0..story.messages.len() as u32) && (is_whole || !ended_well)
}

fn fails_by_the_specification(_: &Plan, call: &Call, story: &Story) -> bool {
    let (Some(called), Some((ended, Outcome::Failed { code, .. }))) = (story.called, &story.ended) else {
        return true;
    };
    match code {
        Code::Unavailable => true,
        Code::DeadlineExceeded => *ended + DEADLINE_TOLERANCE >= called + call.deadline,
        _ => false,
    }
}

fn succeeds_unless_in_danger(plan: &Plan, call: &Call, story: &Story) -> bool {
    let is_answered = matches!(story.ended, Some((_, Outcome::Content | Outcome::Refusal)));
    is_answered || danger::may_fail(plan, call, story)
}

fn is_sent_to_members(plan: &Plan, _: &Call, story: &Story) -> bool {
    let leaves = |replica: usize, at: Duration| {
        let is_out = |member: usize| {
            plan.faults.iter().any(|fault| {
                let left = fault.kind == Kind::Leave && fault.replica == member;
                left && fault.from + LEFT_WITHIN <= at && at < fault.until
            })
        };
        // A set without members says nothing: a channel may go on with the last one.
        is_out(replica) && !(0..plan.replicas).all(is_out)
    };
    !story.executions.iter().any(|(at, replica)| leaves(*replica, *at))
}

/// The times in which a replica was well and got no call.
fn unused(plan: &Plan, stories: &[Story], replica: usize) -> Vec<Violation> {
    let mut faults: Vec<_> = plan.faults.iter().filter(|fault| fault.replica == replica).collect();
    faults.sort_by_key(|fault| fault.from);
    let calls_end = plan.calls.last().map(|call| call.at).unwrap_or_default();
    let ends = faults.iter().map(|fault| fault.until);
    let begins = faults.iter().map(|fault| fault.from).chain([calls_end]);
    let mut violations = Vec::new();
    for (well_from, well_until) in [Duration::ZERO].into_iter().chain(ends).zip(begins) {
        let mut from = well_from + USED_WITHIN;
        while from + USED_EACH <= well_until {
            let span = from..from + USED_EACH;
            let executions = stories.iter().flat_map(|story| &story.executions);
            let used = executions.filter(|(at, one)| *one == replica && span.contains(at)).count();
            if used == 0 {
                violations.push(Violation {
                    invariant: "a replica that is back gets calls",
                    text: format!("replica {replica}, well since {well_from:?}, got no call in {span:?}"),
                });
            }
            from += USED_EACH;
        }
    }
    violations
}
