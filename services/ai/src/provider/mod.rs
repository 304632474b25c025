//! Providers of language models: what is asked of them and what they answer, whatever they speak.

pub(crate) mod failover;
pub(crate) mod failure;
pub(crate) mod openai;
pub(crate) mod presets;
mod sse;
mod wire;

use futures_util::stream::BoxStream;

use failure::Failure;

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Tells the model how to behave.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
}

/// One contribution to a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// What a model is asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Question {
    /// The conversation, oldest first.
    pub messages: Vec<Message>,
    /// The longest answer.
    pub max_output_tokens: i64,
    /// 0 to 2; the provider's default when there is none.
    pub temperature: Option<f64>,
}

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// The next part of the answer; not empty.
    Text(String),
    /// The next part of what the model says it thinks; not empty.
    Reasoning(String),
    /// What the provider counted.
    Usage(Count),
    /// The answer is whole; the last piece.
    End(FinishReason),
}

/// Tokens that a provider counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// Of everything sent.
    pub input_tokens: i64,
    /// Of everything made.
    pub output_tokens: i64,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FinishReason {
    /// It was complete.
    Stop,
    /// It reached the longest length.
    Length,
    /// It was cut off for its content.
    ContentFilter,
    /// Something else.
    Other,
}

/// An answer as it is being made: pieces that end with [`Piece::End`], or with a failure.
///
/// Dropping it closes the connection to the provider.
pub(crate) type Answer = BoxStream<'static, Result<Piece, Failure>>;

/// A recording to be written down.
#[derive(Clone, Debug)]
pub(crate) struct Recording {
    /// The file.
    pub audio: bytes::Bytes,
    /// Its name, whose extension tells the format.
    pub file_name: String,
    /// ISO 639-1, or empty.
    pub language: String,
    /// Words that occur, or empty.
    pub prompt: String,
}

/// What was said in a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transcript {
    /// The text.
    pub text: String,
    /// What the provider counted, if it counts tokens.
    pub count: Option<Count>,
}
