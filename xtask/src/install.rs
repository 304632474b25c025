//! What the tests need besides Rust: real PostgreSQL, Redis, Chromium and Node.

use std::{fs, path::Path};

use anyhow::{Result, bail};

use crate::shell::{command, is_on_path, run_command, say};

/// A program that the tests start, and Debian's package of it.
struct Need {
    program: &'static str,
    package: &'static str,
    /// Where it lies when it is not on the path.
    folders: &'static [&'static str],
}

const NEEDS: [Need; 5] = [
    Need {
        program: "initdb",
        package: "postgresql",
        folders: &["/usr/lib/postgresql/*/bin", "/usr/local/pgsql/bin"],
    },
    Need { program: "redis-server", package: "redis-server", folders: &[] },
    Need { program: "chromium", package: "chromium", folders: &[] },
    Need { program: "node", package: "nodejs", folders: &[] },
    Need { program: "npm", package: "npm", folders: &[] },
];

/// Installs what is missing with the system's package manager, or names the one command that does.
pub(crate) fn all() -> Result<()> {
    let missing: Vec<&str> = NEEDS.iter().filter(|need| !is_there(need)).map(|need| need.package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    let is_root =
        fs::metadata("/proc/self").is_ok_and(|entry| std::os::unix::fs::MetadataExt::uid(&entry) == 0);
    if !is_on_path("apt-get") || !is_root {
        bail!(
            "the tests need {packages}; on Debian or Ubuntu: sudo apt-get update && sudo apt-get install --yes {packages}"
        );
    }
    say(&format!("installing {packages}"));
    run_command(&mut command("apt-get", &["update", "--quiet"]))?;
    let mut install = command("apt-get", &["install", "--yes", "--quiet", "--no-install-recommends"]);
    install.args(&missing).env("DEBIAN_FRONTEND", "noninteractive");
    // The packages' own servers stay off: the tests start servers of their own, on free ports.
    run_command(install.env("RUNLEVEL", "1"))?;
    match NEEDS.iter().find(|need| !is_there(need)) {
        Some(need) => bail!("{} is still missing after installing {}", need.program, need.package),
        None => Ok(()),
    }
}

fn is_there(need: &Need) -> bool {
    is_on_path(need.program) || need.folders.iter().any(|folder| holds(folder, need.program))
}

/// Whether `folder`, in which one `*` stands for any name, holds `program`.
fn holds(folder: &str, program: &str) -> bool {
    let Some((before, after)) = folder.split_once("/*/") else {
        return Path::new(folder).join(program).is_file();
    };
    let entries = fs::read_dir(before).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.path().join(after).join(program).is_file())
}
