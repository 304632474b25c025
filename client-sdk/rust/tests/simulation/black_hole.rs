//! Reads that a silent replica swallowed: another one answers them, long before their deadline.

use std::time::Duration;

use crate::{
    invariants::Violation,
    plan::{Call, Fault, Kind, Method, Plan, Reply},
    record::Outcome,
    sdk,
    story::Story,
};

/// The reads of the first fault of a run that took too long, if by this fault a replica falls silent.
///
/// Only the first fault, until the second one begins: then all other replicas are well, and what the
/// channel knows of latencies is not of ill ones.
pub(crate) fn stuck(plan: &Plan, stories: &[Story]) -> Vec<Violation> {
    let mut faults: Vec<&Fault> = plan.faults.iter().collect();
    faults.sort_by_key(|fault| fault.from);
    let Some(first) = faults.first().filter(|fault| is_silent(fault.kind)) else { return Vec::new() };
    let others_well_until = faults.get(1).map_or(plan.end, |second| second.from);
    let known_from = latencies_known_from(plan, stories);
    let is_met = |call: &Call| {
        let is_at_the_time = first.from <= call.at + call.deadline
            && call.at + sdk::READ_ELSEWHERE_WITHIN <= others_well_until;
        let is_read = call.method == Method::Read && call.reply != Reply::Nothing;
        is_read && is_at_the_time && known_from.is_some_and(|known| known <= call.at)
    };
    let calls = plan.calls.iter().zip(stories).enumerate().filter(|(_, (call, _))| is_met(call));
    calls
        .filter(|(_, (_, story))| !is_answered_soon(story))
        .map(|(id, (call, story))| Violation {
            invariant: "a read that a silent replica swallowed is answered by another one",
            text: format!("call {id}: {call:?}\n    {story:?}\n    {first:?}"),
        })
        .collect()
}

fn is_silent(kind: Kind) -> bool {
    match kind {
        Kind::PowerOff | Kind::Partition | Kind::PartitionThere | Kind::PartitionBack | Kind::Hold => true,
        Kind::Kill
        | Kind::Slow(_)
        | Kind::Lossy(_)
        | Kind::Silent
        | Kind::Resetting
        | Kind::Failing
        | Kind::Sluggish(_)
        | Kind::Drain
        | Kind::Refusing
        | Kind::Leave => false,
    }
}

/// When so many reads had been answered that the channel knows how long one takes.
fn latencies_known_from(plan: &Plan, stories: &[Story]) -> Option<Duration> {
    let reads = plan.calls.iter().zip(stories).filter(|(call, _)| call.method == Method::Read);
    let mut answered: Vec<Duration> = reads
        .filter_map(|(_, story)| story.ended.as_ref())
        .filter_map(|(at, outcome)| (*outcome == Outcome::Content).then_some(*at))
        .collect();
    answered.sort_unstable();
    answered.get(sdk::READS_KNOWN).copied()
}

fn is_answered_soon(story: &Story) -> bool {
    match (story.called, &story.ended) {
        (Some(called), Some((ended, Outcome::Content | Outcome::Refusal))) => {
            *ended <= called + sdk::READ_ELSEWHERE_WITHIN
        }
        _ => false,
    }
}
