//! Events as they come in the contract, into events as the domain takes them.

use plexus_proto::analytics::v1 as proto;
use plexus_runtime::clock;
use prost::Message as _;
use prost_types::{Struct, Timestamp, value::Kind as ValueKind};
use serde_json::{Number, Value};

use crate::{
    admission::{EVENT_BYTES_MAX, Rejection},
    event::{Draft, Kind, Object, Times},
};

/// Levels of a JSON object, itself counted: deeper ones are mistakes, and every reader would have to be wary.
const DEPTH_MAX: usize = 16;

/// The draft of `event`; `sent_at` is that of its batch.
///
/// # Errors
/// The field that cannot be read.
pub(super) fn draft(event: proto::Event, sent_at: Option<&Timestamp>) -> Result<Draft, Rejection> {
    let size_bytes = event.encoded_len();
    if size_bytes > EVENT_BYTES_MAX {
        let reason = format!("the event has {size_bytes} bytes, and the limit is {EVENT_BYTES_MAX}");
        return Err(Rejection::new("event", reason));
    }
    let times = Times {
        timestamp_us: micros("timestamp", event.timestamp.as_ref())?,
        original_us: micros("original_timestamp", event.original_timestamp.as_ref())?,
        sent_us: micros("sent_at", event.sent_at.as_ref().or(sent_at))?,
    };
    Ok(Draft {
        kind: Kind::of(i64::from(event.r#type)),
        properties: object("properties", event.properties)?,
        traits: object("traits", event.traits)?,
        context: object("context", event.context)?,
        message_id: event.message_id,
        user_id: event.user_id,
        anonymous_id: event.anonymous_id,
        event: event.event,
        name: event.name,
        group_id: event.group_id,
        previous_id: event.previous_id,
        times,
    })
}

fn micros(field: &'static str, time: Option<&Timestamp>) -> Result<Option<i64>, Rejection> {
    time.map(|time| clock::micros(field, time))
        .transpose()
        .map_err(|_problem| Rejection::new(field, "must be a time from the year 0001 to the year 9999"))
}

fn object(field: &'static str, object: Option<Struct>) -> Result<Object, Rejection> {
    object.map_or_else(|| Ok(Object::new()), |object| entries(field, object, DEPTH_MAX))
}

fn entries(field: &'static str, object: Struct, depth: usize) -> Result<Object, Rejection> {
    let below = below(field, depth)?;
    object.fields.into_iter().map(|(key, entry)| Ok((key, value(field, entry.kind, below)?))).collect()
}

fn value(field: &'static str, kind: Option<ValueKind>, depth: usize) -> Result<Value, Rejection> {
    Ok(match kind {
        None | Some(ValueKind::NullValue(_)) => Value::Null,
        Some(ValueKind::BoolValue(value)) => Value::Bool(value),
        Some(ValueKind::StringValue(value)) => Value::String(value),
        Some(ValueKind::NumberValue(value)) => Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| Rejection::new(field, "must hold only finite numbers"))?,
        Some(ValueKind::StructValue(object)) => Value::Object(entries(field, object, depth)?),
        Some(ValueKind::ListValue(list)) => {
            let below = below(field, depth)?;
            let values = list.values.into_iter().map(|entry| value(field, entry.kind, below));
            Value::Array(values.collect::<Result<_, _>>()?)
        }
    })
}

fn below(field: &'static str, depth: usize) -> Result<usize, Rejection> {
    depth
        .checked_sub(1)
        .ok_or_else(|| Rejection::new(field, format!("must be at most {DEPTH_MAX} levels deep")))
}

#[cfg(test)]
mod tests {
    use prost_types::{ListValue, Value as ProtoValue};

    use super::*;

    fn nested(levels: usize) -> Struct {
        let fields = match levels {
            1 => Vec::new(),
            _ => vec![("a".to_owned(), of(ValueKind::StructValue(nested(levels - 1))))],
        };
        Struct { fields: fields.into_iter().collect() }
    }

    fn of(kind: ValueKind) -> ProtoValue {
        ProtoValue { kind: Some(kind) }
    }

    fn event(properties: Struct) -> proto::Event {
        proto::Event { message_id: "1".to_owned(), properties: Some(properties), ..proto::Event::default() }
    }

    #[test]
    fn objects_keep_their_values() {
        let list = ListValue { values: vec![of(ValueKind::NumberValue(1.5)), ProtoValue { kind: None }] };
        let properties = Struct { fields: [("a".to_owned(), of(ValueKind::ListValue(list)))].into() };
        let draft = draft(event(properties), None).unwrap();
        assert_eq!(Value::Object(draft.properties), serde_json::json!({ "a": [1.5, null] }));
    }

    #[test]
    fn objects_that_are_too_deep_or_hold_no_numbers_are_refused() {
        assert!(draft(event(nested(DEPTH_MAX)), None).is_ok());
        assert_eq!(draft(event(nested(DEPTH_MAX + 1)), None).unwrap_err().field, "properties");
        let infinite =
            Struct { fields: [("a".to_owned(), of(ValueKind::NumberValue(f64::INFINITY)))].into() };
        assert_eq!(draft(event(infinite), None).unwrap_err().field, "properties");
    }

    #[test]
    fn an_event_beyond_its_size_is_refused_before_it_is_taken_apart() {
        let long = of(ValueKind::StringValue("x".repeat(EVENT_BYTES_MAX)));
        let properties = Struct { fields: [("a".to_owned(), long)].into() };
        assert_eq!(draft(event(properties), None).unwrap_err().field, "event");
    }

    #[test]
    fn the_sending_time_of_the_batch_stands_in_for_that_of_the_event() {
        let batch = Timestamp { seconds: 5, nanos: 0 };
        assert_eq!(draft(event(nested(1)), Some(&batch)).unwrap().times.sent_us, Some(5_000_000));
        let own = proto::Event { sent_at: Some(Timestamp { seconds: 7, nanos: 0 }), ..event(nested(1)) };
        assert_eq!(draft(own, Some(&batch)).unwrap().times.sent_us, Some(7_000_000));
    }

    #[test]
    fn a_time_outside_the_calendar_is_refused() {
        let absurd = Timestamp { seconds: i64::MAX, nanos: 0 };
        let event = proto::Event { original_timestamp: Some(absurd), ..event(nested(1)) };
        assert_eq!(draft(event, None).unwrap_err().field, "original_timestamp");
    }
}
