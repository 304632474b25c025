//! The long run of the simulation: `cargo xtask soak`.

use anyhow::Result;
use clap::Args;

use crate::shell;

/// How much is simulated.
#[derive(Debug, Args)]
pub(crate) struct Soak {
    /// How many seeds.
    #[arg(long, default_value_t = 5_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
}

/// Runs the client in as many simulated worlds. A seed that fails prints the command that runs it alone.
pub(crate) fn run(soak: &Soak) -> Result<()> {
    let arguments = [
        "test",
        "--profile",
        "soak",
        "--package",
        "plexus-client",
        "--test",
        "simulation",
        "--",
        "--nocapture",
    ];
    let mut command = shell::command("cargo", &arguments);
    command.arg("no_seed_breaks_an_invariant");
    command.env("PLEXUS_SEEDS", format!("{}..{}", soak.from, soak.from.saturating_add(soak.seeds)));
    shell::run_command(&mut command)
}
