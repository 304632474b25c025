//! What a call through the SDK costs, beside one plain tonic `Channel`.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde::de::DeserializeOwned;

use super::{
    children::{self, Child},
    drive::ClosedLoopOutcome,
    failover::median,
    peer::Kind,
};
use crate::shell::say;

/// Seconds of each measurement of latency or throughput.
const SECONDS: u32 = 3;
/// Callers at once when throughput is measured.
const CALLERS: usize = 64;
/// Endpoints whose memory is measured.
const ENDPOINTS: u16 = 1_000;
/// Picks are to cost at most this, for 3, 100 and 1,000 endpoints.
const PICK_GOAL_NS: f64 = 100.0;
/// Latency and throughput are to be at least as good as tonic's.
const RATIO_GOAL: f64 = 1.0;
/// How often the connections of an idle client are counted until all are there.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// How many times they are.
const LOOKS_MAX: usize = 300;
/// The memory is read so long after the last connection: windows and settings have been exchanged.
const REST: Duration = Duration::from_secs(1);

/// How the cost is measured.
#[derive(Debug, Args)]
pub(crate) struct Client {
    /// Exits with 1 where a goal is missed.
    #[arg(long)]
    check: bool,
    /// Measurements of each client for latency and throughput, in turn.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
}

/// A line of the report.
struct Line {
    what: String,
    figure: String,
    /// The goal, and whether it was met; without one the figure is for comparing.
    goal: Option<(String, bool)>,
}

/// Measures and prints; with `check` a missed goal is an error.
pub(crate) async fn run(arguments: &Client) -> Result<()> {
    let binary = children::build("xtask")?;
    let mut lines = beside_tonic(&binary, arguments.rounds).await?;
    lines.extend(picks(&binary).await?);
    lines.extend(memory(&binary).await?);
    lines.extend(allocations(&binary).await?);
    print(&lines);
    if arguments.check && lines.iter().any(|line| line.goal.as_ref().is_some_and(|(_, is_met)| !is_met)) {
        bail!("a goal was missed");
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
fn print(lines: &[Line]) {
    for Line { what, figure, goal } in lines {
        let judged = goal.as_ref().map(|(goal, is_met)| (goal, if *is_met { "met" } else { "MISSED" }));
        match judged {
            Some((goal, met)) => println!("{what:<46} {figure:>16}   goal {goal:<9} {met}"),
            None => println!("{what:<46} {figure:>16}"),
        }
    }
}

/// The clients in turn, so that whatever else the machine does meets both.
async fn beside_tonic(binary: &Path, rounds: u32) -> Result<Vec<Line>> {
    let (_replica, addresses) = replica(binary, 1).await?;
    let mut rounds_of: [Vec<[f64; 3]>; 2] = Default::default();
    let mut failed = [0; 2];
    for number in 1..=rounds {
        // Who comes second meets another machine: each does in every other round.
        let order = if number % 2 == 1 { [0, 1] } else { [1, 0] };
        for index in order {
            let client = [Kind::Plexus, Kind::TonicSingle][index];
            let serial = closed_loop(binary, client, &addresses, 1).await?;
            let parallel = closed_loop(binary, client, &addresses, CALLERS).await?;
            say(&format!(
                "{}, round {number}: serial p50 {:.0} us, p99 {:.0} us; {CALLERS} callers {:.0} calls per second",
                client.name(),
                serial.p50_us,
                serial.p99_us,
                parallel.calls_per_second
            ));
            failed[index] += serial.failed + parallel.failed;
            rounds_of[index].push([serial.p50_us, serial.p99_us, parallel.calls_per_second]);
        }
    }
    let mut lines = compare(&rounds_of);
    lines.push(Line {
        what: "calls that failed: plexus, tonic".to_owned(),
        figure: format!("{}, {}", failed[0], failed[1]),
        goal: Some(("0".to_owned(), failed[0] == 0)),
    });
    Ok(lines)
}

/// Medians of both, and the median over the rounds of their ratio, above 1 where ours is better.
fn compare([ours, theirs]: &[Vec<[f64; 3]>; 2]) -> Vec<Line> {
    let of = |rounds: &[[f64; 3]], index: usize| median(rounds.iter().map(|each| each[index]).collect());
    let ratio_of = |index: usize, is_better_when_less: bool| {
        let pairs = ours.iter().zip(theirs).map(|(ours, theirs)| ours[index] / theirs[index]);
        median(pairs.map(|ratio| if is_better_when_less { 1.0 / ratio } else { ratio }).collect())
    };
    let mut lines = Vec::new();
    for (index, what) in ["serial p50", "serial p99"].into_iter().enumerate() {
        let both = format!("{:.0}, {:.0} us", of(ours, index), of(theirs, index));
        lines.push(plain(&format!("{what}: plexus, tonic"), both));
        // On a shared machine a p99 is luck: only the median has a goal.
        lines.push(ratio(&format!("{what}: tonic / plexus"), ratio_of(index, true), index == 0));
    }
    let what = format!("throughput of {CALLERS} callers");
    let both = format!("{:.0}, {:.0} /s", of(ours, 2), of(theirs, 2));
    lines.push(plain(&format!("{what}: plexus, tonic"), both));
    lines.push(ratio(&format!("{what}: plexus / tonic"), ratio_of(2, false), true));
    lines
}

async fn closed_loop(
    binary: &Path,
    client: Kind,
    addresses: &str,
    callers: usize,
) -> Result<ClosedLoopOutcome> {
    let mut arguments = driver("closed-loop", client, addresses);
    arguments.extend([format!("--callers={callers}"), format!("--seconds={SECONDS}")]);
    ask(binary, &arguments).await
}

async fn picks(binary: &Path) -> Result<Vec<Line>> {
    let costs: Vec<(u16, f64)> = ask(binary, &["drive".to_owned(), "pick".to_owned()]).await?;
    let goal = || format!("<= {PICK_GOAL_NS:.0} ns");
    let line = |&(endpoints, ns): &(u16, f64)| Line {
        what: format!("a pick among {endpoints} endpoints"),
        figure: format!("{ns:.0} ns"),
        goal: Some((goal(), ns <= PICK_GOAL_NS)),
    };
    Ok(costs.iter().map(line).collect())
}

/// What one more idle endpoint costs: the difference between many and one.
async fn memory(binary: &Path) -> Result<Vec<Line>> {
    let (_replica, addresses) = replica(binary, ENDPOINTS).await?;
    let first = addresses.split(',').next().context("a replica says where it listens")?;
    let mut lines = Vec::new();
    for client in [Kind::Plexus, Kind::Tonic] {
        let one = resident_bytes(binary, client, first, 1).await?;
        let all = resident_bytes(binary, client, &addresses, ENDPOINTS).await?;
        let each = (all - one) / f64::from(ENDPOINTS - 1) / 1_000.0;
        lines.push(plain(&format!("memory of an idle endpoint: {}", client.name()), format!("{each:.1} kB")));
    }
    Ok(lines)
}

async fn resident_bytes(binary: &Path, client: Kind, addresses: &str, endpoints: u16) -> Result<f64> {
    let mut driver = Child::start(binary, &driver("idle", client, addresses))?;
    driver.line().await?;
    for _ in 0..LOOKS_MAX {
        if driver.sockets()? >= usize::from(endpoints) {
            tokio::time::sleep(REST).await;
            return driver.resident_bytes();
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
    bail!("{} held {} connections to {endpoints} endpoints", client.name(), driver.sockets()?)
}

/// Allocations and bytes per call, in a process of its own that counts them.
async fn allocations(binary: &Path) -> Result<Vec<Line>> {
    let (_replica, addresses) = replica(binary, 1).await?;
    let counter = binary.with_file_name("xtask-allocations");
    let counts: Vec<(String, f64, f64)> = ask(&counter, &[addresses]).await?;
    let line = |(client, count, bytes): &(String, f64, f64)| {
        plain(&format!("allocations per call: {client}"), format!("{count:.1} ({bytes:.0} B)"))
    };
    let mut lines: Vec<Line> = counts.iter().map(line).collect();
    if let [(_, hyper, _), others @ ..] = counts.as_slice() {
        lines.extend(others.iter().map(|(client, count, _)| {
            plain(&format!("allocations beyond hyper's: {client}"), format!("{:.1}", count - hyper))
        }));
    }
    Ok(lines)
}

/// A replica on so many ports, and their addresses with commas between.
async fn replica(binary: &Path, listeners: u16) -> Result<(Child, String)> {
    let arguments = ["replica", "--address", "127.0.0.1:0", "--listeners", &listeners.to_string()];
    let mut replica = Child::start(binary, &arguments.map(ToOwned::to_owned))?;
    let addresses = replica.line().await?;
    Ok((replica, addresses))
}

fn driver(what: &str, client: Kind, addresses: &str) -> Vec<String> {
    ["drive", what, "--client", client.name(), "--endpoints", addresses].map(ToOwned::to_owned).into()
}

/// Starts a child for one answer.
async fn ask<A: DeserializeOwned>(binary: &Path, arguments: &[String]) -> Result<A> {
    let mut child = Child::start(binary, arguments)?;
    serde_json::from_str(&child.line().await?).context("what a driver answers")
}

fn plain(what: &str, figure: String) -> Line {
    Line { what: what.to_owned(), figure, goal: None }
}

fn ratio(what: &str, ratio: f64, has_goal: bool) -> Line {
    let goal = has_goal.then(|| (format!(">= {RATIO_GOAL:.1}"), ratio >= RATIO_GOAL));
    Line { what: what.to_owned(), figure: format!("{ratio:.3}"), goal }
}
