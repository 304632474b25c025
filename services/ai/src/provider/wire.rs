//! The messages of OpenAI's protocol, as far as they are used. Unknown fields are ignored.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Count, FinishReason, Question, Role, failure::ErrorFields, presets::Dialect};

/// The body of a request to `/chat/completions`. The answer is always asked for as a stream: some models
/// give no other, and an answer that arrives in parts can be given up early.
pub(super) fn chat_body(model: &str, question: &Question, dialect: Dialect) -> Value {
    let messages: Vec<Value> = question
        .messages
        .iter()
        .map(|message| json!({"role": role(message.role), "content": message.content}))
        .collect();
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(model));
    body.insert("messages".to_owned(), Value::Array(messages));
    body.insert("stream".to_owned(), json!(true));
    body.insert(dialect.max_tokens_field.to_owned(), json!(question.max_output_tokens));
    if dialect.stream_options {
        body.insert("stream_options".to_owned(), json!({"include_usage": true}));
    }
    if let Some(temperature) = question.temperature {
        body.insert("temperature".to_owned(), json!(temperature));
    }
    Value::Object(body)
}

fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}

/// An event of the stream.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Chunk {
    pub(super) choices: Vec<Choice>,
    pub(super) usage: Option<Usage>,
    pub(super) error: Option<ErrorFields>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Choice {
    pub(super) delta: Option<Delta>,
    pub(super) finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Delta {
    pub(super) content: Option<String>,
    pub(super) reasoning_content: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Usage {
    prompt_tokens: i64,
    completion_tokens: i64,
}

/// The answer of `/audio/transcriptions`.
#[derive(Debug, Deserialize)]
pub(super) struct Transcription {
    pub(super) text: String,
    #[serde(default)]
    pub(super) usage: Option<TranscriptionUsage>,
}

/// Either tokens or a duration, which is no count of tokens.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct TranscriptionUsage {
    input_tokens: Option<i64>,
    output_tokens: Option<i64>,
}

impl Usage {
    /// The counts; `None` for counts that cannot be.
    pub(super) fn count(self) -> Option<Count> {
        let Self { prompt_tokens, completion_tokens } = self;
        (prompt_tokens >= 0 && completion_tokens >= 0 && prompt_tokens.saturating_add(completion_tokens) > 0)
            .then_some(Count { input_tokens: prompt_tokens, output_tokens: completion_tokens })
    }
}

impl TranscriptionUsage {
    pub(super) fn count(self) -> Option<Count> {
        let usage = Usage { prompt_tokens: self.input_tokens?, completion_tokens: self.output_tokens? };
        usage.count()
    }
}

pub(super) fn finish_reason(name: &str) -> FinishReason {
    match name {
        "stop" => FinishReason::Stop,
        "length" => FinishReason::Length,
        "content_filter" | "sensitive" => FinishReason::ContentFilter,
        _ => FinishReason::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Message, presets};

    #[test]
    fn each_dialect_gets_the_fields_that_it_takes() {
        let question = Question {
            messages: vec![Message { role: Role::User, content: "hi".to_owned() }],
            max_output_tokens: 7,
            temperature: None,
        };
        let openai = chat_body("m", &question, presets::dialect("openai"));
        assert_eq!(openai["max_completion_tokens"], 7);
        assert!(openai.get("max_tokens").is_none() && openai.get("temperature").is_none());
        let zhipu = chat_body("m", &question, presets::dialect("zhipu"));
        assert_eq!(zhipu["max_tokens"], 7);
        assert!(zhipu.get("stream_options").is_none());
        assert_eq!(chat_body("m", &question, presets::dialect(""))["stream_options"]["include_usage"], true);
    }

    #[test]
    fn counts_that_cannot_be_are_no_counts() {
        let usage = |prompt_tokens, completion_tokens| Usage { prompt_tokens, completion_tokens }.count();
        assert_eq!(usage(3, 4), Some(Count { input_tokens: 3, output_tokens: 4 }));
        assert_eq!(usage(0, 0), None);
        assert_eq!(usage(-1, 4), None);
    }
}
