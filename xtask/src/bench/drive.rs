//! A client under measurement in a process of its own: what is asked of it, and what it answers.

mod closed_loop;
mod open_loop;

use std::net::SocketAddr;

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

use super::{
    children,
    peer::{self, Kind, Peer},
    sdk,
};

/// What the driver does.
#[derive(Debug, Subcommand)]
pub(crate) enum Drive {
    /// Calls at fixed times, whatever became of earlier calls.
    OpenLoop(OpenLoop),
    /// So many callers, each of which calls again when it has its answer.
    ClosedLoop(ClosedLoop),
    /// Connects, and rests until it is ended.
    Idle(Target),
    /// Times the choice of an endpoint.
    Pick,
}

/// Who calls whom.
#[derive(Debug, Args)]
pub(crate) struct Target {
    #[arg(long)]
    pub(crate) client: Kind,
    #[arg(long, value_delimiter = ',')]
    pub(crate) endpoints: Vec<SocketAddr>,
}

/// Which calls are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Calls {
    /// Those that may run twice.
    Idempotent,
    /// Those that may not.
    Once,
    /// One after the other; odd numbers may not run twice.
    Mixed,
}

impl Calls {
    /// Whether call `number` may run only once.
    pub(crate) fn is_once(self, number: usize) -> bool {
        self == Self::Once || (self == Self::Mixed && number % 2 == 1)
    }

    fn path(self, number: usize) -> &'static str {
        if self.is_once(number) { peer::WRITE } else { peer::READ }
    }
}

#[derive(Debug, Args)]
pub(crate) struct OpenLoop {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Calls per second.
    #[arg(long)]
    pub(crate) rate: u32,
    #[arg(long)]
    pub(crate) seconds: u32,
    #[arg(long)]
    pub(crate) calls: Calls,
    /// Opens a stream so often, in milliseconds, and holds all of them.
    #[arg(long)]
    pub(crate) stream_interval_ms: Option<u64>,
    /// When the resolver is lost, in milliseconds after the first call.
    #[arg(long)]
    pub(crate) lose_resolver_at_ms: Option<u64>,
    /// Begins without calls that connect: there is nobody to connect to.
    #[arg(long)]
    pub(crate) cold: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ClosedLoop {
    #[command(flatten)]
    pub(crate) target: Target,
    #[arg(long)]
    pub(crate) callers: usize,
    #[arg(long)]
    pub(crate) seconds: u32,
}

/// What became of one call.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Call {
    pub(crate) number: usize,
    /// When it was due, in microseconds after the first.
    pub(crate) due_us: u64,
    /// From then until it ended.
    pub(crate) latency_us: u64,
    /// The gRPC status code, or [`HANGS`].
    pub(crate) code: i32,
}

/// The code of a call that had not ended when the driver gave up watching it.
pub(crate) const HANGS: i32 = 100;

/// What an open loop answers in the end.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct OpenLoopOutcome {
    pub(crate) calls: Vec<Call>,
    /// Streams that did not stay open until the end.
    pub(crate) streams_broken: usize,
    /// A few of the errors, as text.
    pub(crate) errors: Vec<String>,
}

/// What a closed loop answers.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct ClosedLoopOutcome {
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) calls_per_second: f64,
    /// Calls that were not answered with OK.
    pub(crate) failed: usize,
}

/// Runs a driver.
pub(crate) fn run(drive: &Drive) -> Result<()> {
    children::end_with_parent();
    let runtime = children::runtime()?;
    match drive {
        Drive::OpenLoop(arguments) => runtime.block_on(open_loop::run(arguments)),
        Drive::ClosedLoop(arguments) => runtime.block_on(closed_loop::run(arguments)),
        Drive::Idle(target) => runtime.block_on(rest(target)),
        Drive::Pick => {
            let each: Vec<(u16, f64)> = [3, 100, 1_000].map(|count| (count, sdk::pick_ns(count))).into();
            children::answer(&serde_json::to_string(&each)?);
            Ok(())
        }
    }
}

/// Calls until all of a few endpoints are connected: tonic connects when it first calls.
async fn connect(peer: &Peer) {
    for _ in 0..CONNECT_CALLS {
        // A call that fails here will fail again where it is counted.
        let _answered = peer.call(peer::READ, None).await;
    }
}

/// With five endpoints all get one of so many random calls (the chance that one gets none is 1e-9).
const CONNECT_CALLS: usize = 100;

async fn rest(target: &Target) -> Result<()> {
    let peer = Peer::new(target.client, &target.endpoints)?;
    connect(&peer).await;
    children::answer("ready");
    std::future::pending::<()>().await;
    drop(peer);
    Ok(())
}
