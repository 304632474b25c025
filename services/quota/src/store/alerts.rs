//! Alerts: each recorded once, in the transaction that spends.

use sqlx::{AnyConnection, Row as _, any::AnyRow};
use uuid::Uuid;

use super::{Store, rows};
use crate::{
    error::Error,
    limit::{AlertLevel, Count},
    meter::Meter,
    window::{Period, Window},
};

/// That a count came near its limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alert {
    pub(crate) alert_id: String,
    pub(crate) subject: String,
    pub(crate) meter: Meter,
    pub(crate) window: Window,
    pub(crate) period: Period,
    pub(crate) limit: i64,
    pub(crate) level: AlertLevel,
    pub(crate) posted: i64,
    pub(crate) create_time_us: i64,
}

/// The place of an alert in the order of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AlertKey {
    pub(crate) create_time_us: i64,
    pub(crate) alert_id: String,
}

/// Records the levels that `count` of `subject` has reached by spending, unless they were before.
pub(super) async fn record(
    tx: &mut AnyConnection,
    subject: &str,
    count: &Count,
    now_us: i64,
) -> Result<(), Error> {
    let (Some(limit), reached) = (count.limit, count.alert_level()) else { return Ok(()) };
    for level in AlertLevel::RECORDED.into_iter().filter(|level| *level <= reached) {
        sqlx::query(
            "insert into alerts (alert_id, subject, meter, window_kind, start_us, limit_amount, level, posted, \
             create_time_us) values ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
             on conflict (subject, meter, window_kind, start_us, limit_amount, level) do nothing",
        )
        .bind(Uuid::now_v7().to_string())
        .bind(subject.to_owned())
        .bind(count.meter.number())
        .bind(count.window.number())
        .bind(count.period.start_us)
        .bind(limit)
        .bind(level as i64)
        .bind(count.posted)
        .bind(now_us)
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

impl Store {
    /// Up to `count` alerts of `subject` before `before`, newest first.
    pub(crate) async fn alerts_of(
        &self,
        subject: &str,
        before: &AlertKey,
        count: i64,
    ) -> Result<Vec<Alert>, Error> {
        let rows = sqlx::query(
            "select alert_id, subject, meter, window_kind, start_us, limit_amount, level, posted, create_time_us \
             from alerts where subject = $1 and (create_time_us, alert_id) < ($2, $3) \
             order by create_time_us desc, alert_id desc limit $4",
        )
        .bind(subject.to_owned())
        .bind(before.create_time_us)
        .bind(before.alert_id.clone())
        .bind(count)
        .fetch_all(self.database.reads())
        .await?;
        rows.iter().map(alert).collect()
    }

    /// Up to `count` alerts of all subjects before `before`, newest first.
    pub(crate) async fn alerts(&self, before: &AlertKey, count: i64) -> Result<Vec<Alert>, Error> {
        let rows = sqlx::query(
            "select alert_id, subject, meter, window_kind, start_us, limit_amount, level, posted, create_time_us \
             from alerts where (create_time_us, alert_id) < ($1, $2) \
             order by create_time_us desc, alert_id desc limit $3",
        )
        .bind(before.create_time_us)
        .bind(before.alert_id.clone())
        .bind(count)
        .fetch_all(self.database.reads())
        .await?;
        rows.iter().map(alert).collect()
    }
}

impl AlertKey {
    /// After every alert.
    pub(crate) const END: Self = Self { create_time_us: i64::MAX, alert_id: String::new() };
}

impl Alert {
    /// Its place.
    pub(crate) fn key(&self) -> AlertKey {
        AlertKey { create_time_us: self.create_time_us, alert_id: self.alert_id.clone() }
    }
}

fn alert(row: &AnyRow) -> Result<Alert, Error> {
    let window = rows::window(row.try_get(3)?)?;
    Ok(Alert {
        alert_id: row.try_get(0)?,
        subject: row.try_get(1)?,
        meter: rows::meter(row.try_get(2)?)?,
        window,
        period: window.period_at(row.try_get(4)?),
        limit: row.try_get(5)?,
        level: rows::level(row.try_get(6)?)?,
        posted: row.try_get(7)?,
        create_time_us: row.try_get(8)?,
    })
}
