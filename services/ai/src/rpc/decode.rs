//! Requests from the wire: every limit of the contract is checked here.

use plexus_proto::ai::v1 as proto;
use plexus_runtime::status::Problem;

use crate::{
    embedded::replies,
    provider::{Message, Question, Recording, Role},
};

/// The longest conversation.
const MESSAGES_MAX: usize = 256;
/// All texts of a conversation together: about 50,000 tokens, well below what a gRPC message may hold.
const CONVERSATION_CHARACTERS_MAX: usize = 200_000;
/// The longest answer that can be asked for, and the one when nothing is asked.
const OUTPUT_TOKENS_MAX: i32 = 32_768;
const OUTPUT_TOKENS_DEFAULT: i32 = 1024;
/// The longest name of a model, with its provider.
const MODEL_CHARACTERS_MAX: usize = 128;
/// The longest prompt for a component: a page.
const PROMPT_CHARACTERS_MAX: usize = 4000;
/// The longest conversation between people, of which only the end counts.
const TURNS_MAX: usize = 100;
/// The longest message between people.
const TURN_CHARACTERS_MAX: usize = 4000;
/// The longest text whose sentiment is asked for: a long article.
const SENTIMENT_CHARACTERS_MAX: usize = 20_000;
/// The longest file name.
const FILE_NAME_CHARACTERS_MAX: usize = 128;
/// The longest help for spelling.
const SPELLING_CHARACTERS_MAX: usize = 2000;
/// The formats that providers take.
const AUDIO_EXTENSIONS: [&str; 9] = ["flac", "mp3", "mp4", "mpeg", "mpga", "m4a", "ogg", "wav", "webm"];

/// A question, and the model that it is for.
pub(super) fn question(request: &proto::ChatRequest) -> Result<(String, Question), Problem> {
    if request.messages.is_empty() || request.messages.len() > MESSAGES_MAX {
        return Err(Problem::invalid("messages", format!("must be 1 to {MESSAGES_MAX}")));
    }
    let messages: Vec<Message> =
        request.messages.iter().enumerate().map(|(at, sent)| message(at, sent)).collect::<Result<_, _>>()?;
    if messages.iter().map(|message| message.content.chars().count()).sum::<usize>()
        > CONVERSATION_CHARACTERS_MAX
    {
        let message = format!("must have at most {CONVERSATION_CHARACTERS_MAX} characters together");
        return Err(Problem::invalid("messages", message));
    }
    if messages.last().is_some_and(|message| message.role != Role::User) {
        return Err(Problem::invalid("messages", "the last one must be of the user"));
    }
    let max_output_tokens = match request.max_output_tokens {
        0 => OUTPUT_TOKENS_DEFAULT,
        tokens @ 1..=OUTPUT_TOKENS_MAX => tokens,
        _ => return Err(Problem::invalid("max_output_tokens", format!("must be 1 to {OUTPUT_TOKENS_MAX}"))),
    };
    if request.temperature.is_some_and(|temperature| !(0.0..=2.0).contains(&temperature)) {
        return Err(Problem::invalid("temperature", "must be 0 to 2"));
    }
    let question =
        Question { messages, max_output_tokens: max_output_tokens.into(), temperature: request.temperature };
    Ok((model(&request.model)?, question))
}

fn message(at: usize, sent: &proto::Message) -> Result<Message, Problem> {
    let role = match sent.role() {
        proto::Role::System => Role::System,
        proto::Role::User => Role::User,
        proto::Role::Assistant => Role::Assistant,
        proto::Role::Unspecified => {
            return Err(Problem::invalid(format!("messages[{at}].role"), "must be one of the roles"));
        }
    };
    if sent.content.trim().is_empty() {
        return Err(Problem::invalid(format!("messages[{at}].content"), "must not be empty"));
    }
    Ok(Message { role, content: sent.content.clone() })
}

/// The name of a model; empty for none in particular.
pub(super) fn model(name: &str) -> Result<String, Problem> {
    at_most("model", name, MODEL_CHARACTERS_MAX)?;
    Ok(name.to_owned())
}

/// What a component is to be.
pub(super) fn prompt(prompt: &str) -> Result<&str, Problem> {
    text("prompt", prompt, PROMPT_CHARACTERS_MAX)
}

/// The text whose sentiment is asked for.
pub(super) fn sentiment_text(sent: &str) -> Result<&str, Problem> {
    text("text", sent, SENTIMENT_CHARACTERS_MAX)
}

/// A conversation between people.
pub(super) fn turns(sent: &[proto::Turn]) -> Result<Vec<replies::Turn>, Problem> {
    if sent.is_empty() || sent.len() > TURNS_MAX {
        return Err(Problem::invalid("turns", format!("must be 1 to {TURNS_MAX}")));
    }
    let turn = |(at, turn): (usize, &proto::Turn)| {
        text(&format!("turns[{at}].text"), &turn.text, TURN_CHARACTERS_MAX)?;
        Ok(replies::Turn { from_self: turn.from_self, text: turn.text.clone() })
    };
    sent.iter().enumerate().map(turn).collect()
}

/// A recording of at most `bytes_max`.
pub(super) fn recording(request: proto::TranscribeRequest, bytes_max: usize) -> Result<Recording, Problem> {
    if request.audio.is_empty() || request.audio.len() > bytes_max {
        return Err(Problem::invalid("audio", format!("must be 1 to {bytes_max} bytes")));
    }
    let extension = request.file_name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    if !extension.is_some_and(|extension| AUDIO_EXTENSIONS.contains(&extension.as_str())) {
        let message = format!("must end with one of .{}", AUDIO_EXTENSIONS.join(", ."));
        return Err(Problem::invalid("file_name", message));
    }
    at_most("file_name", &request.file_name, FILE_NAME_CHARACTERS_MAX)?;
    if !matches!(request.language.len(), 0 | 2)
        || !request.language.bytes().all(|byte| byte.is_ascii_lowercase())
    {
        return Err(Problem::invalid("language", "must be two lower-case letters (ISO 639-1), or empty"));
    }
    at_most("prompt", &request.prompt, SPELLING_CHARACTERS_MAX)?;
    Ok(Recording {
        audio: request.audio,
        file_name: request.file_name,
        language: request.language,
        prompt: request.prompt,
    })
}

fn text<'t>(field: &str, text: &'t str, characters_max: usize) -> Result<&'t str, Problem> {
    if text.trim().is_empty() {
        return Err(Problem::invalid(field, "must not be empty"));
    }
    at_most(field, text, characters_max)?;
    Ok(text)
}

fn at_most(field: &str, text: &str, characters_max: usize) -> Result<(), Problem> {
    if text.chars().count() > characters_max {
        return Err(Problem::invalid(field, format!("must be at most {characters_max} characters")));
    }
    Ok(())
}
