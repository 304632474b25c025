//! Real PostgreSQL and Redis servers in a folder of their own, gone when the test is.

use std::{
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result, bail};
use sqlx::Connection as _;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    time::{Duration, sleep},
};
use uuid::Uuid;

/// How often a server that starts is tried again.
const TRY_INTERVAL: Duration = Duration::from_millis(20);
/// After so many tries something is wrong with the machine: one minute.
const TRIES_MAX: usize = 3_000;
/// Ports below those that Linux gives to outgoing connections (32768 and up), and above the well-known ones.
const PORTS: std::ops::Range<u16> = 12_000..32_000;
/// Where Debian and others keep PostgreSQL's own programs.
const POSTGRES_FOLDERS: [&str; 2] = ["/usr/lib/postgresql", "/usr/local/pgsql"];

/// A port that nobody listens on at this moment, and that the system gives to no outgoing connection meanwhile.
///
/// # Errors
/// When the machine has none.
pub async fn free_port() -> Result<u16> {
    let mut refused = None;
    for _ in 0..TRIES_MAX {
        let port = PORTS.start + u16::try_from(Uuid::new_v4().as_u128() % (PORTS.len() as u128))?;
        match TcpListener::bind(("127.0.0.1", port)).await {
            Ok(_free) => return Ok(port),
            Err(error) => refused = Some(error),
        }
    }
    Err(refused.context("no port was tried")?.into())
}

/// A PostgreSQL server with an empty cluster.
pub struct PostgresServer {
    folder: TempDir,
    port: u16,
    keeper: Option<Keeper>,
}

/// A Redis server without persistence.
pub struct RedisServer {
    folder: TempDir,
    port: u16,
    keeper: Option<Keeper>,
}

impl PostgresServer {
    /// Makes a cluster and starts a server on it.
    ///
    /// # Errors
    /// When PostgreSQL is not installed, with the command that installs it.
    pub async fn start() -> Result<Self> {
        let folder = TempDir::new()?;
        let mut initdb = as_ordinary_user(&postgres_program("initdb")?, folder.path()).await?;
        initdb.arg("--pgdata").arg(folder.path().join("data"));
        initdb.args(["--username=plexus", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        let output = initdb.output().await?;
        if !output.status.success() {
            bail!("initdb failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        let mut server = Self { folder, port: free_port().await?, keeper: None };
        server.resume().await?;
        Ok(server)
    }

    /// Starts the server again after [`PostgresServer::stop`], on the same data and port.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn resume(&mut self) -> Result<()> {
        sqlx::any::install_default_drivers();
        let port = self.port.to_string();
        let mut command = as_ordinary_user(&postgres_program("postgres")?, self.folder.path()).await?;
        command.arg("-D").arg(self.folder.path().join("data")).arg("-k").arg(self.folder.path());
        command.args(["-h", "127.0.0.1", "-p", &port, "-c", "fsync=off", "-c", "max_connections=400"]);
        self.keeper = Some(Keeper::start(&command, "INT", self.folder.path())?);
        // It takes connections before it takes statements.
        let url = self.url();
        until(async || Ok(sqlx::AnyConnection::connect(&url).await?.close().await?))
            .await
            .context("PostgreSQL did not come up")
    }

    /// Stops the server as a failure would: connections are cut at once.
    pub async fn stop(&mut self) {
        if let Some(keeper) = self.keeper.take() {
            keeper.stop().await;
        }
    }

    /// The URL of the maintenance database.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://plexus@127.0.0.1:{}/postgres", self.port)
    }
}

impl RedisServer {
    /// Starts a server.
    ///
    /// # Errors
    /// When Redis is not installed, with the command that installs it.
    pub async fn start() -> Result<Self> {
        let mut server = Self { folder: TempDir::new()?, port: free_port().await?, keeper: None };
        server.resume().await?;
        Ok(server)
    }

    /// Starts the server again after [`RedisServer::stop`], empty, on the same port.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn resume(&mut self) -> Result<()> {
        let program = find(&["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"], "redis-server")
            .context("redis-server is not installed: apt-get install redis-server")?;
        let mut command = Command::new(program);
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"]);
        command.arg(self.folder.path());
        self.keeper = Some(Keeper::start(&command, "TERM", self.folder.path())?);
        let port = self.port;
        until(async || {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
            stream.write_all(b"PING\r\n").await?;
            stream.read_exact(&mut [0; 5]).await?;
            Ok(())
        })
        .await
        .context("Redis did not come up")
    }

    /// Stops the server; connections are cut.
    pub async fn stop(&mut self) {
        if let Some(keeper) = self.keeper.take() {
            keeper.stop().await;
        }
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }
}

/// A server process behind a shell that ends it, and removes its folder, when this process is gone, however it goes.
struct Keeper(Child);

/// The word that tells the shell to leave the folder, because the server will be started on it again.
const KEEP: &[u8] = b"keep\n";

impl Keeper {
    fn start(command: &Command, signal: &str, folder: &Path) -> Result<Self> {
        let script = format!(
            "folder=$1; shift; \"$@\" & server=$!; read -r word; kill -{signal} $server; wait $server; \
             [ \"$word\" = keep ] || rm -rf \"$folder\""
        );
        let command = command.as_std();
        let child = Command::new("sh")
            .args(["-c", &script, "keeper"])
            .arg(folder)
            .arg(command.get_program())
            .args(command.get_args())
            .current_dir(command.get_current_dir().unwrap_or(Path::new("/")))
            // A signal from the terminal is for the test, which then ends and lets its servers go.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self(child))
    }

    async fn stop(mut self) {
        if let Some(mut stdin) = self.0.stdin.take() {
            let told = stdin.write_all(KEEP).await;
            assert!(told.is_ok(), "the keeper of a server under test is gone");
        }
        let ended = self.0.wait().await;
        assert!(ended.is_ok(), "a server under test could not be waited for");
    }
}

/// PostgreSQL refuses to run as root, so there it runs as the user that its package made.
async fn as_ordinary_user(program: &Path, folder: &Path) -> Result<Command> {
    if std::fs::metadata("/proc/self").map(|entry| entry.uid()).unwrap_or(1) != 0 {
        return Ok(Command::new(program));
    }
    let owned = Command::new("chown").arg("postgres:postgres").arg(folder).status().await?;
    if !owned.success() {
        bail!("there is no user postgres to run PostgreSQL as: apt-get install postgresql");
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"])
        .arg(program)
        .current_dir(folder);
    Ok(command)
}

fn postgres_program(name: &str) -> Result<PathBuf> {
    let mut folders: Vec<PathBuf> = Vec::new();
    for folder in POSTGRES_FOLDERS {
        folders.push(Path::new(folder).join("bin"));
        let versions = std::fs::read_dir(folder).into_iter().flatten().flatten();
        folders.extend(versions.map(|version| version.path().join("bin")));
    }
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    folders.sort();
    find(&folders, name)
        .with_context(|| format!("PostgreSQL's {name} is not installed: apt-get install postgresql"))
}

fn find<P: AsRef<Path>>(folders: &[P], name: &str) -> Option<PathBuf> {
    folders.iter().map(|folder| folder.as_ref().join(name)).find(|path| path.exists())
}

/// Waits until `answered` succeeds.
async fn until(answered: impl AsyncFn() -> Result<()>) -> Result<()> {
    let mut tries = 0;
    while let Err(error) = answered().await {
        tries += 1;
        if tries == TRIES_MAX {
            return Err(error);
        }
        sleep(TRY_INTERVAL).await;
    }
    Ok(())
}
