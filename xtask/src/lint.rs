//! Format, clippy, documentation and dependencies.

use anyhow::Result;

use crate::shell::{self, command, is_on_path, run_command, say};

/// Runs every check of the code that is not a test.
pub(crate) fn run() -> Result<()> {
    checks()?;
    run_command(
        command("cargo", &["doc", "--workspace", "--no-deps", "--quiet"]).env("RUSTDOCFLAGS", "-D warnings"),
    )?;
    if is_on_path("cargo-deny") {
        return shell::run("cargo", &["deny", "--all-features", "check"]);
    }
    say("the dependencies were not checked against deny.toml: cargo install --locked cargo-deny");
    Ok(())
}

/// Format and clippy, with every warning an error.
pub(crate) fn checks() -> Result<()> {
    shell::run("cargo", &["fmt", "--all", "--check"])?;
    shell::run(
        "cargo",
        &["clippy", "--workspace", "--all-targets", "--all-features", "--quiet", "--", "-D", "warnings"],
    )
}
