//! The only SQL: templates, their versions, and the answers kept for repeated requests.
//!
//! A template's row says what its newest version is; each version has a row of its own and never changes. An
//! update is a conditional statement on the version that it was made from, so that none is lost.

mod list;
mod rows;
#[cfg(test)]
mod tests;

use futures_util::future::BoxFuture;
use plexus_runtime::stores::{
    database::Database,
    requests::{self, RequestKey},
};
use prost::Message;
use sqlx::{AnyConnection, Row as _};

pub(crate) use list::{Filter, Page, WORDS_MAX};

use crate::{
    error::Error,
    template::{Summary, Template},
};

/// Versions of one template that are kept.
pub(crate) const VERSIONS_MAX: i64 = 100;
/// Answers deleted in one transaction, so that it does not hold the writer for long.
const PRUNE_ROWS_MAX: i64 = 500;

/// The templates. Clones share the database.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    database: Database,
}

impl Store {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// The template in `version`, or in its newest for 0; `None` when there is no template.
    pub(crate) async fn template(&self, template_id: &str, version: i64) -> Result<Option<Template>, Error> {
        let row = sqlx::query(
            "select t.template_id, t.owner_id, t.kind, t.visibility, v.display_name, v.description, v.tags, v.version, \
             t.create_time_us, v.create_time_us as update_time_us, v.parameters, v.source, v.stylesheet \
             from templates t join versions v on v.template_id = t.template_id \
             where t.template_id = $1 and v.version = case when $2 = 0 then t.version else $2 end",
        )
        .bind(template_id.to_owned())
        .bind(version)
        .fetch_optional(self.database.reads())
        .await?;
        row.map(|row| rows::template(&row)).transpose()
    }

    /// What lists say of the template in its newest version.
    pub(crate) async fn summary(&self, template_id: &str) -> Result<Option<Summary>, Error> {
        let row = sqlx::query(
            "select template_id, owner_id, kind, visibility, display_name, description, tags, version, \
             create_time_us, update_time_us from templates where template_id = $1",
        )
        .bind(template_id.to_owned())
        .fetch_optional(self.database.reads())
        .await?;
        row.map(|row| rows::summary(&row)).transpose()
    }

    /// The answer that was given to `key` before, if any.
    pub(crate) async fn replay<M>(&self, key: &RequestKey) -> Result<Option<M>, Error>
    where
        M: Message + Default,
    {
        let mut connection = self.database.reads().acquire().await?;
        Ok(requests::replay(&mut connection, key).await?)
    }

    /// Keeps a new template and answers `answer`; at most `max` belong to one owner.
    ///
    /// Creates that run at the same moment may pass the limit by their number, which harms nobody.
    pub(crate) async fn create<M>(
        &self,
        key: RequestKey,
        template: Template,
        answer: M,
        max: i64,
    ) -> Result<M, Error>
    where
        M: Message + Default + 'static,
    {
        let now_us = template.summary.update_time_us;
        self.once(key, now_us, move |tx| {
            Box::pin(async move {
                let owner_id = template.summary.owner_id.clone();
                let count = sqlx::query("select count(*) from templates where owner_id = $1")
                    .bind(owner_id.clone())
                    .fetch_one(&mut *tx)
                    .await?;
                if count.try_get::<i64, _>(0)? >= max {
                    return Err(Error::TooManyTemplates { owner_id, max });
                }
                rows::insert_template(tx, &template.summary).await?;
                rows::insert_version(tx, &template).await?;
                Ok(answer)
            })
        })
        .await
    }

    /// Keeps `template` as the version after `from`, unless the newest is no longer `from`, and answers `answer`.
    pub(crate) async fn update<M>(&self, key: RequestKey, template: Template, answer: M) -> Result<M, Error>
    where
        M: Message + Default + 'static,
    {
        let now_us = template.summary.update_time_us;
        self.once(key, now_us, move |tx| {
            Box::pin(async move {
                if rows::update_template(tx, &template.summary).await? == 0 {
                    return Err(Error::Changed { template_id: template.summary.template_id });
                }
                rows::insert_version(tx, &template).await?;
                sqlx::query("delete from versions where template_id = $1 and version <= $2")
                    .bind(template.summary.template_id)
                    .bind(template.summary.version - VERSIONS_MAX)
                    .execute(tx)
                    .await?;
                Ok(answer)
            })
        })
        .await
    }

    /// Deletes the template with its versions and answers `answer`.
    pub(crate) async fn delete<M>(
        &self,
        key: RequestKey,
        template_id: String,
        now_us: i64,
        answer: M,
    ) -> Result<M, Error>
    where
        M: Message + Default + 'static,
    {
        self.once(key, now_us, move |tx| {
            Box::pin(async move {
                let deleted = sqlx::query("delete from templates where template_id = $1")
                    .bind(template_id.clone())
                    .execute(tx)
                    .await?;
                if deleted.rows_affected() == 0 { Err(Error::NotFound { template_id }) } else { Ok(answer) }
            })
        })
        .await
    }

    /// Deletes some answers kept from before `before_us`, and says how many.
    pub(crate) async fn prune(&self, before_us: i64) -> Result<u64, Error> {
        self.database
            .write(move |tx| {
                Box::pin(async move {
                    let deleted = sqlx::query(
                        "delete from requests where (caller, request_id) in \
                         (select caller, request_id from requests where create_time_us < $1 limit $2)",
                    )
                    .bind(before_us)
                    .bind(PRUNE_ROWS_MAX)
                    .execute(tx)
                    .await?;
                    Ok(deleted.rows_affected())
                })
            })
            .await
    }

    /// Runs `job` once for `key`, and answers as the first time when it is repeated.
    async fn once<M, F>(&self, key: RequestKey, now_us: i64, job: F) -> Result<M, Error>
    where
        M: Message + Default + 'static,
        F: for<'c> FnOnce(&'c mut AnyConnection) -> BoxFuture<'c, Result<M, Error>> + Send + 'static,
    {
        self.database
            .write(move |tx| {
                Box::pin(async move {
                    if let Some(answer) = requests::replay(tx, &key).await? {
                        return Ok(answer);
                    }
                    let answer = job(tx).await?;
                    requests::record(tx, &key, &answer, now_us).await?;
                    Ok(answer)
                })
            })
            .await
    }
}
