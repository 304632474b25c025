//! The limits that were set.

use prost::Message;
use sqlx::{AnyConnection, Row as _, any::AnyRow};

use super::{About, Store, Write, rows};
use crate::{error::Error, limit::Limit, meter::Meter, window::Window};

/// Which limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LimitKey {
    pub(crate) subject: String,
    pub(crate) meter: Meter,
    pub(crate) window: Window,
}

impl Store {
    /// Sets the limit `key` to `amount`, in the running period too.
    pub(crate) async fn set_limit<M: Message + Default + 'static>(
        &self,
        write: Write,
        (key, amount): (LimitKey, i64),
        answer: fn(&Limit) -> M,
    ) -> Result<M, Error> {
        self.once(write, About::Subject(key.subject.clone()), move |tx, now_us| {
            Box::pin(async move {
                let row = sqlx::query(
                    "insert into limits (subject, meter, window_kind, amount, create_time_us, update_time_us) \
                     values ($1, $2, $3, $4, $5, $5) on conflict (subject, meter, window_kind) \
                     do update set amount = excluded.amount, update_time_us = excluded.update_time_us \
                     returning subject, meter, window_kind, amount, create_time_us, update_time_us",
                )
                .bind(key.subject.clone())
                .bind(key.meter.number())
                .bind(key.window.number())
                .bind(amount)
                .bind(now_us)
                .fetch_one(&mut *tx)
                .await?;
                put_into_force(tx, &key, Some(amount), now_us).await?;
                Ok(answer(&limit(&row)?))
            })
        })
        .await
    }

    /// Deletes the limit `key`, in the running period too.
    pub(crate) async fn delete_limit<M: Message + Default + 'static>(
        &self,
        write: Write,
        key: LimitKey,
        answer: fn() -> M,
    ) -> Result<M, Error> {
        self.once(write, About::Subject(key.subject.clone()), move |tx, now_us| {
            Box::pin(async move {
                let deleted =
                    sqlx::query("delete from limits where subject = $1 and meter = $2 and window_kind = $3")
                        .bind(key.subject.clone())
                        .bind(key.meter.number())
                        .bind(key.window.number())
                        .execute(&mut *tx)
                        .await?;
                if deleted.rows_affected() == 0 {
                    return Err(not_found(key));
                }
                put_into_force(tx, &key, None, now_us).await?;
                Ok(answer())
            })
        })
        .await
    }

    /// The limit `key`.
    pub(crate) async fn limit(&self, key: LimitKey) -> Result<Limit, Error> {
        let row = sqlx::query(
            "select subject, meter, window_kind, amount, create_time_us, update_time_us \
             from limits where subject = $1 and meter = $2 and window_kind = $3",
        )
        .bind(key.subject.clone())
        .bind(key.meter.number())
        .bind(key.window.number())
        .fetch_optional(self.database.reads())
        .await?;
        limit(&row.ok_or_else(|| not_found(key))?)
    }

    /// Up to `count` limits of `subject` that follow `after`, by meter and window.
    pub(crate) async fn limits_of(
        &self,
        subject: &str,
        after: Option<LimitKey>,
        count: i64,
    ) -> Result<Vec<Limit>, Error> {
        let (meter, window) = after.map(|key| (key.meter.number(), key.window.number())).unwrap_or_default();
        let rows = sqlx::query(
            "select subject, meter, window_kind, amount, create_time_us, update_time_us from limits \
             where subject = $1 and (meter, window_kind) > ($2, $3) order by meter, window_kind limit $4",
        )
        .bind(subject.to_owned())
        .bind(meter)
        .bind(window)
        .bind(count)
        .fetch_all(self.database.reads())
        .await?;
        rows.iter().map(limit).collect()
    }

    /// Up to `count` limits of all subjects that follow `after`, by subject, meter and window.
    pub(crate) async fn limits(&self, after: Option<LimitKey>, count: i64) -> Result<Vec<Limit>, Error> {
        let (subject, meter, window) =
            after.map(|key| (key.subject, key.meter.number(), key.window.number())).unwrap_or_default();
        let rows = sqlx::query(
            "select subject, meter, window_kind, amount, create_time_us, update_time_us from limits \
             where (subject, meter, window_kind) > ($1, $2, $3) \
             order by subject, meter, window_kind limit $4",
        )
        .bind(subject)
        .bind(meter)
        .bind(window)
        .bind(count)
        .fetch_all(self.database.reads())
        .await?;
        rows.iter().map(limit).collect()
    }
}

/// Makes `amount` (`None`: the default) the limit of the counts whose period has not ended.
async fn put_into_force(
    tx: &mut AnyConnection,
    key: &LimitKey,
    amount: Option<i64>,
    now_us: i64,
) -> Result<(), Error> {
    sqlx::query(
        "update counters set limit_amount = $4 \
         where subject = $1 and window_kind = $3 and start_us >= $5 and meter = $2",
    )
    .bind(key.subject.clone())
    .bind(key.meter.number())
    .bind(key.window.number())
    .bind(amount)
    .bind(key.window.period_at(now_us).start_us)
    .execute(tx)
    .await?;
    Ok(())
}

fn not_found(key: LimitKey) -> Error {
    Error::LimitNotFound { subject: key.subject, meter: key.meter, window: key.window }
}

impl LimitKey {
    /// Which limit `limit` is.
    pub(crate) fn of(limit: &Limit) -> Self {
        Self { subject: limit.subject.clone(), meter: limit.meter, window: limit.window }
    }
}

fn limit(row: &AnyRow) -> Result<Limit, Error> {
    Ok(Limit {
        subject: row.try_get(0)?,
        meter: rows::meter(row.try_get(1)?)?,
        window: rows::window(row.try_get(2)?)?,
        amount: row.try_get(3)?,
        create_time_us: row.try_get(4)?,
        update_time_us: row.try_get(5)?,
    })
}
