//! Questions about single users and their interests.

use sqlx::FromRow;

use super::Store;
use crate::{
    behavior::{EVENTS_MAX, Moment},
    calendar::Span,
    error::Error,
    event::{user_actor, user_of},
    interest::Interest,
    rollup::Seen,
};

/// A logged-in user who had events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveUser {
    /// Who.
    pub user_id: String,
    /// When and how often.
    pub seen: Seen,
}

#[derive(FromRow)]
struct MomentRow {
    message_id: String,
    kind: i64,
    name: String,
    timestamp_us: i64,
}

#[derive(FromRow)]
struct InterestRow {
    actor: String,
    item_id: String,
    event: String,
    weight: i64,
    last_us: i64,
}

impl Store {
    /// When `actor` was seen; `None` when they never had an event.
    pub async fn seen(&self, actor: &str) -> Result<Option<Seen>, Error> {
        let row: Option<(i64, i64, i64)> =
            sqlx::query_as("select first_us, last_us, event_count from users where actor = $1")
                .bind(actor)
                .fetch_optional(self.database.reads())
                .await?;
        Ok(row.map(|(first_us, last_us, count)| Seen { first_us, last_us, count }))
    }

    /// Logged-in users, latest active first, at most `count`; `after` names the last one of the page before by
    /// when they were seen and who they are.
    pub async fn active_users(
        &self,
        after: Option<(i64, String)>,
        count: i64,
    ) -> Result<Vec<ActiveUser>, Error> {
        let (last_us, user_id) = after.unwrap_or((i64::MAX, String::new()));
        let rows: Vec<(String, i64, i64, i64)> = sqlx::query_as(
            "select actor, first_us, last_us, event_count from users \
             where substr(actor, 1, 5) = 'user:' and (last_us < $1 or (last_us = $1 and actor > $2)) \
             order by last_us desc, actor limit $3",
        )
        .bind(last_us)
        .bind(user_actor(&user_id))
        .bind(count)
        .fetch_all(self.database.reads())
        .await?;
        let user = |(actor, first_us, last_us, count): (String, i64, i64, i64)| ActiveUser {
            user_id: user_of(&actor).to_owned(),
            seen: Seen { first_us, last_us, count },
        };
        Ok(rows.into_iter().map(user).collect())
    }

    /// Days of `span` on which `actor` had events, and how many, oldest first.
    pub async fn active_days(&self, actor: &str, span: Span) -> Result<Vec<(i64, i64)>, Error> {
        Ok(sqlx::query_as(
            "select timestamp_us / 86400000000 as day, count(*) from events \
             where actor = $1 and timestamp_us >= $2 and timestamp_us < $3 group by 1 order by 1",
        )
        .bind(actor)
        .bind(span.start_us)
        .bind(span.end_us)
        .fetch_all(self.database.reads())
        .await?)
    }

    /// The latest events of `actor` in `span`, latest first, at most [`EVENTS_MAX`].
    pub async fn moments(&self, actor: &str, span: Span) -> Result<Vec<Moment>, Error> {
        let rows: Vec<MomentRow> = sqlx::query_as(
            "select message_id, kind, name, timestamp_us from events \
             where actor = $1 and timestamp_us >= $2 and timestamp_us < $3 \
             order by timestamp_us desc, message_id desc limit $4",
        )
        .bind(actor)
        .bind(span.start_us)
        .bind(span.end_us)
        .bind(EVENTS_MAX)
        .fetch_all(self.database.reads())
        .await?;
        let moment = |row: MomentRow| Moment {
            message_id: row.message_id,
            kind: row.kind,
            name: row.name,
            timestamp_us: row.timestamp_us,
        };
        Ok(rows.into_iter().map(moment).collect())
    }

    /// The latest `count` interests of `actor`, latest first.
    pub async fn history(&self, actor: &str, count: i64) -> Result<Vec<Interest>, Error> {
        let rows: Vec<InterestRow> = sqlx::query_as(
            "select actor, item_id, event, weight, last_us from interests where actor = $1 \
             order by last_us desc, item_id limit $2",
        )
        .bind(actor)
        .bind(count)
        .fetch_all(self.database.reads())
        .await?;
        Ok(rows.into_iter().map(Interest::from).collect())
    }

    /// The latest `count` interests of everybody, latest first.
    pub async fn interests(&self, count: i64) -> Result<Vec<Interest>, Error> {
        let rows: Vec<InterestRow> = sqlx::query_as(
            "select actor, item_id, event, weight, last_us from interests order by last_us desc limit $1",
        )
        .bind(count)
        .fetch_all(self.database.reads())
        .await?;
        Ok(rows.into_iter().map(Interest::from).collect())
    }
}

impl From<InterestRow> for Interest {
    fn from(row: InterestRow) -> Self {
        Self {
            actor: row.actor,
            item_id: row.item_id,
            event: row.event,
            weight: row.weight,
            last_us: row.last_us,
        }
    }
}
