//! The processes of a measurement: built, started, asked, signalled by id, and always ended.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, bail};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{ChildStdin, ChildStdout, Command},
};

use crate::shell;

/// After this a child that was to answer has failed. Longer than any one measurement.
const PATIENCE: Duration = Duration::from_secs(120);

/// A replica or a driver. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Child {
    process: tokio::process::Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// Its end tells the child that its parent is gone.
    _stdin: Option<ChildStdin>,
}

/// Builds the release binaries that the children are; answers where `name` is.
pub(crate) fn build(name: &str) -> Result<PathBuf> {
    shell::run("cargo", &["build", "--release", "--quiet", "--package", "xtask"])?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| shell::root().join("target"), Into::into);
    let binary = shell::root().join(target).join("release").join(name);
    if !binary.is_file() {
        bail!("the build left no {}", binary.display());
    }
    Ok(binary)
}

impl Child {
    pub(crate) fn start(binary: &Path, arguments: &[String]) -> Result<Self> {
        let mut command = Command::new(binary);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().with_context(|| format!("{} cannot start", binary.display()))?;
        let stdout = process.stdout.take().context("a child has a standard output")?;
        let stdin = process.stdin.take();
        Ok(Self { process, lines: BufReader::new(stdout).lines(), _stdin: stdin })
    }

    /// The next line that the child says.
    pub(crate) async fn line(&mut self) -> Result<String> {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
        let line = line.with_context(|| format!("a child said nothing for {PATIENCE:?}"))??;
        line.context("a child ended without an answer")
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) async fn signal(&self, name: &str) -> Result<()> {
        let id = self.id()?.to_string();
        let status = Command::new("kill").args([format!("-{name}"), id]).status().await?;
        if !status.success() {
            bail!("kill -{name} failed ({status})");
        }
        Ok(())
    }

    /// Kills it as the kernel does; when this returns, its sockets are closed.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        self.process.kill().await.context("a child cannot be killed")
    }

    /// Waits for its end at most so long.
    pub(crate) async fn ended_within(&mut self, wait: Duration) -> Option<ExitStatus> {
        tokio::time::timeout(wait, self.process.wait()).await.ok()?.ok()
    }

    /// Its resident memory in bytes.
    pub(crate) fn resident_bytes(&self) -> Result<f64> {
        Ok(super::start::resident_mb(self.id()?)? * 1e6)
    }

    /// How many sockets it holds.
    pub(crate) fn sockets(&self) -> Result<usize> {
        let files = fs::read_dir(format!("/proc/{}/fd", self.id()?))?.flatten();
        let links = files.filter_map(|file| fs::read_link(file.path()).ok());
        Ok(links.filter(|link| link.to_string_lossy().starts_with("socket:")).count())
    }

    fn id(&self) -> Result<u32> {
        self.process.id().context("the child has ended")
    }
}

/// In a child: ends the process when the parent is gone, however that ended.
pub(crate) fn end_with_parent() {
    std::thread::spawn(|| {
        let mut nothing = [0];
        // An end, an error or a byte: nobody writes there while the parent wants the child to live.
        let _ended = std::io::stdin().read(&mut nothing);
        std::process::exit(1);
    });
}

/// In a child: the runtime, alike for all.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

/// In a child: says one line to the parent.
#[expect(clippy::print_stdout, reason = "the parent reads the standard output")]
pub(crate) fn answer(line: &str) {
    println!("{line}");
    if std::io::stdout().flush().is_err() {
        std::process::exit(1);
    }
}

/// Microseconds since 1970: the clock that parent and children share.
pub(crate) fn unix_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// Addresses on which nobody listens at present.
pub(crate) fn free_addresses(count: usize) -> Result<Vec<SocketAddr>> {
    let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    Ok(listeners.iter().map(TcpListener::local_addr).collect::<Result<_, _>>()?)
}
