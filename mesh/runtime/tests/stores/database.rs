//! The durable store on SQLite and on PostgreSQL.

use futures_util::future::join_all;
use plexus_runtime::stores::database::{Database, Error};
use plexus_testkit::{
    PostgresServer,
    stores::{each_engine, fresh_database},
};
use sqlx::Row as _;

use crate::Notes;

#[derive(Debug, thiserror::Error)]
enum WriteError {
    #[error("refused")]
    Refused,
    #[error("store")]
    Store(#[from] Error),
}

impl From<sqlx::Error> for WriteError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

async fn add(database: &Database, id: String, refuse: bool) -> Result<i64, WriteError> {
    database
        .write(move |tx| {
            Box::pin(async move {
                let row =
                    sqlx::query("insert into notes (id, body, size) values ($1, $2, $3) returning size")
                        .bind(id)
                        .bind("täxt")
                        .bind(7_i64)
                        .fetch_one(&mut *tx)
                        .await?;
                if refuse { Err(WriteError::Refused) } else { Ok(row.get::<i64, _>(0)) }
            })
        })
        .await
}

async fn ids(database: &Database) -> Vec<String> {
    let rows = sqlx::query("select id from notes order by id").fetch_all(database.reads()).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn what_a_write_acknowledged_is_read_back() {
    each_engine::<Notes, _, _>(|database| async move {
        assert_eq!(add(&database, "a".to_owned(), false).await.unwrap(), 7);
        assert_eq!(ids(&database).await, ["a"]);
    })
    .await;
}

#[tokio::test]
async fn a_refused_job_leaves_nothing_and_its_neighbours_in_the_same_commit_stay() {
    each_engine::<Notes, _, _>(|database| async move {
        let outcomes = join_all((0..60).map(|n| add(&database, format!("{n:03}"), n % 3 == 0))).await;
        let kept: Vec<String> = (0..60).filter(|n| n % 3 != 0).map(|n| format!("{n:03}")).collect();
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), kept.len());
        assert_eq!(ids(&database).await, kept);
    })
    .await;
}

#[tokio::test]
async fn a_job_that_fails_on_a_statement_does_not_spoil_the_others() {
    each_engine::<Notes, _, _>(|database| async move {
        let outcomes = join_all((0..20).map(|n| add(&database, format!("same-{}", n % 2), false))).await;
        let failures = outcomes.iter().filter_map(|outcome| match outcome {
            Err(WriteError::Store(error)) => Some(error),
            _ => None,
        });
        assert_eq!(failures.filter(|error| error.is_unique_violation()).count(), 18);
        assert_eq!(ids(&database).await, ["same-0", "same-1"]);
    })
    .await;
}

#[tokio::test]
async fn a_job_that_panics_is_rolled_back_and_the_writer_lives_on() {
    let folder = tempfile::TempDir::new().unwrap();
    let url = plexus_testkit::stores::sqlite_url(&folder);
    let migrations = <Notes as plexus_runtime::service::Service>::migrations();
    let database = Database::open(&url, "notes", migrations).await.unwrap();
    let outcome: Result<(), WriteError> = database
        .write(|tx| {
            Box::pin(async move {
                sqlx::query("insert into notes (id, body, size) values ('x', '', 0)")
                    .execute(&mut *tx)
                    .await?;
                panic!("a bug in a job");
            })
        })
        .await;
    assert!(matches!(outcome, Err(WriteError::Store(Error::Panicked))));
    add(&database, "after".to_owned(), false).await.unwrap();
    assert_eq!(ids(&database).await, ["after"]);
}

#[tokio::test]
async fn a_reader_cannot_write() {
    let folder = tempfile::TempDir::new().unwrap();
    let url = plexus_testkit::stores::sqlite_url(&folder);
    let migrations = <Notes as plexus_runtime::service::Service>::migrations();
    let database = Database::open(&url, "notes", migrations).await.unwrap();
    let written =
        sqlx::query("insert into notes (id, body, size) values ('x', '', 0)").execute(database.reads()).await;
    assert!(written.is_err());
}

#[tokio::test]
async fn two_services_on_one_postgres_database_do_not_see_each_other() {
    let url = plexus_testkit::stores::fresh_postgres().await.unwrap();
    let open = |owner: &'static str| {
        let url = url.clone();
        async move {
            Database::open(&url, owner, <Notes as plexus_runtime::service::Service>::migrations())
                .await
                .unwrap()
        }
    };
    // At once, as the services of a mesh start.
    let (one, other) = tokio::join!(open("one"), open("other"));
    add(&one, "a".to_owned(), false).await.unwrap();
    assert_eq!(ids(&one).await, ["a"]);
    assert!(ids(&other).await.is_empty());
}

#[tokio::test]
async fn a_url_of_neither_engine_is_refused_with_what_to_write() {
    let migrations = <Notes as plexus_runtime::service::Service>::migrations();
    let refused = Database::open("mysql://x", "notes", migrations).await.unwrap_err();
    assert!(refused.to_string().contains("must begin with sqlite: or postgres:"));
}

#[tokio::test]
async fn connections_that_died_with_the_server_are_replaced_before_they_are_used() {
    let mut server = PostgresServer::start().await.unwrap();
    let url = fresh_database(&server.url()).await.unwrap();
    let migrations = <Notes as plexus_runtime::service::Service>::migrations();
    let database = Database::open(&url, "notes", migrations).await.unwrap();
    let write_all = |prefix: &'static str| {
        let database = database.clone();
        async move { join_all((0..8).map(|n| add(&database, format!("{prefix}-{n}"), false))).await }
    };
    assert!(write_all("before").await.iter().all(Result::is_ok), "several connections are open and idle");

    server.stop().await;
    assert!(database.check().await.is_err());
    server.resume().await.unwrap();
    // The pool still holds the others, none of which has been used since.
    for outcome in write_all("after").await {
        outcome.unwrap();
    }
}

#[tokio::test]
async fn the_files_of_a_database_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::TempDir::new().unwrap();
    // As an older version, or another program, may have left it.
    let file = folder.path().join("store.db");
    std::fs::write(&file, "").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let url = plexus_testkit::stores::sqlite_url(&folder);
    let migrations = <Notes as plexus_runtime::service::Service>::migrations();
    let database = Database::open(&url, "notes", migrations).await.unwrap();
    add(&database, "a".to_owned(), false).await.unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
    }
}
