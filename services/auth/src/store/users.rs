//! Users and the roles they hold.

use plexus_runtime::stores::database::Database;
use sqlx::{Any, AnyConnection, AssertSqlSafe, Executor};

use super::{Write, roles, unless_gone};
use crate::{
    error::{Error, Kind},
    user::{self, Change, User, login_key},
};

/// A user and the hash of their password.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) user: User,
    pub(crate) password_hash: String,
}

/// A new password for a user.
pub(crate) struct PasswordChange {
    pub(crate) user_id: String,
    /// The session that goes on.
    pub(crate) session_id: String,
    /// The hash that was checked; another one means that the password changed meanwhile.
    pub(crate) old_hash: String,
    pub(crate) new_hash: String,
}

type Row = (String, String, String, i64, i64, i64, String, String);

/// The users that `chosen` (a where clause with what follows) chooses, one row per role.
fn select(chosen: &'static str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!(
        "select u.user_id, u.login_name, u.display_name, u.disabled, u.create_time_us, u.update_time_us, \
         u.password_hash, coalesce(r.role_name, '') \
         from (select * from users {chosen}) u left join user_roles r on r.user_id = u.user_id \
         order by u.login_key, r.role_name"
    ))
}

fn fold(rows: Vec<Row>) -> Vec<Credentials> {
    let mut users: Vec<Credentials> = Vec::new();
    for (user_id, login_name, display_name, disabled, create_time_us, update_time_us, password_hash, role) in
        rows
    {
        if users.last().is_none_or(|last| last.user.user_id != user_id) {
            let (roles, disabled) = (Vec::new(), disabled != 0);
            let user =
                User { user_id, login_name, display_name, roles, disabled, create_time_us, update_time_us };
            users.push(Credentials { user, password_hash });
        }
        if let Some(last) = users.last_mut()
            && !role.is_empty()
        {
            last.user.roles.push(role);
        }
    }
    users
}

/// The user with this id.
pub(crate) async fn find<'e>(store: impl Executor<'e, Database = Any>, user_id: &str) -> Result<User, Error> {
    credentials(store, user_id).await.map(|found| found.user)
}

/// The user with this id, and their password's hash.
pub(crate) async fn credentials<'e>(
    store: impl Executor<'e, Database = Any>,
    user_id: &str,
) -> Result<Credentials, Error> {
    let rows = sqlx::query_as(select("where user_id = $1")).bind(user_id.to_owned()).fetch_all(store).await?;
    fold(rows).pop().ok_or_else(|| Error::not_found(Kind::User, user_id))
}

/// The user with this login name in whatever case, and their password's hash.
pub(crate) async fn by_login_name(
    database: &Database,
    login_name: &str,
) -> Result<Option<Credentials>, Error> {
    let query = sqlx::query_as(select("where login_key = $1")).bind(login_key(login_name));
    Ok(fold(query.fetch_all(database.reads()).await?).pop())
}

/// At most `limit` users whose login key comes after `after`, in its order.
pub(crate) async fn list(database: &Database, after: &str, limit: i64) -> Result<Vec<User>, Error> {
    let query = sqlx::query_as(select("where login_key > $1 order by login_key limit $2"));
    let rows = query.bind(after.to_owned()).bind(limit).fetch_all(database.reads()).await?;
    Ok(fold(rows).into_iter().map(|found| found.user).collect())
}

/// Creates a user as `write` asks.
pub(crate) async fn create(database: &Database, write: Write, new: Credentials) -> Result<User, Error> {
    database
        .write(move |tx| {
            Box::pin(async move {
                if let Some(answer) = write.replay(tx).await? {
                    return Ok(answer);
                }
                let granted = roles::named(tx, &new.user.roles).await?;
                user::check_grant(&write.caller, &granted)?;
                if !insert(tx, &new).await? {
                    return Err(Error::LoginNameTaken(new.user.login_name));
                }
                write.keep(tx, &new.user).await?;
                Ok(new.user)
            })
        })
        .await
}

/// Inserts a user with their roles; `false` when the login name is taken.
pub(super) async fn insert(tx: &mut AnyConnection, new: &Credentials) -> Result<bool, Error> {
    let user = new.user.clone();
    let inserted = sqlx::query(
        "insert into users (user_id, login_name, login_key, display_name, password_hash, disabled, \
         create_time_us, update_time_us, login_time_us) values ($1, $2, $3, $4, $5, 0, $6, $7, 0) \
         on conflict (login_key) do nothing",
    )
    .bind(user.user_id.clone())
    .bind(user.login_name.clone())
    .bind(login_key(&user.login_name))
    .bind(user.display_name)
    .bind(new.password_hash.clone())
    .bind(user.create_time_us)
    .bind(user.update_time_us)
    .execute(&mut *tx)
    .await?;
    if inserted.rows_affected() == 0 {
        return Ok(false);
    }
    give_roles(tx, &user.user_id, &user.roles).await?;
    Ok(true)
}

async fn give_roles(tx: &mut AnyConnection, user_id: &str, roles: &[String]) -> Result<(), Error> {
    for role in roles {
        let given = sqlx::query("insert into user_roles (user_id, role_name) values ($1, $2)")
            .bind(user_id.to_owned())
            .bind(role.clone())
            .execute(&mut *tx)
            .await;
        unless_gone(given, || Error::not_found(Kind::Role, role.clone()))?;
    }
    Ok(())
}

/// Changes a user as `write` asks.
pub(crate) async fn update(
    database: &Database,
    write: Write,
    user_id: String,
    change: Change,
) -> Result<User, Error> {
    database
        .write(move |tx| {
            Box::pin(async move {
                if let Some(answer) = write.replay(tx).await? {
                    return Ok(answer);
                }
                // First of all the row is taken, so that what is read next stays true.
                let taken = sqlx::query("update users set update_time_us = $2 where user_id = $1")
                    .bind(user_id.clone())
                    .bind(write.now_us)
                    .execute(&mut *tx)
                    .await?;
                if taken.rows_affected() == 0 {
                    return Err(Error::not_found(Kind::User, user_id));
                }
                if let Some(new) = &change.roles {
                    replace_roles(tx, &write, &user_id, new).await?;
                }
                if let Some(display_name) = change.display_name {
                    sqlx::query("update users set display_name = $2 where user_id = $1")
                        .bind(user_id.clone())
                        .bind(display_name)
                        .execute(&mut *tx)
                        .await?;
                }
                let user = find(&mut *tx, &user_id).await?;
                write.keep(tx, &user).await?;
                Ok(user)
            })
        })
        .await
}

async fn replace_roles(
    tx: &mut AnyConnection,
    write: &Write,
    user_id: &str,
    new: &[String],
) -> Result<(), Error> {
    let old = find(&mut *tx, user_id).await?.roles;
    let (old, granted) = (roles::named(tx, &old).await?, roles::named(tx, new).await?);
    user::check_regrant(&write.caller, user_id, &old, &granted)?;
    sqlx::query("delete from user_roles where user_id = $1")
        .bind(user_id.to_owned())
        .execute(&mut *tx)
        .await?;
    give_roles(tx, user_id, new).await
}

/// Disables a user, ends their sessions and revokes their API keys.
pub(crate) async fn disable(database: &Database, write: Write, user_id: String) -> Result<User, Error> {
    database
        .write(move |tx| {
            Box::pin(async move {
                if let Some(answer) = write.replay(tx).await? {
                    return Ok(answer);
                }
                let taken =
                    sqlx::query("update users set disabled = 1, update_time_us = $2 where user_id = $1")
                        .bind(user_id.clone())
                        .bind(write.now_us)
                        .execute(&mut *tx)
                        .await?;
                if taken.rows_affected() == 0 {
                    return Err(Error::not_found(Kind::User, user_id));
                }
                let user = find(&mut *tx, &user_id).await?;
                let held = roles::named(tx, &user.roles).await?;
                user::check_disable(&write.caller, &user_id, &held)?;
                for end in [
                    "update sessions set end_time_us = $2 where user_id = $1 and end_time_us = 0",
                    "update api_keys set revoke_time_us = $2 where user_id = $1 and revoke_time_us = 0",
                ] {
                    sqlx::query(end).bind(user_id.clone()).bind(write.now_us).execute(&mut *tx).await?;
                }
                write.keep(tx, &user).await?;
                Ok(user)
            })
        })
        .await
}

/// Changes a password and ends the user's other sessions.
pub(crate) async fn change_password(
    database: &Database,
    write: Write,
    change: PasswordChange,
) -> Result<(), Error> {
    database
        .write(move |tx| {
            Box::pin(async move {
                if write.replay::<()>(tx).await?.is_some() {
                    return Ok(());
                }
                let changed = sqlx::query(
                    "update users set password_hash = $3, update_time_us = $4 \
                     where user_id = $1 and password_hash = $2 and disabled = 0",
                )
                .bind(change.user_id.clone())
                .bind(change.old_hash)
                .bind(change.new_hash)
                .bind(write.now_us)
                .execute(&mut *tx)
                .await?;
                if changed.rows_affected() == 0 {
                    return Err(Error::WrongCredentials);
                }
                sqlx::query(
                    "update sessions set end_time_us = $3 \
                     where user_id = $1 and session_id <> $2 and end_time_us = 0",
                )
                .bind(change.user_id)
                .bind(change.session_id)
                .bind(write.now_us)
                .execute(&mut *tx)
                .await?;
                write.keep(tx, &()).await
            })
        })
        .await
}
