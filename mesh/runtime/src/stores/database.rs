//! The durable store: SQLite or PostgreSQL by the scheme of its URL, behind one way to write and one to read.

use std::{
    future::Future,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    sync::{Arc, Mutex, Once, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use sqlx::{
    AnyConnection, AnyPool, Connection as _, Executor as _,
    any::AnyPoolOptions,
    migrate::{MigrateError, Migrator},
};
use tokio::time::{Instant, timeout};

use super::writer::Writer;
use crate::status::{Code, Problem, Reason};

/// Connections for reading per service: more than two cores can use at once, few enough for many replicas.
const READERS_MAX: u32 = 8;
/// How long a call waits for a connection before the database counts as unavailable.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the health check waits for an answer.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);
/// A connection that was used within this time, and since the last failure of another, is taken to live.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);
/// The mode of a SQLite file: it holds password hashes and signing keys.
const OWNER_ONLY: u32 = 0o600;
/// When to try again after the store was busy: one group commit lasts a few milliseconds.
const BUSY_RETRY: Duration = Duration::from_millis(100);

/// SQLite waits for another process's lock this long; a full commit on WAL syncs before it is acknowledged.
const SQLITE_SETUP: &str = "pragma journal_mode = wal; pragma synchronous = full; \
                            pragma busy_timeout = 5000; pragma foreign_keys = on;";
/// Readers cannot write, whatever a statement says.
const SQLITE_READER_SETUP: &str = "pragma query_only = on;";

/// The migrations of one service, one folder per engine.
pub struct Migrations {
    /// For SQLite.
    pub sqlite: Migrator,
    /// For PostgreSQL.
    pub postgres: Migrator,
}

/// A database that belongs to one service; clones share its connections.
#[derive(Clone)]
pub struct Database {
    reads: AnyPool,
    writes: Writes,
    failures: Failures,
}

/// When the database last failed to answer; connections that were idle then may be dead without knowing it.
#[derive(Clone, Default)]
struct Failures(Arc<Mutex<Option<Instant>>>);

#[derive(Clone)]
enum Writes {
    /// SQLite has one writer at a time, so one task owns the connection and groups commits.
    Grouped(Writer),
    /// PostgreSQL takes concurrent transactions.
    Concurrent(AnyPool),
}

/// Why a store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database does not answer; nothing is known to have been written.
    #[error("the database does not answer")]
    Unavailable(#[source] sqlx::Error),
    /// Too many writes wait already, or two transactions were in each other's way; trying again helps.
    #[error("the database is busy")]
    Busy,
    /// A text holds the character NUL, which PostgreSQL cannot keep.
    #[error("a text holds the character NUL")]
    Nul,
    /// A statement failed.
    #[error("a statement failed")]
    Statement(#[source] sqlx::Error),
    /// A job of the writer panicked; its transaction was rolled back.
    #[error("a write failed in an unforeseen way")]
    Panicked,
    /// The schema could not be brought up to date.
    #[error("a migration failed")]
    Migration(#[from] MigrateError),
    /// The file of the database cannot be made or protected.
    #[error("the file of the database could not be opened for its owner alone")]
    File(#[from] std::io::Error),
    /// The URL has a scheme that is neither SQLite's nor PostgreSQL's.
    #[error("the database_url must begin with sqlite: or postgres:")]
    Scheme,
}

impl Database {
    /// Opens the database at `url` for the service `owner` and brings its schema up to date.
    ///
    /// On PostgreSQL each service has a schema of its own, `plexus_<owner>`.
    ///
    /// # Errors
    /// When the database does not answer or a migration fails.
    pub async fn open(url: &str, owner: &str, migrations: Migrations) -> Result<Self, Error> {
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(sqlx::any::install_default_drivers);
        if url.starts_with("sqlite:") {
            Self::open_sqlite(url, migrations.sqlite).await
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            Self::open_postgres(url, owner, migrations.postgres).await
        } else {
            Err(Error::Scheme)
        }
    }

    async fn open_sqlite(url: &str, migrator: Migrator) -> Result<Self, Error> {
        make_private(url)?;
        let writer = Writer::open(url, SQLITE_SETUP, &migrator).await?;
        let failures = Failures::default();
        let setup = format!("{SQLITE_SETUP}{SQLITE_READER_SETUP}");
        let reads = pool(READERS_MAX, setup, &failures).connect(url).await?;
        Ok(Self { reads, writes: Writes::Grouped(writer), failures })
    }

    async fn open_postgres(url: &str, owner: &str, migrator: Migrator) -> Result<Self, Error> {
        let enter_schema = format!("set search_path to plexus_{owner}");
        let failures = Failures::default();
        let pool = pool(READERS_MAX * 2, enter_schema, &failures).connect(url).await?;
        let mut connection = pool.acquire().await?;
        // Two replicas that start at once would both try to create it; the lock lets one do so after the other.
        // The statements are one transaction, and the lock lasts to its commit.
        let create =
            format!("select pg_advisory_xact_lock(7253018); create schema if not exists plexus_{owner}");
        connection.execute(sqlx::AssertSqlSafe(create)).await?;
        migrator.run(&mut *connection).await?;
        drop(connection);
        Ok(Self { reads: pool.clone(), writes: Writes::Concurrent(pool), failures })
    }

    /// Runs `job` in one transaction and answers once its commit is durable.
    ///
    /// An `Err` of the job rolls it back. A job does nothing but SQL, since on SQLite it holds the one writer;
    /// there the jobs of concurrent callers share a commit, each in a savepoint of its own.
    ///
    /// # Errors
    /// Those of the job, and [`Error`] when the transaction could not begin or commit.
    pub async fn write<T, E, F>(&self, job: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: for<'c> FnOnce(&'c mut AnyConnection) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
    {
        match &self.writes {
            Writes::Grouped(writer) => writer.run(job).await,
            Writes::Concurrent(pool) => {
                let mut transaction = pool.begin().await.map_err(Error::from)?;
                let value = job(&mut transaction).await?;
                transaction.commit().await.map_err(Error::from)?;
                Ok(value)
            }
        }
    }

    /// Connections for statements that only read.
    #[must_use]
    pub fn reads(&self) -> &AnyPool {
        &self.reads
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it does not answer within a second.
    pub async fn check(&self) -> Result<(), Error> {
        let answered = within(CHECK_TIMEOUT, async { self.reads.execute("select 1").await.map(drop) }).await;
        if answered.is_err() {
            self.failures.note();
        }
        answered
    }

    /// Closes all connections, once what has been started is done.
    pub async fn close(&self) {
        if let Writes::Grouped(writer) = &self.writes {
            writer.close().await;
        }
        self.reads.close().await;
    }
}

/// Makes the file of a SQLite database readable for its owner alone; the files beside it take its mode.
fn make_private(url: &str) -> Result<(), Error> {
    let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
    let path = path.split('?').next().unwrap_or(path);
    let file = std::fs::OpenOptions::new().create(true).append(true).mode(OWNER_ONLY).open(path)?;
    Ok(file.set_permissions(std::fs::Permissions::from_mode(OWNER_ONLY))?)
}

impl Failures {
    fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether a connection that has been idle for `idle` has to show first that it lives.
    fn cast_doubt_on(&self, idle: Duration) -> bool {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        idle > TRUSTED_IDLE || last.is_some_and(|last| last.elapsed() <= idle)
    }
}

fn pool(connections_max: u32, setup: String, failures: &Failures) -> AnyPoolOptions {
    let failures = failures.clone();
    AnyPoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // A round trip before every statement is too dear; only connections in doubt are asked.
        .test_before_acquire(false)
        .before_acquire(move |connection, idle| {
            let doubtful = failures.cast_doubt_on(idle.idle_for);
            Box::pin(async move {
                if doubtful {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(move |connection, _| {
            let setup = setup.clone();
            Box::pin(async move { connection.execute(sqlx::AssertSqlSafe(setup)).await.map(drop) })
        })
}

async fn within<T>(
    limit: Duration,
    statement: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Error> {
    match timeout(limit, statement).await {
        Ok(answer) => Ok(answer?),
        Err(_elapsed) => Err(Error::Unavailable(sqlx::Error::PoolTimedOut)),
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("connections", &self.reads.size()).finish_non_exhaustive()
    }
}

impl Error {
    /// Whether the database itself could not be reached.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// Whether a statement met a row that exists already.
    #[must_use]
    pub fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Statement(sqlx::Error::Database(error)) if error.is_unique_violation())
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error),
            sqlx::Error::Database(database) => match database.code().as_deref() {
                // SQLite: busy, busy with a snapshot; PostgreSQL: serialization failure, deadlock.
                Some("5" | "517" | "40001" | "40P01") => Self::Busy,
                // PostgreSQL: connection failures, too many connections, shutting down or starting up.
                Some(code) if code.starts_with("08") || code.starts_with("57P") || code == "53300" => {
                    Self::Unavailable(error)
                }
                Some("22021") => Self::Nul,
                _ => Self::Statement(error),
            },
            _ => Self::Statement(error),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Unavailable(_) => Self::unavailable("the database", &error),
            Error::Busy => {
                Self::new(Code::ResourceExhausted, Reason::Overloaded, "too many writes wait; try again")
                    .retry_after(BUSY_RETRY)
            }
            Error::Nul => Self::invalid("(request)", "no text may hold the character NUL"),
            Error::Statement(_) | Error::Panicked | Error::Migration(_) | Error::File(_) | Error::Scheme => {
                Self::internal(&error)
            }
        }
    }
}
