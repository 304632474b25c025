//! The table of what listens where, for people.

use plexus_runtime::{admin::ReplicaStatus, health::State};

/// Lines such as `quota-0   127.0.0.1:50052   ready`, with the reasons where one is not.
pub(crate) fn lines(replicas: &[ReplicaStatus]) -> Vec<String> {
    let name_width = replicas.iter().map(|replica| replica.name.len()).max().unwrap_or(0);
    let address_width = replicas.iter().map(|replica| replica.address.len()).max().unwrap_or(0);
    replicas
        .iter()
        .map(|replica| {
            format!("{:name_width$}  {:address_width$}  {}", replica.name, replica.address, describe(replica))
        })
        .collect()
}

fn describe(replica: &ReplicaStatus) -> String {
    let state = match replica.report.state {
        State::Starting => "starting",
        State::Ready => "ready",
        State::Degraded => "degraded",
        State::NotReady => "not ready",
        State::Draining => "draining",
        State::Stopped => "stopped",
    };
    let missing: Vec<String> = replica
        .report
        .dependencies
        .iter()
        .filter_map(|dependency| {
            dependency.error.as_ref().map(|error| format!("{} {error}", dependency.name))
        })
        .collect();
    if missing.is_empty() { state.to_owned() } else { format!("{state}: {}", missing.join("; ")) }
}
