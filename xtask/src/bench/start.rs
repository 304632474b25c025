//! From the start of the release binary to everything serving; memory at rest; build times.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::shell::{command, root, run_command, say};

/// Starts that are measured.
const STARTS: usize = 10;
/// The memory is read so long after the start: everything lazy has happened, nothing was asked yet.
const REST: Duration = Duration::from_secs(2);
/// After this a start has failed.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause between two looks at the admin port; it is the resolution of the start time.
const LOOK_INTERVAL: Duration = Duration::from_millis(2);

/// What a user should meet.
const START_GOAL: Duration = Duration::from_secs(1);
const MEMORY_GOAL_MB: f64 = 80.0;
const BUILD_GOAL: Duration = Duration::from_secs(6 * 60);
const REBUILD_GOAL: Duration = Duration::from_secs(15);

/// One line of the report.
struct Line {
    what: &'static str,
    figure: String,
    goal: String,
    met: bool,
}

/// Measures and prints; with `check` a missed goal is an error.
pub(crate) fn run(check: bool) -> Result<()> {
    run_command(&mut command("cargo", &["build", "--release", "--quiet"]))?;
    let binary = root().join("target/release/plexus");
    let mut times = Vec::new();
    let mut memory_mb: f64 = 0.0;
    for number in 0..STARTS {
        let (time, resident_mb) = start_once(&binary)?;
        say(&format!("start {}: {:.3} s, {resident_mb:.1} MB", number + 1, time.as_secs_f64()));
        times.push(time);
        memory_mb = memory_mb.max(resident_mb);
    }
    times.sort_unstable();
    let (median, worst) = (times[STARTS / 2], times[STARTS - 1]);
    let (build, rebuild) = build_times()?;
    let lines = [
        seconds("start to SERVING, median of ten", median, START_GOAL),
        seconds("start to SERVING, worst of ten", worst, START_GOAL),
        Line {
            what: "memory at rest, most of ten",
            figure: format!("{memory_mb:.1} MB"),
            goal: format!("{MEMORY_GOAL_MB:.0} MB"),
            met: memory_mb < MEMORY_GOAL_MB,
        },
        seconds("first build of `cargo run`", build, BUILD_GOAL),
        seconds("rebuild after touching a service", rebuild, REBUILD_GOAL),
    ];
    print(&lines);
    if check && lines.iter().any(|line| !line.met) {
        bail!("a goal was missed");
    }
    Ok(())
}

fn seconds(what: &'static str, time: Duration, goal: Duration) -> Line {
    Line {
        what,
        figure: format!("{:.3} s", time.as_secs_f64()),
        goal: format!("{} s", goal.as_secs()),
        met: time < goal,
    }
}

#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
fn print(lines: &[Line]) {
    for line in lines {
        let met = if line.met { "met" } else { "MISSED" };
        println!("{:<34} {:>12}   goal < {:<6} {met}", line.what, line.figure, line.goal);
    }
}

/// Starts the binary on an empty folder; how long until everything serves, and its memory at rest in MB.
fn start_once(binary: &Path) -> Result<(Duration, f64)> {
    let folder = TempDir::new()?;
    let admin = free_port()?;
    let mut command = Command::new(binary);
    command.arg("up").arg("--data-dir").arg(folder.path().join("data")).current_dir(folder.path());
    for port in ["bridge", "auth", "quota", "ai", "card", "analytics"] {
        command.args(["--set", &format!("ports.{port}=0")]);
    }
    command.args(["--set", &format!("ports.admin={admin}"), "--set", "telemetry.log_filter=warn"]);
    let begun = now();
    let mut mesh = Mesh(command.stdout(Stdio::null()).spawn()?);
    while !is_ready(admin) {
        if begun.elapsed() > PATIENCE {
            bail!("the mesh was not ready after {PATIENCE:?}");
        }
        if let Some(status) = mesh.0.try_wait()? {
            bail!("the mesh ended before it was ready ({status})");
        }
        pause(LOOK_INTERVAL);
    }
    let time = begun.elapsed();
    pause(REST);
    let memory_mb = resident_mb(mesh.0.id())?;
    mesh.stop()?;
    Ok((time, memory_mb))
}

/// A mesh under measurement, killed when the measurement fails.
struct Mesh(Child);

impl Mesh {
    fn stop(&mut self) -> Result<()> {
        run_quietly("kill", &["-TERM", &self.0.id().to_string()])?;
        let status = self.0.wait()?;
        if !status.success() {
            bail!("the mesh did not stop cleanly ({status})");
        }
        Ok(())
    }
}

impl Drop for Mesh {
    fn drop(&mut self) {
        // After a clean stop there is nothing left to kill.
        let _gone = self.0.kill();
    }
}

fn run_quietly(program: &str, arguments: &[&str]) -> Result<()> {
    let status = command(program, arguments).status()?;
    if !status.success() {
        bail!("{program} failed ({status})");
    }
    Ok(())
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn is_ready(admin: u16) -> bool {
    let mut answer = [0; 12];
    let asked = TcpStream::connect(("127.0.0.1", admin)).and_then(|mut stream| {
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        stream.read_exact(&mut answer)
    });
    asked.is_ok() && answer.ends_with(b"200")
}

pub(super) fn resident_mb(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("VmRSS")?;
    let kilobytes: f64 = line.split_whitespace().nth(1).context("VmRSS has a value")?.parse()?;
    Ok(kilobytes / 1000.0 * 1.024)
}

/// The first build of `cargo run` in an empty target folder, and the next one after touching a service.
fn build_times() -> Result<(Duration, Duration)> {
    let target = TempDir::new()?;
    let build = || -> Result<Duration> {
        let begun = now();
        run_command(command("cargo", &["build", "--quiet"]).env("CARGO_TARGET_DIR", target.path()))?;
        Ok(begun.elapsed())
    };
    let first = build()?;
    let touched: PathBuf = root().join("services/quota/src/lib.rs");
    fs::File::options().append(true).open(&touched)?.set_modified(std::time::SystemTime::now())?;
    Ok((first, build()?))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a measurement wants the real clock, and there is no runtime here"
)]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "there is no runtime here whose worker could be blocked")]
fn pause(duration: Duration) {
    std::thread::sleep(duration);
}
