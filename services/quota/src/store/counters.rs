//! The counts of each period: opened, compared with their limits, and changed.

use sqlx::{AnyConnection, AnyPool, Row as _, any::AnyRow};

use super::rows;
use crate::{
    error::Error,
    limit::{Count, DefaultLimits},
    meter::{Amounts, Meter},
    window::Window,
};

/// The counts of one subject in the four periods of one moment.
pub(super) struct Counters<'s> {
    pub(super) subject: &'s str,
    /// The moment, epoch microseconds.
    pub(super) at_us: i64,
    pub(super) defaults: &'s DefaultLimits,
}

impl Counters<'_> {
    /// The counts that exist.
    pub(super) async fn find(&self, reads: &AnyPool) -> Result<Vec<Count>, Error> {
        self.counts(&self.query().fetch_all(reads).await?)
    }

    /// The counts of the meters of `amounts`, all windows of each; those that do not exist yet are made.
    pub(super) async fn open(&self, tx: &mut AnyConnection, amounts: &Amounts) -> Result<Vec<Count>, Error> {
        if amounts.is_none() {
            return Ok(Vec::new());
        }
        let mut found = self.counts(&self.query().fetch_all(&mut *tx).await?)?;
        let is_missing = |meter: Meter| {
            found.iter().filter(|count: &&Count| count.meter == meter).count() < Window::ALL.len()
        };
        let missing: Vec<Meter> = amounts.iter().map(|(meter, _)| meter).filter(|m| is_missing(*m)).collect();
        if !missing.is_empty() {
            for meter in missing {
                self.create(tx, meter).await?;
            }
            found = self.counts(&self.query().fetch_all(&mut *tx).await?)?;
        }
        found.retain(|count| amounts.get(count.meter) > 0);
        Ok(found)
    }

    /// Adds `amount` of `meter` to what is pending wherever it fits, and answers with the counts where it did.
    pub(super) async fn hold(
        &self,
        tx: &mut AnyConnection,
        meter: Meter,
        amount: i64,
    ) -> Result<Vec<Count>, Error> {
        let mut query = sqlx::query(
            "with wanted (window_kind, start_us, limit_default) as \
                 (values (1, $4, $8), (2, $5, $9), (3, $6, $10), (4, $7, $11)) \
             update counters set pending = pending + $3 from wanted \
             where counters.subject = $1 and counters.meter = $2 \
                 and counters.window_kind = wanted.window_kind and counters.start_us = wanted.start_us \
                 and posted + pending + $3 <= coalesce(limit_amount, wanted.limit_default) \
             returning meter, counters.window_kind, limit_amount, posted, pending",
        )
        .bind(self.subject.to_owned())
        .bind(meter.number())
        .bind(amount);
        for window in Window::ALL {
            query = query.bind(window.period_at(self.at_us).start_us);
        }
        for window in Window::ALL {
            query = query.bind(self.defaults.get(meter, window).unwrap_or(i64::MAX));
        }
        self.counts(&query.fetch_all(tx).await?)
    }

    /// Takes `given_back` of `meter` from what is pending, adds `spent` to what is posted,
    /// and answers with the counts that exist. Spending is never refused.
    pub(super) async fn settle(
        &self,
        tx: &mut AnyConnection,
        meter: Meter,
        (given_back, spent): (i64, i64),
    ) -> Result<Vec<Count>, Error> {
        let mut query = sqlx::query(
            "with wanted (window_kind, start_us) as (values (1, $5), (2, $6), (3, $7), (4, $8)) \
             update counters set pending = pending - $3, posted = posted + $4 from wanted \
             where counters.subject = $1 and counters.meter = $2 \
                 and counters.window_kind = wanted.window_kind and counters.start_us = wanted.start_us \
             returning meter, counters.window_kind, limit_amount, posted, pending",
        )
        .bind(self.subject.to_owned())
        .bind(meter.number())
        .bind(given_back)
        .bind(spent);
        for window in Window::ALL {
            query = query.bind(window.period_at(self.at_us).start_us);
        }
        self.counts(&query.fetch_all(tx).await?)
    }

    fn query(&self) -> sqlx::query::Query<'static, sqlx::Any, sqlx::any::AnyArguments> {
        let query = sqlx::query(
            "with wanted (window_kind, start_us) as (values (1, $2), (2, $3), (3, $4), (4, $5)) \
             select counters.meter, counters.window_kind, limit_amount, posted, pending \
             from wanted join counters on counters.subject = $1 \
                 and counters.window_kind = wanted.window_kind and counters.start_us = wanted.start_us",
        )
        .bind(self.subject.to_owned());
        Window::ALL.into_iter().fold(query, |query, window| query.bind(window.period_at(self.at_us).start_us))
    }

    /// Makes the counts of `meter` that do not exist, under the limits that are set now.
    async fn create(&self, tx: &mut AnyConnection, meter: Meter) -> Result<(), Error> {
        let mut query = sqlx::query(
            "with wanted (window_kind, start_us, end_us) as \
                 (values (1, $3, $7), (2, $4, $8), (3, $5, $9), (4, $6, $10)) \
             insert into counters (subject, window_kind, start_us, meter, end_us, limit_amount, posted, pending) \
             select $1, wanted.window_kind, wanted.start_us, $2, wanted.end_us, limits.amount, 0, 0 \
             from wanted left join limits on limits.subject = $1 and limits.meter = $2 \
                 and limits.window_kind = wanted.window_kind \
             where true on conflict (subject, window_kind, start_us, meter) do nothing",
        )
        .bind(self.subject.to_owned())
        .bind(meter.number());
        for window in Window::ALL {
            query = query.bind(window.period_at(self.at_us).start_us);
        }
        for window in Window::ALL {
            query = query.bind(window.period_at(self.at_us).end_us);
        }
        query.execute(tx).await?;
        Ok(())
    }

    /// `rows` of meter, window, limit, posted and pending, by meter and window.
    fn counts(&self, rows: &[AnyRow]) -> Result<Vec<Count>, Error> {
        let mut counts = rows.iter().map(|row| self.count(row)).collect::<Result<Vec<_>, Error>>()?;
        counts.sort_by_key(|count| (count.meter, count.window));
        Ok(counts)
    }

    fn count(&self, row: &AnyRow) -> Result<Count, Error> {
        let (meter, window) = (rows::meter(row.try_get(0)?)?, rows::window(row.try_get(1)?)?);
        let count = Count {
            posted: row.try_get(3)?,
            pending: row.try_get(4)?,
            ..Count::zero(meter, window, self.at_us)
        };
        Ok(count.limited(row.try_get(2)?, self.defaults))
    }
}
