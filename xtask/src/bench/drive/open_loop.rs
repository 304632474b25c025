//! Calls at fixed times. Latency counts from the time at which a call was due, so that a client that
//! falls behind cannot hide it (no coordinated omission).

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use tokio::{runtime::Handle, sync::mpsc::UnboundedSender, time::Instant};
use tonic::Status;

use super::{Call, Calls, HANGS, OpenLoop, OpenLoopOutcome};
use crate::bench::{
    children,
    peer::{Kind, Peer},
    sdk,
};

/// When the driver gives up watching a call that does not end.
const PATIENCE: Duration = Duration::from_secs(5);
/// From the driver's word that it is ready to the first call: the parent notes the time meanwhile.
const LEAD: Duration = Duration::from_millis(200);
/// Between the last set of a lost resolver, which is empty, and its end.
const RESOLVER_DYING: Duration = Duration::from_secs(2);
/// Texts of errors that are handed back.
const ERRORS_SHOWN: usize = 3;

/// Says when the first call is due (microseconds since 1970), makes the calls, and answers with them all.
pub(super) async fn run(arguments: &OpenLoop) -> Result<()> {
    let target = &arguments.target;
    let mut lost = None;
    let peer = match arguments.lose_resolver_at_ms {
        Some(at_ms) if target.client == Kind::Plexus => {
            let (channel, resolver) = sdk::channel_with_resolver(&target.endpoints)?;
            lost = Some((resolver, Duration::from_millis(at_ms)));
            Peer::Plexus(channel)
        }
        _ => Peer::new(target.client, &target.endpoints)?,
    };
    if !arguments.cold {
        super::connect(&peer).await;
    }
    let begun = Instant::now() + LEAD;
    children::answer(&(children::unix_us() + micros(LEAD)).to_string());
    if let Some((resolver, at)) = lost {
        tokio::spawn(async move {
            tokio::time::sleep_until(begun + at).await;
            resolver.lose(RESOLVER_DYING).await;
        });
    }
    let broken = Arc::new(AtomicUsize::new(0));
    if let Some(interval_ms) = arguments.stream_interval_ms {
        let interval = Duration::from_millis(interval_ms);
        tokio::spawn(hold_streams(peer.clone(), interval, Arc::clone(&broken)));
    }
    let schedule = Schedule { peer, calls: arguments.calls, begun, rate: arguments.rate };
    let (calls, errors) = make_calls(schedule, arguments.rate as usize * arguments.seconds as usize).await?;
    let outcome = OpenLoopOutcome { calls, streams_broken: broken.load(Ordering::Relaxed), errors };
    children::answer(&serde_json::to_string(&outcome)?);
    Ok(())
}

async fn make_calls(schedule: Schedule, count: usize) -> Result<(Vec<Call>, Vec<String>)> {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let runtime = Handle::current();
    let pacer = std::thread::spawn(move || schedule.pace(count, &runtime, &sender));
    let mut calls = Vec::with_capacity(count);
    let mut errors = BTreeSet::new();
    while let Some((call, error)) = receiver.recv().await {
        calls.push(call);
        if errors.len() < ERRORS_SHOWN {
            errors.extend(error.map(|error| format!("{:?}: {}", error.code(), error.message())));
        }
    }
    if pacer.join().is_err() {
        anyhow::bail!("the thread that paces the calls panicked");
    }
    Ok((calls, errors.into_iter().collect()))
}

/// When calls are due, and who makes them.
struct Schedule {
    peer: Peer,
    calls: Calls,
    begun: Instant,
    rate: u32,
}

impl Schedule {
    /// Starts each call when it is due. A thread of its own, for the runtime's timer counts milliseconds.
    #[expect(clippy::disallowed_methods, reason = "this thread runs no task that could be blocked")]
    fn pace(&self, count: usize, runtime: &Handle, ended: &UnboundedSender<(Call, Option<Status>)>) {
        for number in 0..count {
            let due_us = number as u64 * 1_000_000 / u64::from(self.rate);
            let due = self.begun + Duration::from_micros(due_us);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let (peer, path, ended) = (self.peer.clone(), self.calls.path(number), ended.clone());
            runtime.spawn(async move {
                let answer = peer.call(path, Some(number));
                let (code, error) = match tokio::time::timeout(PATIENCE, answer).await {
                    Ok(Ok(())) => (0, None),
                    Ok(Err(status)) => (i32::from(status.code()), Some(status)),
                    Err(_) => (HANGS, None),
                };
                let call = Call { number, due_us, latency_us: micros(due.elapsed()), code };
                // The receiver goes away only with the process.
                ended.send((call, error)).ok();
            });
        }
    }
}

/// Opens one stream after the other, so that each connection that a server retires has one open.
async fn hold_streams(peer: Peer, interval: Duration, broken: Arc<AtomicUsize>) {
    loop {
        let (peer, broken) = (peer.clone(), Arc::clone(&broken));
        tokio::spawn(async move {
            // It ends only when it breaks, or with the process.
            let _outcome = peer.hold_stream().await;
            broken.fetch_add(1, Ordering::Relaxed);
        });
        tokio::time::sleep(interval).await;
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
