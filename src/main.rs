//! The binary: reads settings, composes the roles, prints what a person needs. It decides nothing.

mod bridge;
mod call;
mod cli;
mod credentials;
mod dynamic;
mod fleet;
mod mesh;
mod output;
mod roles;
mod settings;
mod status;
mod table;

use std::process::ExitCode;

use clap::Parser as _;

/// The exit code of a wrong command line or wrong settings (`EX_USAGE` of BSD's sysexits).
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    match cli::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if output::is_unread(&error) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&error);
            let usage = error.is::<plexus_runtime::layered::LayeredError>();
            ExitCode::from(if usage { USAGE } else { 1 })
        }
    }
}

#[expect(clippy::print_stderr, reason = "the one place where a command tells why it failed")]
fn print_error(error: &anyhow::Error) {
    eprintln!("plexus: {error:#}");
}
