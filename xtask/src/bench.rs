//! Measurements: `cargo xtask bench start | failover | client`.

mod children;
mod client;
pub(crate) mod drive;
mod failover;
mod peer;
pub(crate) mod replica;
mod sdk;
mod start;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};

/// What can be measured.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// How fast the mesh starts and builds, and what it needs at rest.
    Start(Start),
    /// What a call meets while replicas die, freeze, restart and slow down: this SDK beside plain tonic.
    Failover(failover::Failover),
    /// What the SDK costs: latency, throughput, picks, memory, allocations, beside plain tonic.
    Client(client::Client),
}

/// How the start is measured.
#[derive(Debug, Args)]
pub(crate) struct Start {
    /// Exits with 1 where a goal is missed.
    #[arg(long)]
    pub(crate) check: bool,
}

/// Runs a measurement.
pub(crate) fn run(bench: &Bench) -> Result<()> {
    match bench {
        Bench::Start(arguments) => start::run(arguments.check),
        Bench::Failover(arguments) => run_async(failover::run(arguments)),
        Bench::Client(arguments) => run_async(client::run(arguments)),
    }
}

/// Runs until done or Ctrl-C; either way every child has been ended when this returns.
fn run_async(measurement: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::select! {
            outcome = measurement => outcome,
            stopped = tokio::signal::ctrl_c() => {
                stopped.context("Ctrl-C cannot be heard")?;
                bail!("stopped")
            }
        }
    })
}
