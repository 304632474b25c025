//! Roles, and the version of what verifiers of tokens have to know.

use plexus_runtime::stores::database::Database;
use sqlx::{Any, AnyConnection, Executor};

use super::{Write, stored, unless_gone};
use crate::{
    error::{Error, Kind},
    permissions,
    role::{ROLES_MAX, Role},
};

const HELD: &str = "users hold this role; take it from them first";

type Row = (String, String, i64);

fn role((name, held, built_in): Row) -> Result<Role, Error> {
    let permissions = match permissions::of_built_in(&name) {
        Some(permissions) => permissions,
        None => serde_json::from_str(&held).map_err(stored)?,
    };
    Ok(Role { name, permissions, built_in: built_in != 0 })
}

/// All roles by name; there are at most [`ROLES_MAX`].
pub(crate) async fn all<'e>(store: impl Executor<'e, Database = Any>) -> Result<Vec<Role>, Error> {
    let query = sqlx::query_as::<_, Row>("select name, permissions, built_in from roles order by name");
    query.fetch_all(store).await?.into_iter().map(role).collect()
}

/// At most `limit` roles whose name comes after `after`.
pub(crate) async fn list(database: &Database, after: &str, limit: i64) -> Result<Vec<Role>, Error> {
    let query = sqlx::query_as::<_, Row>(
        "select name, permissions, built_in from roles where name > $1 order by name limit $2",
    );
    let rows = query.bind(after.to_owned()).bind(limit).fetch_all(database.reads()).await?;
    rows.into_iter().map(role).collect()
}

/// The role called `name`.
pub(crate) async fn find<'e>(
    store: impl Executor<'e, Database = Any>,
    name: &str,
) -> Result<Option<Role>, Error> {
    let query = sqlx::query_as::<_, Row>("select name, permissions, built_in from roles where name = $1");
    query.bind(name.to_owned()).fetch_optional(store).await?.map(role).transpose()
}

/// The roles with these names; an unknown one is an error.
pub(super) async fn named(tx: &mut AnyConnection, names: &[String]) -> Result<Vec<Role>, Error> {
    let all = all(tx).await?;
    let find = |name: &String| all.iter().find(|role| role.name == *name).cloned();
    names.iter().map(|name| find(name).ok_or_else(|| Error::not_found(Kind::Role, name.clone()))).collect()
}

/// Creates a role or replaces its permissions, as `write` asks.
pub(crate) async fn set(database: &Database, write: Write, new: Role) -> Result<Role, Error> {
    database
        .write(move |tx| {
            Box::pin(async move {
                if let Some(answer) = write.replay(tx).await? {
                    return Ok(answer);
                }
                // The version row is taken first: changes of roles come one after the other.
                next_version(tx).await?;
                let old = find(&mut *tx, &new.name).await?;
                new.check_replaces(&write.caller, old.as_ref())?;
                if old.is_none() {
                    let (count,): (i64,) =
                        sqlx::query_as("select count(*) from roles").fetch_one(&mut *tx).await?;
                    if count >= ROLES_MAX {
                        return Err(Error::TooMany("there are 256 roles already; delete one first"));
                    }
                }
                sqlx::query(
                    "insert into roles (name, permissions, built_in) values ($1, $2, 0) \
                     on conflict (name) do update set permissions = excluded.permissions",
                )
                .bind(new.name.clone())
                .bind(serde_json::to_string(&new.permissions).map_err(stored)?)
                .execute(&mut *tx)
                .await?;
                write.keep(tx, &new).await?;
                Ok(new)
            })
        })
        .await
}

/// Deletes a role that no user holds, as `write` asks.
pub(crate) async fn delete(database: &Database, write: Write, name: String) -> Result<(), Error> {
    database
        .write(move |tx| {
            Box::pin(async move {
                if write.replay::<()>(tx).await?.is_some() {
                    return Ok(());
                }
                next_version(tx).await?;
                let old = find(&mut *tx, &name).await?;
                old.ok_or_else(|| Error::not_found(Kind::Role, name.clone()))?
                    .check_removable(&write.caller)?;
                let holder: Option<(String,)> =
                    sqlx::query_as("select user_id from user_roles where role_name = $1 limit 1")
                        .bind(name.clone())
                        .fetch_optional(&mut *tx)
                        .await?;
                if holder.is_some() {
                    return Err(Error::WrongState(HELD));
                }
                let deleted =
                    sqlx::query("delete from roles where name = $1").bind(name).execute(&mut *tx).await;
                unless_gone(deleted, || Error::WrongState(HELD))?;
                write.keep(tx, &()).await
            })
        })
        .await
}

async fn next_version(tx: &mut AnyConnection) -> Result<(), Error> {
    sqlx::query("update trust_version set version = version + 1").execute(tx).await?;
    Ok(())
}

/// The version of keys and roles: it grows in the transaction of each change.
pub(crate) async fn version(database: &Database) -> Result<i64, Error> {
    let query = sqlx::query_as::<_, (i64,)>("select version from trust_version");
    Ok(query.fetch_one(database.reads()).await?.0)
}
