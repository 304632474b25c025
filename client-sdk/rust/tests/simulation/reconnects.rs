//! Connection attempts: they slow down as documented, so that a server in trouble is not hammered.

use std::time::Duration;

use crate::{
    invariants::Violation,
    plan::{Kind, Plan},
    record::{Event, What},
    sdk,
};

/// Connection attempts that came too soon.
pub(crate) fn hasty(plan: &Plan, events: &[Event]) -> Vec<Violation> {
    // When streams run out, further connections are opened at once beside those that stand.
    if plan.streams_max.is_some() {
        return Vec::new();
    }
    (0..plan.replicas).flat_map(|replica| hasty_to(events, replica)).collect()
}

fn hasty_to(events: &[Event], replica: usize) -> Vec<Violation> {
    let mut violations = Vec::new();
    // Waits since the channel was built or a connection lasted; and the latest attempt.
    let (mut waits, mut latest) = (0, None::<Duration>);
    let mut heard = None::<Duration>;
    for Event { at, what } in events {
        match what {
            What::Heard { replica: one } if *one == replica => heard = Some(*at),
            What::Fault { fault, begins: false } if fault.kind == Kind::Leave && fault.replica == replica => {
                // Back in the set, it is a new one to the channel.
                (waits, latest, heard) = (0, None, None);
            }
            What::Connecting { replica: one } if *one == replica => {
                if heard.take().is_some_and(|heard| heard + sdk::CONNECTION_LASTED <= *at) {
                    waits = 0;
                }
                if let Some(latest) = latest {
                    let wait = sdk::reconnect_wait_min(waits);
                    if *at < latest + wait {
                        violations.push(Violation {
                            invariant: "connection attempts slow down",
                            text: format!("replica {replica}: {latest:?} and {at:?}, after {waits} waits"),
                        });
                    }
                    waits += 1;
                }
                latest = Some(*at);
            }
            _ => {}
        }
    }
    violations
}
