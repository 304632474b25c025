//! Writes that may be repeated: the first answer to a `request_id` is kept and given again.
//!
//! Each service has the table in its own migrations, and notes the answer in the transaction that does the work:
//!
//! ```sql
//! create table requests (
//!     caller text not null, request_id text not null, method text not null,
//!     body_hash bytea not null, answer bytea not null, create_time_us bigint not null,
//!     primary key (caller, request_id)
//! );
//! ```

use prost::Message;
use sha2::{Digest as _, Sha256};
use sqlx::{AnyConnection, Row as _};

use super::database;
use crate::{
    identity::Caller,
    status::{Code, Problem, Reason},
};

/// A `request_id` is a UUID or the like; more is a mistake.
const REQUEST_ID_CHARACTERS_MAX: usize = 64;

/// What tells one write from another: who asked, under which id, for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestKey {
    caller: String,
    request_id: String,
    method: &'static str,
    body_hash: Vec<u8>,
}

/// Why a kept answer cannot be given.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The id was used before for another method or with another body.
    #[error("the request_id was used before with another body")]
    Reused,
    /// The store failed.
    #[error("the kept answer could not be read")]
    Store(#[source] database::Error),
}

impl RequestKey {
    /// The key of `request`, which `caller` sent to `method` under `request_id`.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when the id is empty or longer than 64 characters.
    pub fn new(
        caller: &Caller,
        method: &'static str,
        request_id: &str,
        request: &impl Message,
    ) -> Result<Self, Problem> {
        Self::with_body_hash(caller, method, request_id, Sha256::digest(request.encode_to_vec()).to_vec())
    }

    /// The key of a request whose body must not be hashed as it is, because it holds a secret that could be guessed.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when the id is empty or longer than 64 characters.
    pub fn with_body_hash(
        caller: &Caller,
        method: &'static str,
        request_id: &str,
        body_hash: Vec<u8>,
    ) -> Result<Self, Problem> {
        let length = request_id.chars().count();
        if length == 0 || length > REQUEST_ID_CHARACTERS_MAX || request_id.contains(char::is_control) {
            return Err(Problem::invalid(
                "request_id",
                format!(
                    "must be 1 to {REQUEST_ID_CHARACTERS_MAX} characters, made by the client and new for each write"
                ),
            ));
        }
        Ok(Self { caller: caller.subject().to_owned(), request_id: request_id.to_owned(), method, body_hash })
    }
}

/// The answer that was given to `key` before, if any.
///
/// # Errors
/// [`ReplayError::Reused`] when the id stands for another write.
pub async fn replay<M: Message + Default>(
    tx: &mut AnyConnection,
    key: &RequestKey,
) -> Result<Option<M>, ReplayError> {
    let Some(bytes) = replay_bytes(tx, key).await? else { return Ok(None) };
    // What was written here decodes, unless the answer's type was changed against the rules of the contract.
    let answer = M::decode(bytes.as_slice())
        .map_err(|error| ReplayError::Store(database::Error::Statement(sqlx::Error::Decode(error.into()))))?;
    Ok(Some(answer))
}

/// The encoded answer that was given to `key` before, if any.
///
/// # Errors
/// [`ReplayError::Reused`] when the id stands for another write.
pub async fn replay_bytes(tx: &mut AnyConnection, key: &RequestKey) -> Result<Option<Vec<u8>>, ReplayError> {
    wait_for_twin(tx, key).await?;
    let row =
        sqlx::query("select method, body_hash, answer from requests where caller = $1 and request_id = $2")
            .bind(key.caller.clone())
            .bind(key.request_id.clone())
            .fetch_optional(tx)
            .await
            .map_err(|error| ReplayError::Store(error.into()))?;
    let Some(row) = row else { return Ok(None) };
    let (method, body_hash): (String, Vec<u8>) = (row.get(0), row.get(1));
    if method != key.method || body_hash != key.body_hash {
        return Err(ReplayError::Reused);
    }
    Ok(Some(row.get(2)))
}

/// Waits until a transaction that answers the same request at this moment is over, so that its answer is seen
/// and not its effect. SQLite has one writer, where this is so anyway.
async fn wait_for_twin(tx: &mut AnyConnection, key: &RequestKey) -> Result<(), ReplayError> {
    if tx.backend_name() != "PostgreSQL" {
        return Ok(());
    }
    let mut hash = Sha256::new();
    hash.update(&key.caller);
    hash.update([0]);
    hash.update(&key.request_id);
    let digest: [u8; 32] = hash.finalize().into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    sqlx::query("select cast(1 as bigint) from (select pg_advisory_xact_lock($1)) as locked")
        .bind(i64::from_be_bytes([a, b, c, d, e, f, g, h]))
        .execute(tx)
        .await
        .map_err(|error| ReplayError::Store(error.into()))?;
    Ok(())
}

/// Keeps `answer` for `key`, in the transaction that did the work.
///
/// # Errors
/// When the statement fails; a unique violation means that the same request is being answered elsewhere.
pub async fn record(
    tx: &mut AnyConnection,
    key: &RequestKey,
    answer: &impl Message,
    now_us: i64,
) -> Result<(), database::Error> {
    record_bytes(tx, key, answer.encode_to_vec(), now_us).await
}

/// Keeps an encoded answer for `key`, in the transaction that did the work.
///
/// # Errors
/// When the statement fails; a unique violation means that the same request is being answered elsewhere.
pub async fn record_bytes(
    tx: &mut AnyConnection,
    key: &RequestKey,
    answer: Vec<u8>,
    now_us: i64,
) -> Result<(), database::Error> {
    sqlx::query(
        "insert into requests (caller, request_id, method, body_hash, answer, create_time_us) \
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(key.caller.clone())
    .bind(key.request_id.clone())
    .bind(key.method)
    .bind(key.body_hash.clone())
    .bind(answer)
    .bind(now_us)
    .execute(tx)
    .await
    .map_err(|error| match database::Error::from(error) {
        // The same request runs twice at this moment; its repetition will find the answer.
        error if error.is_unique_violation() => database::Error::Busy,
        error => error,
    })?;
    Ok(())
}

impl From<ReplayError> for Problem {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Reused => Self::new(
                Code::AlreadyExists,
                Reason::RequestIdReused,
                "this request_id was used before with another body; make a new one for each write",
            ),
            ReplayError::Store(error) => error.into(),
        }
    }
}

impl From<database::Error> for ReplayError {
    fn from(error: database::Error) -> Self {
        Self::Store(error)
    }
}
