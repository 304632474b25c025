//! Messages between people and models: what is read out of events about them, and what statistics hold.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    calendar::{Days, Span},
    event::{Event, Kind, Object},
    histogram::{Histogram, VALUE_MAX},
};

/// The event for a message that somebody wrote.
pub const SENT: &str = "message_sent";
/// The event for the answer.
pub const RECEIVED: &str = "message_received";
/// Models in one answer: more than anybody offers at once.
pub const MODELS_MAX: usize = 20;

/// Characters of a model or conversation id.
const ID_CHARS_MAX: usize = 128;

/// Which way a message went; the numbers are those of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// From a person.
    Sent = 1,
    /// To a person.
    Received = 2,
}

/// What is measured of messages; the numbers are those of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Characters.
    Length = 1,
    /// Milliseconds until the answer.
    Latency = 2,
}

/// What an event says about a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Which way it went.
    pub direction: Direction,
    /// Empty: not given.
    pub conversation_id: String,
    /// Empty: not given.
    pub model: String,
    /// 0: not given.
    pub tokens: i64,
    /// Characters.
    pub length: Option<i64>,
    /// Milliseconds; of received messages.
    pub latency_ms: Option<i64>,
}

impl Message {
    /// The message that `event` is about; `None` when it is about something else.
    ///
    /// Properties of another type or beyond their limits are left out.
    #[must_use]
    pub fn of(event: &Event) -> Option<Self> {
        let direction = match (event.kind, event.name.as_str()) {
            (Kind::Track, SENT) => Direction::Sent,
            (Kind::Track, RECEIVED) => Direction::Received,
            _ => return None,
        };
        let properties = &event.properties;
        Some(Self {
            direction,
            conversation_id: id(properties, "conversation_id"),
            model: id(properties, "model"),
            tokens: whole_number(properties, "tokens").unwrap_or(0),
            length: whole_number(properties, "length"),
            latency_ms: whole_number(properties, "latency_ms").filter(|_| direction == Direction::Received),
        })
    }
}

fn id(properties: &Object, key: &str) -> String {
    properties
        .get(key)
        .and_then(Value::as_str)
        .filter(|text| text.chars().count() <= ID_CHARS_MAX && !text.chars().any(char::is_control))
        .unwrap_or_default()
        .to_owned()
}

/// A whole number from 0 to [`VALUE_MAX`]; JSON from protobuf has only floating-point numbers.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "the range is checked, and far below 2^52"
)]
fn whole_number(properties: &Object, key: &str) -> Option<i64> {
    let number = properties.get(key)?.as_f64()?;
    let in_range = (0.0..=VALUE_MAX as f64).contains(&number) && number.fract() == 0.0;
    in_range.then_some(number as i64)
}

/// How many messages, and their tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that people wrote.
    pub sent: i64,
    /// Answers.
    pub received: i64,
    /// Of both.
    pub tokens: i64,
}

/// Values of one measure in one bucket of [`Histogram`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueRow {
    /// Which measure, as in the store.
    pub measure: i64,
    /// The bucket.
    pub bucket: i64,
    /// How many values.
    pub count: i64,
    /// Their sum.
    pub sum: i64,
}

/// Counts and distributions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    /// How many.
    pub counts: Counts,
    /// In characters, of both directions.
    pub length: Histogram,
    /// In milliseconds, of answers.
    pub latency_ms: Histogram,
}

impl Totals {
    fn measure(&mut self, row: &ValueRow) {
        let histogram =
            if row.measure == Measure::Length as i64 { &mut self.length } else { &mut self.latency_ms };
        histogram.add_bucket(row.bucket, row.count, row.sum);
    }
}

/// What the store counted.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// Days with messages, oldest first.
    pub days: Vec<(i64, Counts)>,
    /// Models, most messages first, at most [`MODELS_MAX`].
    pub models: Vec<(String, Counts)>,
    /// Of all models.
    pub values: Vec<ValueRow>,
    /// Of each of `models`.
    pub model_values: Vec<(String, ValueRow)>,
    /// Different conversations.
    pub conversations: i64,
}

/// Statistics of messages over whole days.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    /// The range.
    pub span: Span,
    /// Over all days and models.
    pub totals: Totals,
    /// Different conversations.
    pub conversations: i64,
    /// Each day of the range, oldest first.
    pub days: Vec<(i64, Counts)>,
    /// By model, most messages first.
    pub models: Vec<(String, Totals)>,
}

impl Statistics {
    /// Puts together what the store counted in `days`.
    #[must_use]
    pub fn of(days: Days, recorded: Recorded) -> Self {
        let mut totals = Totals::default();
        for (_, counts) in &recorded.days {
            totals.counts.sent += counts.sent;
            totals.counts.received += counts.received;
            totals.counts.tokens += counts.tokens;
        }
        for row in &recorded.values {
            totals.measure(row);
        }
        let mut models: Vec<(String, Totals)> = recorded
            .models
            .into_iter()
            .map(|(model, counts)| (model, Totals { counts, ..Totals::default() }))
            .collect();
        for (model, row) in &recorded.model_values {
            if let Some((_, totals)) = models.iter_mut().find(|(name, _)| name == model) {
                totals.measure(row);
            }
        }
        let by_day: BTreeMap<i64, Counts> = recorded.days.into_iter().collect();
        let days_filled =
            days.each().map(|day| (day, by_day.get(&day).copied().unwrap_or_default())).collect();
        Self { span: days.span(), totals, conversations: recorded.conversations, days: days_filled, models }
    }
}

#[cfg(test)]
mod tests;
