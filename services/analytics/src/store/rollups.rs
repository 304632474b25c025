//! Adding to the rollups.

use sqlx::AnyConnection;

use super::rows::Insert;
use crate::rollup::Deltas;

const USERS: Insert = Insert {
    into: "users (actor, first_us, last_us, event_count)",
    columns: 4,
    tail: "on conflict (actor) do update set \
           first_us = case when excluded.first_us < users.first_us then excluded.first_us else users.first_us end, \
           last_us = case when excluded.last_us > users.last_us then excluded.last_us else users.last_us end, \
           event_count = users.event_count + excluded.event_count",
};
const INTERESTS: Insert = Insert {
    into: "interests (actor, item_id, event, weight, last_us)",
    columns: 5,
    tail: "on conflict (actor, item_id) do update set \
           event = case when excluded.weight > interests.weight then excluded.event else interests.event end, \
           weight = case when excluded.weight > interests.weight then excluded.weight else interests.weight end, \
           last_us = case when excluded.last_us > interests.last_us then excluded.last_us else interests.last_us end",
};
const USER_DAYS: Insert = Insert {
    into: "user_days (day, actor, event_count)",
    columns: 3,
    tail: "on conflict (day, actor) do update set event_count = user_days.event_count + excluded.event_count",
};
const CONVERSATIONS: Insert = Insert {
    into: "message_conversations (actor, day, conversation_id, message_count)",
    columns: 4,
    tail: "on conflict (actor, day, conversation_id) \
           do update set message_count = message_conversations.message_count + excluded.message_count",
};
const MESSAGES: Insert = Insert {
    into: "message_days (actor, day, direction, model, message_count, tokens)",
    columns: 6,
    tail: "on conflict (actor, day, direction, model) do update set \
           message_count = message_days.message_count + excluded.message_count, \
           tokens = message_days.tokens + excluded.tokens",
};
const VALUES: Insert = Insert {
    into: "message_values (actor, day, model, measure, bucket, value_count, value_sum)",
    columns: 7,
    tail: "on conflict (actor, day, model, measure, bucket) do update set \
           value_count = message_values.value_count + excluded.value_count, \
           value_sum = message_values.value_sum + excluded.value_sum",
};
const DAYS: Insert = Insert {
    into: "event_days (period, kind, name, event_count)",
    columns: 4,
    tail: "on conflict (period, kind, name) do update set event_count = event_days.event_count + excluded.event_count",
};
const HOURS: Insert = Insert {
    into: "event_hours (period, kind, name, event_count)",
    columns: 4,
    tail: "on conflict (period, kind, name) \
           do update set event_count = event_hours.event_count + excluded.event_count",
};
const MINUTES: Insert = Insert {
    into: "event_minutes (period, kind, name, event_count)",
    columns: 4,
    tail: "on conflict (period, kind, name) \
           do update set event_count = event_minutes.event_count + excluded.event_count",
};

/// Adds `deltas`.
///
/// Rows of single users come first and those that every event touches last: where transactions run at the
/// same time, they wait for each other only on the latter, and so only briefly.
pub(super) async fn add(transaction: &mut AnyConnection, deltas: Deltas) -> Result<(), sqlx::Error> {
    USERS
        .run(transaction, deltas.users, |row, (actor, seen)| {
            row.bind(actor).bind(seen.first_us).bind(seen.last_us).bind(seen.count)
        })
        .await?;
    INTERESTS
        .run(transaction, deltas.interests.into_values(), |row, interest| {
            let row = row.bind(interest.actor).bind(interest.item_id).bind(interest.event);
            row.bind(interest.weight).bind(interest.last_us)
        })
        .await?;
    USER_DAYS
        .run(transaction, deltas.user_days, |row, ((day, actor), count)| {
            row.bind(day).bind(actor).bind(count)
        })
        .await?;
    CONVERSATIONS
        .run(transaction, deltas.conversations, |row, ((actor, day, conversation), count)| {
            row.bind(actor).bind(day).bind(conversation).bind(count)
        })
        .await?;
    MESSAGES
        .run(transaction, deltas.messages, |row, ((actor, day, direction, model), (count, tokens))| {
            row.bind(actor).bind(day).bind(direction).bind(model).bind(count).bind(tokens)
        })
        .await?;
    VALUES
        .run(transaction, deltas.values, |row, ((actor, day, model, measure, bucket), (count, sum))| {
            row.bind(actor).bind(day).bind(model).bind(measure).bind(bucket).bind(count).bind(sum)
        })
        .await?;
    for (insert, counts) in [(DAYS, deltas.days), (HOURS, deltas.hours), (MINUTES, deltas.minutes)] {
        insert
            .run(transaction, counts, |row, ((period, kind, name), count)| {
                row.bind(period).bind(kind).bind(name).bind(count)
            })
            .await?;
    }
    Ok(())
}
