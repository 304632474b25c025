//! Fresh databases for the suites of stores.

use std::future::Future;

use anyhow::{Context as _, Result};
use plexus_runtime::{service::Service, stores::database::Database};
use sqlx::Connection as _;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::process::PostgresServer;

/// Runs `suite` on a fresh SQLite database and on a fresh PostgreSQL database of the service `S`.
///
/// # Panics
/// When a database cannot be made: a suite that did not run must not look like one that passed.
pub async fn each_engine<S, F, T>(suite: F)
where
    S: Service,
    F: Fn(Database) -> T,
    T: Future<Output = ()>,
{
    let folder = TempDir::new().expect("a temporary folder");
    let url = sqlite_url(&folder);
    let sqlite = Database::open(&url, S::NAME, S::migrations()).await.expect("a SQLite database");
    suite(sqlite.clone()).await;
    sqlite.close().await;

    let url = fresh_postgres().await.expect("a PostgreSQL database");
    let postgres = Database::open(&url, S::NAME, S::migrations()).await.expect("a PostgreSQL database");
    suite(postgres.clone()).await;
    postgres.close().await;
}

/// The URL of a SQLite database in `folder`.
#[must_use]
pub fn sqlite_url(folder: &TempDir) -> String {
    format!("sqlite://{}/store.db?mode=rwc", folder.path().display())
}

/// The URL of a new, empty PostgreSQL database on a server that all tests of this process share.
///
/// # Errors
/// When PostgreSQL is not installed or does not come up.
pub async fn fresh_postgres() -> Result<String> {
    static SERVER: OnceCell<PostgresServer> = OnceCell::const_new();
    let server = SERVER.get_or_try_init(PostgresServer::start).await?;
    fresh_database(&server.url()).await
}

/// The URL of a new, empty database on the server whose maintenance database is at `url`.
///
/// # Errors
/// When the server does not answer.
pub async fn fresh_database(url: &str) -> Result<String> {
    sqlx::any::install_default_drivers();
    let name = format!("test_{}", uuid::Uuid::new_v4().simple());
    let mut connection =
        sqlx::AnyConnection::connect(url).await.context("the test server does not answer")?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("create database {name}"))).execute(&mut connection).await?;
    connection.close().await?;
    let (server, _) = url.rsplit_once('/').context("a URL with a database")?;
    Ok(format!("{server}/{name}"))
}
