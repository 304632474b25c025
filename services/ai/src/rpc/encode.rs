//! Answers to the wire.

use std::collections::BTreeMap;

use plexus_proto::ai::v1 as proto;
use prost_types::{ListValue, Struct, Value, value::Kind};

use crate::{
    embedded::replies::Silence,
    exchange::Event,
    language::Language,
    provider::{
        Count, FinishReason,
        failover::{Attempt, Chosen},
    },
    sentiment::Label,
};

pub(super) fn usage(count: Count, by_provider: bool) -> proto::Usage {
    let source = if by_provider { proto::UsageSource::Provider } else { proto::UsageSource::Estimate };
    proto::Usage {
        input_tokens: count.input_tokens,
        output_tokens: count.output_tokens,
        source: source.into(),
    }
}

pub(super) fn chosen(chosen: Chosen) -> proto::ProviderChosen {
    let attempt = |attempt: Attempt| proto::FailedAttempt {
        provider: attempt.provider,
        model: attempt.model,
        cause: attempt.cause.name().to_owned(),
    };
    proto::ProviderChosen {
        provider: chosen.provider,
        model: chosen.model,
        failed_attempts: chosen.failed.into_iter().map(attempt).collect(),
        embedded: chosen.embedded,
    }
}

pub(super) fn event(event: Event) -> proto::ChatEvent {
    use proto::chat_event::Event as Sent;
    let sent = match event {
        Event::Chosen(provider) => Sent::ProviderChosen(chosen(provider)),
        Event::Text(text) => Sent::TextDelta(proto::TextDelta { text }),
        Event::Reasoning(text) => Sent::ReasoningDelta(proto::TextDelta { text }),
        Event::Used(used) => Sent::Usage(usage(used.count, used.by_provider)),
        Event::Finish(reason) => Sent::Finish(proto::Finish { reason: finish_reason(reason).into() }),
    };
    proto::ChatEvent { event: Some(sent) }
}

pub(super) fn finish_reason(reason: FinishReason) -> proto::FinishReason {
    match reason {
        FinishReason::Stop => proto::FinishReason::Stop,
        FinishReason::Length => proto::FinishReason::Length,
        FinishReason::ContentFilter => proto::FinishReason::ContentFilter,
        FinishReason::Other => proto::FinishReason::Other,
    }
}

pub(super) fn language(language: Language) -> proto::Language {
    match language {
        Language::English => proto::Language::English,
        Language::Chinese => proto::Language::Chinese,
    }
}

pub(super) fn label(label: Label) -> proto::SentimentLabel {
    match label {
        Label::Positive => proto::SentimentLabel::Positive,
        Label::Negative => proto::SentimentLabel::Negative,
        Label::Neutral => proto::SentimentLabel::Neutral,
    }
}

pub(super) fn silence(silence: Silence) -> proto::Silence {
    match silence {
        Silence::NothingToAnswer => proto::Silence::NothingToAnswer,
        Silence::Sensitive => proto::Silence::Sensitive,
        Silence::NoIntent => proto::Silence::NoIntent,
    }
}

/// A JSON object as a struct; another value becomes an empty one.
pub(super) fn object(value: serde_json::Value) -> Struct {
    match value {
        serde_json::Value::Object(fields) => Struct {
            fields: fields.into_iter().map(|(key, value)| (key, json(value))).collect::<BTreeMap<_, _>>(),
        },
        _ => Struct::default(),
    }
}

fn json(value: serde_json::Value) -> Value {
    let kind = match value {
        serde_json::Value::Null => Kind::NullValue(0),
        serde_json::Value::Bool(truth) => Kind::BoolValue(truth),
        serde_json::Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or_default()),
        serde_json::Value::String(text) => Kind::StringValue(text),
        serde_json::Value::Array(values) => {
            Kind::ListValue(ListValue { values: values.into_iter().map(json).collect() })
        }
        object @ serde_json::Value::Object(_) => Kind::StructValue(self::object(object)),
    };
    Value { kind: Some(kind) }
}
