//! Writing events: each once, and their rollups in the same transaction.

use std::collections::HashSet;

use sqlx::{AnyConnection, Row as _};

use super::{
    Store, rollups,
    rows::{self, Insert, Statement},
};
use crate::{
    error::Error,
    event::{Event, Object},
    rollup::Deltas,
};

const EVENTS: Insert = Insert {
    into: "events (source, message_id, kind, actor, user_id, anonymous_id, name, group_id, previous_id, \
           properties, traits, context, timestamp_us, original_us, sent_us, receive_us)",
    columns: 16,
    tail: "on conflict (source, message_id) do nothing returning message_id",
};

/// An event with its objects as text.
struct EventRow {
    event: Event,
    properties: String,
    traits: String,
    context: String,
}

impl Store {
    /// Writes those of `events` that `source` has not sent before, and answers with their ids once they are durable.
    ///
    /// No two of `events` have the same id.
    pub async fn write(&self, source: String, events: Vec<Event>) -> Result<HashSet<String>, Error> {
        let mut rows = events.into_iter().map(EventRow::new).collect::<Result<Vec<_>, Error>>()?;
        // Two batches that hold the same ids meet them in the same order and cannot lock each other out.
        rows.sort_by(|left, right| left.event.message_id.cmp(&right.event.message_id));
        self.database.write(move |transaction| Box::pin(write(transaction, source, rows))).await
    }
}

async fn write(
    transaction: &mut AnyConnection,
    source: String,
    rows: Vec<EventRow>,
) -> Result<HashSet<String>, Error> {
    let mut written = HashSet::with_capacity(rows.len());
    for chunk in rows::chunks(&rows) {
        let statement = sqlx::query(EVENTS.text(chunk.len()));
        let statement = chunk.iter().fold(statement, |statement, row| row.bind(statement, &source));
        for row in statement.fetch_all(&mut *transaction).await? {
            written.insert(row.try_get::<String, _>(0)?);
        }
    }
    let new = rows.iter().map(|row| &row.event).filter(|event| written.contains(&event.message_id));
    rollups::add(transaction, Deltas::of(new)).await?;
    Ok(written)
}

impl EventRow {
    fn new(event: Event) -> Result<Self, Error> {
        let text = |object: &Object| serde_json::to_string(object);
        let (properties, traits, context) =
            (text(&event.properties)?, text(&event.traits)?, text(&event.context)?);
        Ok(Self { event, properties, traits, context })
    }

    fn bind(&self, statement: Statement, source: &str) -> Statement {
        let event = &self.event;
        statement
            .bind(source.to_owned())
            .bind(event.message_id.clone())
            .bind(event.kind.number())
            .bind(event.actor.clone())
            .bind(event.user_id.clone())
            .bind(event.anonymous_id.clone())
            .bind(event.name.clone())
            .bind(event.group_id.clone())
            .bind(event.previous_id.clone())
            .bind(self.properties.clone())
            .bind(self.traits.clone())
            .bind(self.context.clone())
            .bind(event.timestamp_us)
            .bind(event.original_us)
            .bind(event.sent_us)
            .bind(event.receive_us)
    }
}
