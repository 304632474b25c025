//! Measurements: `cargo xtask bench start`.

mod start;

use anyhow::Result;
use clap::{Args, Subcommand};

/// What can be measured.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// How fast the mesh starts and builds, and what it needs at rest.
    Start(Start),
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
    }
}
