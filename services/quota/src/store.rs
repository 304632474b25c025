//! The only SQL: one folder, one file per group of questions, the same text on SQLite and PostgreSQL.
//!
//! Every write is about one subject. Its transaction changes the subject's row in `subjects` before anything
//! else, which makes the writes about a subject follow each other on PostgreSQL as they do on SQLite, and rules
//! out deadlocks: nobody waits for a second lock. The limits do not rest on that: the statement that counts
//! compares with the limit in the same row.

mod alerts;
mod counters;
mod history;
mod limits;
mod reservations;
mod reserve;
mod rows;
mod settle;
#[cfg(test)]
mod tests;
mod usage;
mod wallets;

use futures_util::future::BoxFuture;
use plexus_runtime::stores::{
    database::Database,
    requests::{self, RequestKey},
};
use prost::Message;
use sqlx::{AnyConnection, Row as _};

pub(crate) use alerts::{Alert, AlertKey};
pub(crate) use history::Cutoffs;
pub(crate) use limits::LimitKey;
pub(crate) use reservations::Outcome;
pub(crate) use reserve::{Extension, Order};
pub(crate) use wallets::{EntryKey, TopUp};

use crate::{error::Error, limit::DefaultLimits};

/// The limits, counts, reservations, wallets and the ledger.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    database: Database,
    defaults: DefaultLimits,
}

/// A write that may be repeated.
pub(crate) struct Write {
    /// What tells it from others.
    pub(crate) key: RequestKey,
    /// The present moment, epoch microseconds.
    pub(crate) now_us: i64,
}

/// Whom a write is about.
enum About {
    Subject(String),
    SubjectOfReservation(String),
}

impl Store {
    /// The store in `database`, whose schema is up to date.
    pub(crate) fn new(database: Database, defaults: DefaultLimits) -> Self {
        Self { database, defaults }
    }

    /// Runs `job` once for the write's key, and answers as the first time when it is repeated.
    ///
    /// A refusal leaves nothing behind, not even the key.
    async fn once<M, F>(&self, write: Write, about: About, job: F) -> Result<M, Error>
    where
        M: Message + Default + 'static,
        F: for<'c> FnOnce(&'c mut AnyConnection, i64) -> BoxFuture<'c, Result<M, Error>> + Send + 'static,
    {
        let Write { key, now_us } = write;
        self.database
            .write(move |tx| {
                Box::pin(async move {
                    lock(tx, about).await?;
                    if let Some(answer) = requests::replay(tx, &key).await? {
                        return Ok(answer);
                    }
                    let answer = job(tx, now_us).await?;
                    requests::record(tx, &key, &answer, now_us).await?;
                    Ok(answer)
                })
            })
            .await
    }
}

/// Makes this transaction the only one that writes about the subject until it ends.
async fn lock(tx: &mut AnyConnection, about: About) -> Result<(), Error> {
    match about {
        About::Subject(subject) => {
            sqlx::query(
                "insert into subjects (subject, version) values ($1, 1) \
                 on conflict (subject) do update set version = subjects.version + 1",
            )
            .bind(subject)
            .execute(tx)
            .await?;
        }
        About::SubjectOfReservation(id) => {
            let row = sqlx::query(
                "update subjects set version = version + 1 \
                 where subject = (select subject from reservations where reservation_id = $1) returning version",
            )
            .bind(id.clone())
            .fetch_optional(tx)
            .await?;
            let _version: i64 = row.ok_or(Error::ReservationNotFound { id })?.try_get(0)?;
        }
    }
    Ok(())
}
