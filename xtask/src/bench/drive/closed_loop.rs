//! So many callers, each of which calls again when it has its answer: latency alone, throughput together.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::{task::JoinSet, time::Instant};

use super::{ClosedLoop, ClosedLoopOutcome};
use crate::{
    bench::{
        children,
        peer::{self, Peer},
    },
    shell::say,
};

/// Calls before those that count: connections grow their windows, allocators their arenas.
const WARM_UP: Duration = Duration::from_millis(500);

/// Calls for the given time, and answers with percentiles and the rate.
pub(super) async fn run(arguments: &ClosedLoop) -> Result<()> {
    let peer = Peer::new(arguments.target.client, &arguments.target.endpoints)?;
    let from = Instant::now() + WARM_UP;
    let until = from + Duration::from_secs(u64::from(arguments.seconds));
    let mut callers = JoinSet::new();
    for _ in 0..arguments.callers {
        callers.spawn(call_until(peer.clone(), from, until));
    }
    let mut latencies = Vec::new();
    let mut failed = 0;
    while let Some(ended) = callers.join_next().await {
        let (answered, not_answered) = ended?;
        latencies.extend(answered);
        failed += not_answered;
    }
    latencies.sort_unstable();
    let at = |fraction: usize| {
        let latency = latencies.get(latencies.len() * fraction / 100).context("no call ended in time")?;
        Ok::<f64, anyhow::Error>(latency.as_secs_f64() * 1e6)
    };
    let per_second = f64::from(u32::try_from(latencies.len())?) / f64::from(arguments.seconds);
    let outcome =
        ClosedLoopOutcome { p50_us: at(50)?, p99_us: at(99)?, calls_per_second: per_second, failed };
    children::answer(&serde_json::to_string(&outcome)?);
    Ok(())
}

/// The latencies of the calls that were answered, and how many were not.
async fn call_until(peer: Peer, from: Instant, until: Instant) -> (Vec<Duration>, usize) {
    let (mut latencies, mut failed) = (Vec::new(), 0);
    loop {
        let begun = Instant::now();
        if let Err(status) = peer.call(peer::READ, None).await {
            say(&format!("a call failed: {status}"));
            failed += 1;
        }
        let ended = Instant::now();
        if ended >= until {
            return (latencies, failed);
        }
        if begun >= from {
            latencies.push(ended - begun);
        }
    }
}
