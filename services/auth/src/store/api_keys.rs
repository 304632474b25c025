//! API keys: their hashes and times.

use plexus_runtime::stores::database::Database;

use super::{Write, users};
use crate::{
    api_key::{API_KEYS_PER_USER_MAX, ApiKey, KeySecret},
    error::{Error, Kind},
    secrets,
    user::User,
};

type Row = (String, String, String, i64, i64, i64);

fn api_key(
    (api_key_id, user_id, display_name, create_time_us, expire_time_us, revoke_time_us): Row,
) -> ApiKey {
    ApiKey { api_key_id, user_id, display_name, create_time_us, expire_time_us, revoke_time_us }
}

/// Keeps a new key with the hash that `hash` derives from its id, as `write` asks.
///
/// A repeated request gets the key that the first one made.
pub(crate) async fn create(
    database: &Database,
    write: Write,
    new: ApiKey,
    hash: impl FnOnce(&str) -> Vec<u8> + Send + 'static,
) -> Result<ApiKey, Error> {
    database
        .write(move |tx| {
            Box::pin(async move {
                if let Some(answer) = write.replay(tx).await? {
                    return Ok(answer);
                }
                // Taking the user's row keeps the count true and a disabled user out.
                let taken =
                    sqlx::query("update users set disabled = disabled where user_id = $1 and disabled = 0")
                        .bind(new.user_id.clone())
                        .execute(&mut *tx)
                        .await?;
                if taken.rows_affected() == 0 {
                    return Err(Error::WrongState("the user has been disabled"));
                }
                let (count,): (i64,) =
                    sqlx::query_as("select count(*) from api_keys where user_id = $1 and revoke_time_us = 0")
                        .bind(new.user_id.clone())
                        .fetch_one(&mut *tx)
                        .await?;
                if count >= API_KEYS_PER_USER_MAX {
                    return Err(Error::TooMany("you have 100 API keys already; revoke one first"));
                }
                sqlx::query(
                    "insert into api_keys (api_key_id, user_id, display_name, secret_hash, create_time_us, \
                     expire_time_us, revoke_time_us) values ($1, $2, $3, $4, $5, $6, 0)",
                )
                .bind(new.api_key_id.clone())
                .bind(new.user_id.clone())
                .bind(new.display_name.clone())
                .bind(hash(&new.api_key_id))
                .bind(new.create_time_us)
                .bind(new.expire_time_us)
                .execute(&mut *tx)
                .await?;
                write.keep(tx, &new).await?;
                Ok(new)
            })
        })
        .await
}

/// At most `limit` keys of the user whose id comes before `before`, newest first.
pub(crate) async fn list(
    database: &Database,
    user_id: &str,
    before: &str,
    limit: i64,
) -> Result<Vec<ApiKey>, Error> {
    let query = sqlx::query_as::<_, Row>(
        "select api_key_id, user_id, display_name, create_time_us, expire_time_us, revoke_time_us \
         from api_keys where user_id = $1 and api_key_id < $2 order by api_key_id desc limit $3",
    );
    let query = query.bind(user_id.to_owned()).bind(before.to_owned()).bind(limit);
    Ok(query.fetch_all(database.reads()).await?.into_iter().map(api_key).collect())
}

/// Revokes a key of the user, as `write` asks; the time of an earlier revocation stays.
pub(crate) async fn revoke(
    database: &Database,
    write: Write,
    user_id: String,
    api_key_id: String,
) -> Result<ApiKey, Error> {
    database
        .write(move |tx| {
            Box::pin(async move {
                if let Some(answer) = write.replay(tx).await? {
                    return Ok(answer);
                }
                let row: Option<Row> = sqlx::query_as(
                    "update api_keys set revoke_time_us = case when revoke_time_us = 0 then $3 \
                     else revoke_time_us end where api_key_id = $1 and user_id = $2 \
                     returning api_key_id, user_id, display_name, create_time_us, expire_time_us, revoke_time_us",
                )
                .bind(api_key_id.clone())
                .bind(user_id)
                .bind(write.now_us)
                .fetch_optional(&mut *tx)
                .await?;
                let revoked = api_key(row.ok_or_else(|| Error::not_found(Kind::ApiKey, api_key_id))?);
                write.keep(tx, &revoked).await?;
                Ok(revoked)
            })
        })
        .await
}

/// Whether `secret` is the one of the key whose id it carries.
pub(crate) async fn holds(database: &Database, secret: &KeySecret) -> Result<bool, Error> {
    let query = sqlx::query_as::<_, (Vec<u8>,)>("select secret_hash from api_keys where api_key_id = $1");
    let found = query.bind(secret.api_key_id().to_owned()).fetch_optional(database.reads()).await?;
    Ok(found.is_some_and(|(hash,)| secrets::equal(&hash, &secret.hash())))
}

/// The owner of the key with this secret; `None` unless the key works at `now_us` and its owner is not disabled.
pub(crate) async fn owner(
    database: &Database,
    secret: &KeySecret,
    now_us: i64,
) -> Result<Option<User>, Error> {
    if !holds(database, secret).await? {
        return Ok(None);
    }
    let query = sqlx::query_as::<_, Row>(
        "select api_key_id, user_id, display_name, create_time_us, expire_time_us, revoke_time_us \
         from api_keys where api_key_id = $1",
    );
    let found = query.bind(secret.api_key_id().to_owned()).fetch_optional(database.reads()).await?;
    let Some(key) = found.map(api_key).filter(|key| key.is_usable(now_us)) else { return Ok(None) };
    let user = users::find(database.reads(), &key.user_id).await?;
    Ok((!user.disabled).then_some(user))
}
