//! Which events are taken: whose they may be, what they need, and how large and how old they may be.

use std::collections::HashSet;

use crate::{
    calendar::{DAY_US, HOUR_US},
    event::{Draft, Event, Kind, anonymous_actor, user_actor},
};

/// The permission to track events about others.
pub const WRITE_ANY: &str = "analytics.events.write_any";

/// Events of one batch, as in Segment's HTTP API.
pub const BATCH_EVENTS_MAX: usize = 2_500;
/// Bytes of one batch, as in Segment's HTTP API.
pub const BATCH_BYTES_MAX: usize = 512_000;
/// Bytes of one event, as in Segment's HTTP API.
pub const EVENT_BYTES_MAX: usize = 32_768;

/// Segment wants fewer than 100 characters; UUIDs take 36.
const MESSAGE_ID_CHARS_MAX: usize = 100;
/// Room for a UUID, a path or a short sentence; index entries stay small.
const TEXT_CHARS_MAX: usize = 128;
/// How far ahead a time may lie: clocks that are roughly right, and nothing from another day.
const AHEAD_US_MAX: i64 = HOUR_US;

/// Who sends events, and about whom they may.
#[derive(Clone, Debug)]
pub struct Author {
    /// The subject of the caller; a `message_id` is unique within it.
    pub source: String,
    /// The one user their events are about; `None` for anybody.
    pub only: Option<String>,
}

/// What decides whether a time is acceptable.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// When the events were received.
    pub receive_us: i64,
    /// How long events are kept.
    pub kept_days: i64,
}

/// Why an event is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The field that is wrong.
    pub field: &'static str,
    /// What is wrong with it.
    pub reason: String,
    /// Whether another caller could have sent it.
    pub forbidden: bool,
}

impl Rejection {
    /// `field` is wrong.
    pub fn new(field: &'static str, reason: impl Into<String>) -> Self {
        Self { field, reason: reason.into(), forbidden: false }
    }
}

/// What becomes of one event of a batch.
pub type Admitted = Result<Event, Rejection>;

/// Takes `draft`, or says what is wrong with it.
///
/// # Errors
/// The first field that is wrong.
pub fn admit(draft: Draft, author: &Author, now: Now) -> Admitted {
    check_texts(&draft)?;
    let kind = draft.kind.ok_or_else(|| Rejection::new("type", "must be one of the six types"))?;
    let user_id = attribute(&draft, author)?;
    let name = subject(&draft, kind)?;
    let timestamp_us = draft.times.corrected_us(now.receive_us);
    check_time(timestamp_us, now)?;
    let actor = if user_id.is_empty() { anonymous_actor(&draft.anonymous_id) } else { user_actor(&user_id) };
    Ok(Event {
        message_id: draft.message_id,
        kind,
        actor,
        user_id,
        anonymous_id: draft.anonymous_id,
        name,
        group_id: draft.group_id,
        previous_id: draft.previous_id,
        properties: draft.properties,
        traits: draft.traits,
        context: draft.context,
        timestamp_us,
        original_us: draft.times.original_us,
        sent_us: draft.times.sent_us,
        receive_us: now.receive_us,
    })
}

/// Says of each event whether it is the first valid one with its id.
#[must_use]
pub fn first_of_each_id(admitted: &[Admitted]) -> Vec<bool> {
    let mut seen = HashSet::new();
    admitted
        .iter()
        .map(|event| event.as_ref().is_ok_and(|event| seen.insert(event.message_id.as_str())))
        .collect()
}

fn check_texts(draft: &Draft) -> Result<(), Rejection> {
    if draft.message_id.is_empty() {
        return Err(Rejection::new(
            "message_id",
            format!("must have 1 to {MESSAGE_ID_CHARS_MAX} characters"),
        ));
    }
    check_text("message_id", &draft.message_id, MESSAGE_ID_CHARS_MAX)?;
    for (field, text) in [
        ("user_id", &draft.user_id),
        ("anonymous_id", &draft.anonymous_id),
        ("event", &draft.event),
        ("name", &draft.name),
        ("group_id", &draft.group_id),
        ("previous_id", &draft.previous_id),
    ] {
        check_text(field, text, TEXT_CHARS_MAX)?;
    }
    Ok(())
}

fn check_text(field: &'static str, text: &str, chars_max: usize) -> Result<(), Rejection> {
    if text.chars().count() > chars_max {
        return Err(Rejection::new(field, format!("must have at most {chars_max} characters")));
    }
    if text.chars().any(char::is_control) {
        return Err(Rejection::new(field, "must not hold control characters"));
    }
    Ok(())
}

/// The user for whom the event counts; empty when it is somebody anonymous.
fn attribute(draft: &Draft, author: &Author) -> Result<String, Rejection> {
    match &author.only {
        Some(only) if draft.user_id.is_empty() || draft.user_id == *only => Ok(only.clone()),
        Some(_) => {
            let reason = "must be your own; events about others are imported, which takes another permission";
            Err(Rejection { forbidden: true, ..Rejection::new("user_id", reason) })
        }
        None if draft.user_id.is_empty() && draft.anonymous_id.is_empty() => {
            Err(Rejection::new("user_id", "must be set when there is no anonymous_id"))
        }
        None => Ok(draft.user_id.clone()),
    }
}

/// What the event is about, by its kind.
fn subject(draft: &Draft, kind: Kind) -> Result<String, Rejection> {
    let missing = |field: &'static str| {
        Err(Rejection::new(field, format!("an event of the type {} needs it", kind.word())))
    };
    match kind {
        Kind::Track if draft.event.is_empty() => missing("event"),
        Kind::Group if draft.group_id.is_empty() => missing("group_id"),
        Kind::Alias if draft.previous_id.is_empty() => missing("previous_id"),
        Kind::Track => Ok(draft.event.clone()),
        Kind::Page | Kind::Screen => Ok(draft.name.clone()),
        Kind::Identify | Kind::Group | Kind::Alias => Ok(String::new()),
    }
}

fn check_time(timestamp_us: i64, now: Now) -> Result<(), Rejection> {
    if timestamp_us > now.receive_us.saturating_add(AHEAD_US_MAX) {
        return Err(Rejection::new("timestamp", "lies more than an hour in the future"));
    }
    if timestamp_us < now.receive_us.saturating_sub(now.kept_days.saturating_mul(DAY_US)) {
        let reason = format!("lies more than {} days in the past; older events are not kept", now.kept_days);
        return Err(Rejection::new("timestamp", reason));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
