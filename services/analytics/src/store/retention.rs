//! Throwing away what is older than the settings allow.

use super::Store;
use crate::error::Error;

/// Rows of one transaction: about 10 ms, for which writers wait at most.
const ROWS_MAX: i64 = 1_000;

/// What is old enough to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cutoffs {
    /// Events that happened before this, epoch microseconds, and interests of before it.
    pub events_us: i64,
    /// Only events received before this, so that a repetition of an event is told from a new one.
    pub received_us: i64,
    /// Rollups of days before this.
    pub rollups_day: i64,
    /// Rollups of hours before this.
    pub rollups_hour: i64,
    /// Users not seen since this, epoch microseconds.
    pub users_us: i64,
    /// Minutes before this.
    pub minute: i64,
}

const EVENTS: &str = "delete from events where (source, message_id) in \
    (select source, message_id from events where timestamp_us < $1 and receive_us < $2 limit $3)";
const INTERESTS: &str = "delete from interests where (actor, item_id) in \
    (select actor, item_id from interests where last_us < $1 limit $2)";
const MINUTES: &str = "delete from event_minutes where (period, kind, name) in \
    (select period, kind, name from event_minutes where period < $1 limit $2)";
const HOURS: &str = "delete from event_hours where (period, kind, name) in \
    (select period, kind, name from event_hours where period < $1 limit $2)";
const DAYS: &str = "delete from event_days where (period, kind, name) in \
    (select period, kind, name from event_days where period < $1 limit $2)";
const USER_DAYS: &str = "delete from user_days where (day, actor) in \
    (select day, actor from user_days where day < $1 limit $2)";
const USERS: &str = "delete from users where actor in (select actor from users where last_us < $1 limit $2)";
const MESSAGES: &str = "delete from message_days where (actor, day, direction, model) in \
    (select actor, day, direction, model from message_days where day < $1 limit $2)";
const VALUES: &str = "delete from message_values where (actor, day, model, measure, bucket) in \
    (select actor, day, model, measure, bucket from message_values where day < $1 limit $2)";
const CONVERSATIONS: &str = "delete from message_conversations where (actor, day, conversation_id) in \
    (select actor, day, conversation_id from message_conversations where day < $1 limit $2)";

impl Store {
    /// Deletes what lies before `cutoffs`, at most 1,000 rows of each table, and says how many
    /// rows went; there is more to do as long as it is not 0.
    pub async fn delete_old(&self, cutoffs: Cutoffs) -> Result<u64, Error> {
        let mut deleted = self.delete_events(cutoffs).await?;
        for (statement, before) in [
            (INTERESTS, cutoffs.events_us),
            (MINUTES, cutoffs.minute),
            (HOURS, cutoffs.rollups_hour),
            (DAYS, cutoffs.rollups_day),
            (USER_DAYS, cutoffs.rollups_day),
            (USERS, cutoffs.users_us),
            (MESSAGES, cutoffs.rollups_day),
            (VALUES, cutoffs.rollups_day),
            (CONVERSATIONS, cutoffs.rollups_day),
        ] {
            deleted += self.delete_before(statement, before).await?;
        }
        Ok(deleted)
    }

    async fn delete_events(&self, cutoffs: Cutoffs) -> Result<u64, Error> {
        self.database
            .write(move |transaction| {
                Box::pin(async move {
                    let done = sqlx::query(EVENTS)
                        .bind(cutoffs.events_us)
                        .bind(cutoffs.received_us)
                        .bind(ROWS_MAX)
                        .execute(&mut *transaction)
                        .await?;
                    Ok(done.rows_affected())
                })
            })
            .await
    }

    async fn delete_before(&self, statement: &'static str, before: i64) -> Result<u64, Error> {
        self.database
            .write(move |transaction| {
                Box::pin(async move {
                    let done =
                        sqlx::query(statement).bind(before).bind(ROWS_MAX).execute(&mut *transaction).await?;
                    Ok(done.rows_affected())
                })
            })
            .await
    }
}
