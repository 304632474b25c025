//! The keys of the server, and the marks of its first start: each made once, whoever comes first.

use plexus_runtime::stores::database::Database;

use super::users::{self, Credentials};
use crate::error::Error;

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Signing access tokens: PKCS#8.
    Signing,
    /// Deriving what must not be stored.
    Derivation,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Signing => "signing",
            Self::Derivation => "derivation",
        }
    }
}

/// The key for `purpose`: the one in the store, or `candidate` when there is none yet.
///
/// Of replicas that start at the same moment one inserts its candidate and all get that one.
pub(crate) async fn settle(
    database: &Database,
    purpose: Purpose,
    candidate: Vec<u8>,
    now_us: i64,
) -> Result<Vec<u8>, Error> {
    database
        .write(move |tx| {
            Box::pin(async move {
                sqlx::query(
                    "insert into secret_keys (purpose, number, material, create_time_us) \
                     values ($1, 1, $2, $3) on conflict (purpose, number) do nothing",
                )
                .bind(purpose.name())
                .bind(candidate)
                .bind(now_us)
                .execute(&mut *tx)
                .await?;
                let (material,): (Vec<u8>,) =
                    sqlx::query_as("select material from secret_keys where purpose = $1 and number = 1")
                        .bind(purpose.name())
                        .fetch_one(&mut *tx)
                        .await?;
                Ok(material)
            })
        })
        .await
}

/// Whether the first administrator has been made.
pub(crate) async fn is_started(database: &Database) -> Result<bool, Error> {
    let query = sqlx::query_as::<_, (i64,)>("select only_row from first_start");
    Ok(query.fetch_optional(database.reads()).await?.is_some())
}

/// Makes the first administrator; `false` when another replica has.
pub(crate) async fn make_administrator(database: &Database, new: Credentials) -> Result<bool, Error> {
    database
        .write(move |tx| {
            Box::pin(async move {
                let first = sqlx::query(
                    "insert into first_start (only_row, create_time_us) values (1, $1) \
                     on conflict (only_row) do nothing",
                )
                .bind(new.user.create_time_us)
                .execute(&mut *tx)
                .await?;
                if first.rows_affected() == 0 {
                    return Ok(false);
                }
                users::insert(tx, &new).await
            })
        })
        .await
}
