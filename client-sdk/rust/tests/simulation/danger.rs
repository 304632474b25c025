//! Which calls a fault may cost: only those that no client can save.

use std::time::Duration;

use crate::{
    plan::{Call, Fault, Kind, Method, Plan, RECOVERED_WITHIN, Reply},
    sdk,
    story::Story,
};

/// Whether this call may fail by no fault of the channel.
pub(crate) fn may_fail(plan: &Plan, call: &Call, story: &Story) -> bool {
    if call.reply == Reply::Nothing {
        return true;
    }
    if !story.refusals.is_empty() && call.request_bytes > sdk::REPLAY_BYTES_MAX {
        return true;
    }
    if plan.is_gentle {
        return false;
    }
    let called = story.called.unwrap_or(call.at);
    let ended = story.ended.as_ref().map_or(called + call.deadline, |(ended, _)| *ended);
    let is_well = |replica| {
        let mut faults = plan.faults.iter().filter(|fault| fault.replica == replica);
        faults.all(|fault| ended < fault.from || fault.until + RECOVERED_WITHIN <= called)
    };
    let some_replica_is_well = (0..plan.replicas).any(is_well);
    !some_replica_is_well || plan.faults.iter().any(|fault| threatens(plan, fault, call, called, ended))
}

/// Whether a call that goes to the replica at the worst moment can be lost, though others are well.
fn threatens(plan: &Plan, fault: &Fault, call: &Call, called: Duration, ended: Duration) -> bool {
    // Until the client learns of what happened at the server.
    let news = plan.latency_max + Duration::from_millis(10);
    match fault.kind {
        // Says GOAWAY or REFUSED_STREAM, or says nothing about calls at all: nothing is lost.
        Kind::Drain | Kind::Refusing | Kind::Leave => false,
        // Costs what is in flight at that moment, if it must not be repeated.
        Kind::Kill | Kind::Silent | Kind::Resetting => {
            let is_in_flight = called <= fault.from + news && fault.from <= ended;
            is_in_flight && !(sdk::REPEATS_READS && call.method == Method::Read)
        }
        // The application's own answer; a read is asked of another replica then.
        Kind::Failing => {
            let is_met = called <= fault.until && fault.from <= ended;
            is_met && !(sdk::REPEATS_READS && call.method == Method::Read)
        }
        // Nobody knows whether an answer comes. Connections may stay silent after the fault.
        Kind::PowerOff
        | Kind::Partition
        | Kind::PartitionThere
        | Kind::PartitionBack
        | Kind::Hold
        | Kind::Slow(_)
        | Kind::Lossy(_)
        | Kind::Sluggish(_) => called <= fault.until + RECOVERED_WITHIN && fault.from <= ended,
    }
}
