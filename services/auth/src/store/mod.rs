//! The only SQL of auth: one text for SQLite and PostgreSQL, one function per question.

pub(crate) mod api_keys;
pub(crate) mod keys;
pub(crate) mod roles;
pub(crate) mod sessions;
#[cfg(test)]
mod tests;
pub(crate) mod users;

use plexus_runtime::{
    identity::Caller,
    stores::{
        database::{self, Database},
        requests::{self, RequestKey},
    },
};
use serde::{Serialize, de::DeserializeOwned};
use sqlx::AnyConnection;

use crate::error::Error;

/// Kept answers and ended sessions go after a day: no client repeats a request for longer.
pub(crate) const KEPT_US: i64 = 24 * 3600 * 1_000_000;

/// A write as somebody asked for it.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    /// Who asked.
    pub(crate) caller: Caller,
    /// What tells this request from others.
    pub(crate) key: RequestKey,
    /// When, in epoch microseconds.
    pub(crate) now_us: i64,
}

impl Write {
    /// The answer that this request got before; domain values are kept, so no secret of an answer is.
    async fn replay<T: DeserializeOwned>(&self, tx: &mut AnyConnection) -> Result<Option<T>, Error> {
        let Some(bytes) = requests::replay_bytes(tx, &self.key).await? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(stored)
    }

    /// Keeps the answer in the transaction that did the work.
    async fn keep<T: Serialize + Sync>(&self, tx: &mut AnyConnection, answer: &T) -> Result<(), Error> {
        let bytes = serde_json::to_vec(answer).map_err(stored)?;
        Ok(requests::record_bytes(tx, &self.key, bytes, self.now_us).await?)
    }

    /// The answer that this request got before, outside of any transaction.
    pub(crate) async fn answered<T: DeserializeOwned>(
        &self,
        database: &Database,
    ) -> Result<Option<T>, Error> {
        let mut connection = database.reads().acquire().await?;
        self.replay(&mut connection).await
    }
}

/// Forgets kept answers that are older than a day; says how many.
pub(crate) async fn forget_requests(database: &Database, now_us: i64) -> Result<u64, Error> {
    database
        .write(move |tx| {
            Box::pin(async move {
                let done = sqlx::query("delete from requests where create_time_us < $1")
                    .bind(now_us - KEPT_US)
                    .execute(tx)
                    .await?;
                Ok(done.rows_affected())
            })
        })
        .await
}

fn stored(error: serde_json::Error) -> Error {
    Error::Stored(error.into())
}

/// Whether a statement would have left a row that points nowhere: what it names was deleted at the same moment.
fn points_nowhere(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.is_foreign_key_violation())
}

/// A statement's outcome, where a row that points nowhere means `otherwise`.
fn unless_gone<T>(outcome: Result<T, sqlx::Error>, otherwise: impl FnOnce() -> Error) -> Result<T, Error> {
    outcome.map_err(
        |error| if points_nowhere(&error) { otherwise() } else { database::Error::from(error).into() },
    )
}
