//! The project's own commands: `cargo xtask test | lint | bench | soak`.

mod bench;
mod install;
mod lint;
mod shell;
mod soak;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Installs what the tests need, checks the code, and runs every test.
    Test,
    /// Format, clippy, documentation, dependencies.
    Lint,
    /// Measures the project.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Runs the client SDK in thousands of simulated worlds.
    Soak(soak::Soak),
    /// A server under measurement; the measurements start it themselves.
    #[command(hide = true)]
    Replica(bench::replica::Replica),
    /// A client under measurement; the measurements start it themselves.
    #[command(hide = true, subcommand)]
    Drive(bench::drive::Drive),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Test => test::run(),
        Command::Lint => lint::run(),
        Command::Bench(bench) => bench::run(&bench),
        Command::Soak(soak) => soak::run(&soak),
        Command::Replica(replica) => bench::replica::run(&replica),
        Command::Drive(drive) => bench::drive::run(&drive),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            shell::say(&format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
