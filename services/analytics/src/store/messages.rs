//! Questions about messages.

use sqlx::FromRow;

use super::Store;
use crate::{
    calendar::Days,
    error::Error,
    message::{Counts, MODELS_MAX, Recorded, ValueRow},
};

#[derive(FromRow)]
struct DayRow {
    day: i64,
    sent: i64,
    received: i64,
    tokens: i64,
}

#[derive(FromRow)]
struct ModelRow {
    model: String,
    sent: i64,
    received: i64,
    tokens: i64,
}

#[derive(FromRow)]
struct MeasureRow {
    model: String,
    measure: i64,
    bucket: i64,
    value_count: i64,
    value_sum: i64,
}

impl Store {
    /// What is counted of the messages of `actor` in `days`.
    pub async fn messages(&self, actor: &str, days: Days) -> Result<Recorded, Error> {
        let values = self.message_values(actor, days).await?;
        let model_values = self.message_values_by_model(actor, days).await?;
        Ok(Recorded {
            days: self.messages_by_day(actor, days).await?,
            models: self.messages_by_model(actor, days).await?,
            values: values.into_iter().map(|(_, row)| row).collect(),
            model_values,
            conversations: self.conversations(actor, days).await?,
        })
    }

    /// Messages of `actor` on each of `days` that has any, oldest first.
    pub async fn messages_by_day(&self, actor: &str, days: Days) -> Result<Vec<(i64, Counts)>, Error> {
        let rows: Vec<DayRow> = sqlx::query_as(
            "select day, \
                cast(sum(case when direction = 1 then message_count else 0 end) as bigint) as sent, \
                cast(sum(case when direction = 2 then message_count else 0 end) as bigint) as received, \
                cast(sum(tokens) as bigint) as tokens \
             from message_days where actor = $1 and day >= $2 and day < $3 group by day order by day",
        )
        .bind(actor)
        .bind(days.first)
        .bind(days.end)
        .fetch_all(self.database.reads())
        .await?;
        let counts = |row: &DayRow| Counts { sent: row.sent, received: row.received, tokens: row.tokens };
        Ok(rows.iter().map(|row| (row.day, counts(row))).collect())
    }

    async fn messages_by_model(&self, actor: &str, days: Days) -> Result<Vec<(String, Counts)>, Error> {
        let rows: Vec<ModelRow> = sqlx::query_as(
            "select model, \
                cast(sum(case when direction = 1 then message_count else 0 end) as bigint) as sent, \
                cast(sum(case when direction = 2 then message_count else 0 end) as bigint) as received, \
                cast(sum(tokens) as bigint) as tokens \
             from message_days where actor = $1 and day >= $2 and day < $3 \
             group by model order by sum(message_count) desc, model limit $4",
        )
        .bind(actor)
        .bind(days.first)
        .bind(days.end)
        .bind(models_max())
        .fetch_all(self.database.reads())
        .await?;
        let counts = |row: &ModelRow| Counts { sent: row.sent, received: row.received, tokens: row.tokens };
        Ok(rows.into_iter().map(|row| (row.model.clone(), counts(&row))).collect())
    }

    async fn message_values(&self, actor: &str, days: Days) -> Result<Vec<(String, ValueRow)>, Error> {
        let rows: Vec<MeasureRow> = sqlx::query_as(
            "select '' as model, measure, bucket, cast(sum(value_count) as bigint) as value_count, \
                cast(sum(value_sum) as bigint) as value_sum \
             from message_values where actor = $1 and day >= $2 and day < $3 group by measure, bucket",
        )
        .bind(actor)
        .bind(days.first)
        .bind(days.end)
        .fetch_all(self.database.reads())
        .await?;
        Ok(rows.into_iter().map(MeasureRow::split).collect())
    }

    async fn message_values_by_model(
        &self,
        actor: &str,
        days: Days,
    ) -> Result<Vec<(String, ValueRow)>, Error> {
        let rows: Vec<MeasureRow> = sqlx::query_as(
            "select model, measure, bucket, cast(sum(value_count) as bigint) as value_count, \
                cast(sum(value_sum) as bigint) as value_sum \
             from message_values where actor = $1 and day >= $2 and day < $3 and model in \
                (select model from message_days where actor = $1 and day >= $2 and day < $3 \
                 group by model order by sum(message_count) desc, model limit $4) \
             group by model, measure, bucket",
        )
        .bind(actor)
        .bind(days.first)
        .bind(days.end)
        .bind(models_max())
        .fetch_all(self.database.reads())
        .await?;
        Ok(rows.into_iter().map(MeasureRow::split).collect())
    }

    async fn conversations(&self, actor: &str, days: Days) -> Result<i64, Error> {
        Ok(sqlx::query_scalar(
            "select count(*) from (select distinct conversation_id from message_conversations \
             where actor = $1 and day >= $2 and day < $3) as conversations",
        )
        .bind(actor)
        .bind(days.first)
        .bind(days.end)
        .fetch_one(self.database.reads())
        .await?)
    }
}

impl MeasureRow {
    fn split(self) -> (String, ValueRow) {
        let row = ValueRow {
            measure: self.measure,
            bucket: self.bucket,
            count: self.value_count,
            sum: self.value_sum,
        };
        (self.model, row)
    }
}

fn models_max() -> i64 {
    i64::try_from(MODELS_MAX).unwrap_or(i64::MAX)
}
