//! Every check and every test.

use anyhow::Result;

use crate::{install, lint, shell};

/// Installs what is missing, then checks and tests the whole workspace.
pub(crate) fn run() -> Result<()> {
    install::all()?;
    lint::checks()?;
    // One test binary after the other, all tests of one at once: the servers they start share two cores.
    shell::run("cargo", &["test", "--workspace", "--all-features", "--no-fail-fast"])
}
