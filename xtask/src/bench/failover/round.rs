//! One round: fresh replicas, a fresh client, the event, and what the processes say of it afterwards.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::event::{DELAY_MS, Event, SLOW_DELAY_MS};
use crate::bench::{
    children::{self, Child, unix_us},
    drive::OpenLoopOutcome,
    peer::Kind,
};

/// Between the end of a replica and the start of its successor.
const RESTART_GAP: Duration = Duration::from_millis(500);
/// Between that start and the end of the next replica.
const RESTART_SETTLE: Duration = Duration::from_secs(1);
/// How long a replica may finish what is in flight; then it is killed, as a deployment does it.
const DRAIN_MAX: Duration = Duration::from_secs(2);
/// After this a server retires a connection.
const CONNECTION_AGE_MS: u64 = 2_000;
/// How often a stream is opened meanwhile: on each connection there are some.
const STREAM_INTERVAL_MS: u64 = 500;

/// What one round left.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) outcome: OpenLoopOutcome,
    /// When a replica was killed, in microseconds after the first call: from the signal to its end.
    pub(super) killed_us: Option<(u64, u64)>,
    /// Replicas that had to be killed because they did not finish in time.
    pub(super) undrained: usize,
    /// What each replica noted.
    pub(super) logs: Vec<Log>,
}

/// How often each call began and ended on one replica.
pub(super) type Log = BTreeMap<usize, Runs>;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Runs {
    pub(super) begun: usize,
    pub(super) ended: usize,
}

/// Carries out one round.
pub(super) async fn run(binary: &Path, event: Event, client: Kind) -> Result<Round> {
    let plan = event.plan();
    let folder = TempDir::new()?;
    let addresses = children::free_addresses(plan.replicas)?;
    let mut stage = Stage { binary, event, folder: folder.path(), addresses, replicas: Vec::new() };
    if !event.is_desert() {
        for number in 0..plan.replicas {
            let replica = stage.start(number).await?;
            stage.replicas.push(replica);
        }
    }
    let mut driver = Child::start(binary, &driver_arguments(event, client, &stage.addresses))?;
    let begun_us: u64 = driver.line().await?.parse().context("the driver says when it begins")?;
    let until_event = begun_us + event.at_ms() * 1_000;
    tokio::time::sleep(Duration::from_micros(until_event.saturating_sub(unix_us()))).await;

    let from = unix_us();
    let undrained = stage.befall().await?;
    let until = unix_us();
    let outcome = serde_json::from_str(&driver.line().await?).context("what the driver answers")?;
    let is_kill = matches!(event, Event::KillIdempotent | Event::KillOnce);
    let logs = (0..plan.replicas).map(|number| read_log(&stage.log(number))).collect::<Result<_>>()?;
    Ok(Round { outcome, killed_us: is_kill.then(|| (from - begun_us, until - begun_us)), undrained, logs })
}

fn driver_arguments(event: Event, client: Kind, addresses: &[SocketAddr]) -> Vec<String> {
    let plan = event.plan();
    let calls = clap::ValueEnum::to_possible_value(&plan.calls);
    let calls = calls.map(|value| value.get_name().to_owned()).unwrap_or_default();
    let endpoints = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let mut arguments: Vec<String> = ["drive", "open-loop", "--client", client.name()].map(Into::into).into();
    arguments.push(format!("--calls={calls}"));
    if !endpoints.is_empty() {
        arguments.push(format!("--endpoints={endpoints}"));
    }
    arguments.extend([format!("--rate={}", plan.rate), format!("--seconds={}", plan.seconds)]);
    match event {
        Event::NoEndpoints | Event::AllDead => arguments.push("--cold".to_owned()),
        Event::ConnectionAge => arguments.push(format!("--stream-interval-ms={STREAM_INTERVAL_MS}")),
        Event::ResolverLost => arguments.push(format!("--lose-resolver-at-ms={}", event.at_ms())),
        _ => {}
    }
    arguments
}

/// The replicas of a round. The event befalls the first of them.
struct Stage<'a> {
    binary: &'a Path,
    event: Event,
    folder: &'a Path,
    addresses: Vec<SocketAddr>,
    replicas: Vec<Child>,
}

impl Stage<'_> {
    async fn start(&self, number: usize) -> Result<Child> {
        let delay_ms = if self.event == Event::OneSlow && number == 0 { SLOW_DELAY_MS } else { DELAY_MS };
        let mut arguments = vec![
            "replica".to_owned(),
            format!("--address={}", self.addresses[number]),
            format!("--delay-ms={delay_ms}"),
            format!("--log={}", self.log(number).display()),
        ];
        if self.event == Event::ConnectionAge {
            arguments.push(format!("--connection-age-ms={CONNECTION_AGE_MS}"));
        }
        let mut replica = Child::start(self.binary, &arguments)?;
        replica.line().await?;
        Ok(replica)
    }

    fn log(&self, number: usize) -> PathBuf {
        self.folder.join(number.to_string())
    }

    /// Lets the event happen; answers how many replicas did not finish in time.
    async fn befall(&mut self) -> Result<usize> {
        match self.event {
            Event::KillIdempotent | Event::KillOnce => {
                self.replicas[0].kill().await?;
                Ok(0)
            }
            Event::Terminate => self.terminate(0).await,
            Event::Freeze => {
                self.replicas[0].signal("STOP").await?;
                Ok(0)
            }
            Event::RollingRestart => {
                let mut undrained = 0;
                for number in 0..self.replicas.len() {
                    undrained += self.terminate(number).await?;
                    tokio::time::sleep(RESTART_GAP).await;
                    self.replicas[number] = self.start(number).await?;
                    tokio::time::sleep(RESTART_SETTLE).await;
                }
                Ok(undrained)
            }
            Event::Quiet
            | Event::ConnectionAge
            | Event::NoEndpoints
            | Event::AllDead
            | Event::FiveHealthy
            | Event::OneSlow
            | Event::ResolverLost => Ok(0),
        }
    }

    async fn terminate(&mut self, number: usize) -> Result<usize> {
        let replica = &mut self.replicas[number];
        replica.signal("TERM").await?;
        if replica.ended_within(DRAIN_MAX).await.is_some() {
            return Ok(0);
        }
        replica.kill().await?;
        Ok(1)
    }
}

/// Absent when the replica never started.
fn read_log(path: &Path) -> Result<Log> {
    let mut log = Log::new();
    if !path.exists() {
        return Ok(log);
    }
    for line in fs::read_to_string(path)?.lines() {
        let (what, number) = line.split_once(' ').context("a line of a replica's log")?;
        let runs = log.entry(number.parse().context("the number of a call")?).or_default();
        match what {
            "+" => runs.begun += 1,
            _ => runs.ended += 1,
        }
    }
    Ok(log)
}
