//! The tokens of the last login, in a file that only its owner can read.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::PathBuf,
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

/// What a login gave.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Credentials {
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
    /// When the access token runs out, in epoch seconds.
    pub(crate) expire_seconds: i64,
}

/// Reads the tokens of the last login, if there was one.
pub(crate) fn load() -> Option<Credentials> {
    serde_json::from_str(&fs::read_to_string(path()?).ok()?).ok()
}

/// Keeps `credentials`, replacing the file in one step.
pub(crate) fn save(credentials: &Credentials) -> Result<()> {
    let path = path().context("there is no home folder to keep the tokens in; set HOME")?;
    let folder = path.parent().context("the file has a folder")?;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let fresh = path.with_extension("new");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(serde_json::to_string(credentials)?.as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, &path)?;
    Ok(())
}

/// `$XDG_CONFIG_HOME/plexus/credentials.json`, by default below `~/.config` (XDG base directories).
fn path() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")))?;
    Some(folder.join("plexus").join("credentials.json"))
}
