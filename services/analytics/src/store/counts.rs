//! Questions about how many events and users there were.

use std::collections::BTreeMap;

use super::Store;
use crate::{behavior::EventCount, calendar::Days, error::Error};

/// Events and different users of one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DayCount {
    /// The day.
    pub day: i64,
    /// Events.
    pub events: i64,
    /// Different users.
    pub users: i64,
}

impl Store {
    /// Events by minute of receipt, from the minute `first` to `last`; minutes without any are missing.
    pub async fn minutes(&self, first: i64, last: i64) -> Result<BTreeMap<i64, i64>, Error> {
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "select period, cast(sum(event_count) as bigint) from event_minutes \
             where period >= $1 and period <= $2 group by period",
        )
        .bind(first)
        .bind(last)
        .fetch_all(self.database.reads())
        .await?;
        Ok(rows.into_iter().collect())
    }

    /// The `count` most frequent events received from the minute `first` to `last`.
    pub async fn top_events_of_minutes(
        &self,
        first: i64,
        last: i64,
        count: i64,
    ) -> Result<Vec<EventCount>, Error> {
        let rows = sqlx::query_as(
            "select kind, name, cast(sum(event_count) as bigint) from event_minutes \
             where period >= $1 and period <= $2 group by kind, name order by 3 desc, kind, name limit $3",
        )
        .bind(first)
        .bind(last)
        .bind(count)
        .fetch_all(self.database.reads())
        .await?;
        Ok(event_counts(rows))
    }

    /// The `count` most frequent events of `days`.
    pub async fn top_events_of_days(&self, days: Days, count: i64) -> Result<Vec<EventCount>, Error> {
        let rows = sqlx::query_as(
            "select kind, name, cast(sum(event_count) as bigint) from event_days \
             where period >= $1 and period < $2 group by kind, name order by 3 desc, kind, name limit $3",
        )
        .bind(days.first)
        .bind(days.end)
        .bind(count)
        .fetch_all(self.database.reads())
        .await?;
        Ok(event_counts(rows))
    }

    /// Events of each hour from `first` to `last`, oldest first.
    pub async fn hours(&self, first: i64, last: i64) -> Result<Vec<(i64, i64)>, Error> {
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "select period, cast(sum(event_count) as bigint) from event_hours \
             where period >= $1 and period <= $2 group by period",
        )
        .bind(first)
        .bind(last)
        .fetch_all(self.database.reads())
        .await?;
        let counts: BTreeMap<i64, i64> = rows.into_iter().collect();
        Ok((first..=last).map(|hour| (hour, counts.get(&hour).copied().unwrap_or(0))).collect())
    }

    /// Events and users of each of `days`, oldest first.
    pub async fn days(&self, days: Days) -> Result<Vec<DayCount>, Error> {
        let rows: Vec<(i64, i64, i64)> = sqlx::query_as(
            "select day, cast(sum(event_count) as bigint), count(*) from user_days \
             where day >= $1 and day < $2 group by day",
        )
        .bind(days.first)
        .bind(days.end)
        .fetch_all(self.database.reads())
        .await?;
        let counts: BTreeMap<i64, (i64, i64)> =
            rows.into_iter().map(|(day, events, users)| (day, (events, users))).collect();
        let count = |day| counts.get(&day).copied().unwrap_or_default();
        Ok(days.each().map(|day| DayCount { day, events: count(day).0, users: count(day).1 }).collect())
    }

    /// Different users over all of `days`.
    pub async fn users_in(&self, days: Days) -> Result<i64, Error> {
        Ok(sqlx::query_scalar(
            "select count(*) from (select distinct actor from user_days where day >= $1 and day < $2) as users",
        )
        .bind(days.first)
        .bind(days.end)
        .fetch_one(self.database.reads())
        .await?)
    }

    /// Users whose first event lies in `days`.
    pub async fn new_users_in(&self, days: Days) -> Result<i64, Error> {
        let span = days.span();
        Ok(sqlx::query_scalar("select count(*) from users where first_us >= $1 and first_us < $2")
            .bind(span.start_us)
            .bind(span.end_us)
            .fetch_one(self.database.reads())
            .await?)
    }

    /// Users with an event at `since_us` or later.
    pub async fn users_since(&self, since_us: i64) -> Result<i64, Error> {
        Ok(sqlx::query_scalar("select count(*) from users where last_us >= $1")
            .bind(since_us)
            .fetch_one(self.database.reads())
            .await?)
    }
}

fn event_counts(rows: Vec<(i64, String, i64)>) -> Vec<EventCount> {
    rows.into_iter().map(|(kind, name, count)| EventCount { kind, name, count }).collect()
}
