//! What is read out of events about messages, and how statistics add up.

use serde_json::json;

use super::*;
use crate::{histogram, sample};

fn message(name: &str, properties: Value) -> Option<Message> {
    let Value::Object(properties) = properties else { panic!("properties are an object") };
    Message::of(&Event { name: name.to_owned(), properties, ..sample::event("1") })
}

#[test]
fn an_answer_is_read_with_everything_it_says() {
    let properties = json!({
        "conversation_id": "c", "model": "m", "tokens": 12.0, "length": 40, "latency_ms": 850
    });
    let expected = Message {
        direction: Direction::Received,
        conversation_id: "c".to_owned(),
        model: "m".to_owned(),
        tokens: 12,
        length: Some(40),
        latency_ms: Some(850),
    };
    assert_eq!(message(RECEIVED, properties), Some(expected));
}

#[test]
fn what_a_person_wrote_has_no_latency() {
    assert_eq!(message(SENT, json!({ "latency_ms": 850 })).unwrap().latency_ms, None);
}

#[test]
fn properties_of_a_wrong_type_are_left_out_and_the_message_still_counts() {
    let wrong = json!({
        "conversation_id": 7, "model": "x".repeat(129), "tokens": -1, "length": 1.5, "latency_ms": "fast"
    });
    let message = message(RECEIVED, wrong).unwrap();
    assert_eq!((message.conversation_id.as_str(), message.model.as_str()), ("", ""));
    assert_eq!((message.tokens, message.length, message.latency_ms), (0, None, None));
}

#[test]
fn other_events_are_no_messages() {
    assert_eq!(message("opened", json!({})), None);
    let page = Event { kind: Kind::Page, name: SENT.to_owned(), ..sample::event("1") };
    assert_eq!(Message::of(&page), None);
}

#[test]
fn statistics_add_up_and_name_every_day() {
    let latency = |value| ValueRow {
        measure: Measure::Latency as i64,
        bucket: histogram::bucket(value),
        count: 1,
        sum: value,
    };
    let few = Counts { sent: 3, received: 2, tokens: 500 };
    let one = Counts { sent: 0, received: 1, tokens: 20 };
    let recorded = Recorded {
        days: vec![(10, few), (12, one)],
        models: vec![("large".to_owned(), few), ("small".to_owned(), one)],
        values: vec![latency(1_000), latency(3_000), latency(100)],
        model_values: vec![
            ("large".to_owned(), latency(1_000)),
            ("large".to_owned(), latency(3_000)),
            ("small".to_owned(), latency(100)),
        ],
        conversations: 4,
    };

    let statistics = Statistics::of(Days { first: 10, end: 13 }, recorded);

    assert_eq!(statistics.totals.counts, Counts { sent: 3, received: 3, tokens: 520 });
    assert_eq!((statistics.totals.latency_ms.count(), statistics.totals.length.count()), (3, 0));
    assert_eq!(statistics.conversations, 4);
    assert_eq!(statistics.days, [(10, few), (11, Counts::default()), (12, one)]);
    let averages: Vec<_> = statistics
        .models
        .iter()
        .map(|(model, totals)| (model.as_str(), totals.latency_ms.average()))
        .collect();
    assert_eq!(averages, [("large", 2_000.0), ("small", 100.0)]);
}
