//! Sessions: one row each, changed by one conditional statement per refresh.

use plexus_runtime::stores::database::Database;
use sqlx::AnyConnection;

use super::{KEPT_US, users};
use crate::{error::Error, refresh_token::RefreshToken, user::User};

/// How long sessions last, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetime {
    /// Without a refresh.
    pub(crate) idle_us: i64,
    /// At most.
    pub(crate) most_us: i64,
}

/// What became of a refresh.
#[derive(Debug)]
pub(crate) enum Refreshed {
    /// The next token works now, until then (epoch microseconds).
    Rotated(User, i64),
    /// The session is unknown, ended, expired, or its user is disabled.
    Over,
    /// The token had been used before; the session has been ended.
    Reused,
}

/// Begins the session of `token` for the user whose password was checked to have the hash `password_hash`.
///
/// `None` when the user was disabled or changed the password meanwhile; otherwise when the token expires.
pub(crate) async fn begin(
    database: &Database,
    credentials: users::Credentials,
    token: RefreshToken,
    times: (i64, Lifetime),
) -> Result<Option<i64>, Error> {
    let (now_us, lifetime) = times;
    let idle_expire_time_us = now_us + lifetime.idle_us.min(lifetime.most_us);
    database
        .write(move |tx| {
            Box::pin(async move {
                // Taking the user's row puts this before or after a change of password, never beside it.
                let taken = sqlx::query(
                    "update users set login_time_us = $3 \
                     where user_id = $1 and password_hash = $2 and disabled = 0",
                )
                .bind(credentials.user.user_id.clone())
                .bind(credentials.password_hash)
                .bind(now_us)
                .execute(&mut *tx)
                .await?;
                if taken.rows_affected() == 0 {
                    return Ok(None);
                }
                sqlx::query(
                    "insert into sessions (session_id, user_id, family_hash, refresh_hash, create_time_us, \
                     idle_expire_time_us, expire_time_us, end_time_us) values ($1, $2, $3, $4, $5, $6, $7, 0)",
                )
                .bind(token.session_id())
                .bind(credentials.user.user_id)
                .bind(token.family_hash().to_vec())
                .bind(token.secret_hash().to_vec())
                .bind(now_us)
                .bind(idle_expire_time_us)
                .bind(now_us + lifetime.most_us)
                .execute(&mut *tx)
                .await?;
                Ok(Some(idle_expire_time_us))
            })
        })
        .await
}

/// Puts `next` in the place of `token`, if `token` is the one that works.
pub(crate) async fn rotate(
    database: &Database,
    token: RefreshToken,
    next: RefreshToken,
    times: (i64, Lifetime),
) -> Result<Refreshed, Error> {
    let (now_us, lifetime) = times;
    database
        .write(move |tx| {
            Box::pin(async move {
                // Of two callers with one token the second finds another hash here, on either engine.
                let rotated: Option<(String, i64)> = sqlx::query_as(
                    "update sessions set refresh_hash = $4, idle_expire_time_us = \
                     case when expire_time_us < $6 then expire_time_us else $6 end \
                     where session_id = $1 and family_hash = $2 and refresh_hash = $3 and end_time_us = 0 \
                     and idle_expire_time_us > $5 and expire_time_us > $5 \
                     and exists (select 1 from users u where u.user_id = sessions.user_id and u.disabled = 0) \
                     returning user_id, idle_expire_time_us",
                )
                .bind(token.session_id())
                .bind(token.family_hash().to_vec())
                .bind(token.secret_hash().to_vec())
                .bind(next.secret_hash().to_vec())
                .bind(now_us)
                .bind(now_us + lifetime.idle_us)
                .fetch_optional(&mut *tx)
                .await?;
                match rotated {
                    Some((user_id, expire_time_us)) => {
                        Ok(Refreshed::Rotated(users::find(tx, &user_id).await?, expire_time_us))
                    }
                    None => refuse(tx, &token, now_us).await,
                }
            })
        })
        .await
}

/// Ends the session of a token that was given out once and no longer works.
async fn refuse(tx: &mut AnyConnection, token: &RefreshToken, now_us: i64) -> Result<Refreshed, Error> {
    let reused = sqlx::query(
        "update sessions set end_time_us = $4 \
         where session_id = $1 and family_hash = $2 and refresh_hash <> $3 and end_time_us = 0 \
         and idle_expire_time_us > $4 and expire_time_us > $4",
    )
    .bind(token.session_id())
    .bind(token.family_hash().to_vec())
    .bind(token.secret_hash().to_vec())
    .bind(now_us)
    .execute(tx)
    .await?;
    Ok(if reused.rows_affected() == 0 { Refreshed::Over } else { Refreshed::Reused })
}

/// Ends the session of `token`, whether it is the newest or an older one.
pub(crate) async fn end(database: &Database, token: RefreshToken, now_us: i64) -> Result<(), Error> {
    database
        .write(move |tx| {
            Box::pin(async move {
                sqlx::query(
                    "update sessions set end_time_us = $3 \
                     where session_id = $1 and family_hash = $2 and end_time_us = 0",
                )
                .bind(token.session_id())
                .bind(token.family_hash().to_vec())
                .bind(now_us)
                .execute(tx)
                .await?;
                Ok(())
            })
        })
        .await
}

/// Forgets sessions that have been over for a day; says how many.
pub(crate) async fn forget(database: &Database, now_us: i64) -> Result<u64, Error> {
    database
        .write(move |tx| {
            Box::pin(async move {
                let done = sqlx::query(
                    "delete from sessions where idle_expire_time_us < $1 \
                     or (end_time_us <> 0 and end_time_us < $1)",
                )
                .bind(now_us - KEPT_US)
                .execute(tx)
                .await?;
                Ok(done.rows_affected())
            })
        })
        .await
}
