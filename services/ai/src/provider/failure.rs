//! How providers fail, and whether another one is worth asking.

use std::time::Duration;

use serde::Deserialize;

/// The longest code of a provider that is passed on; what is longer is no code.
const CODE_CHARACTERS_MAX: usize = 64;

/// Why a provider did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cause {
    /// It did not answer in time.
    Timeout,
    /// It could not be reached, or the connection broke.
    Connection,
    /// It refuses calls for a while.
    RateLimited,
    /// It has no capacity at the moment.
    Overloaded,
    /// It failed inside.
    ServerError,
    /// The key is not valid, or the account has no means left: waiting does not help, its owner has to act.
    Account,
    /// It does not have the model, or not for this account.
    ModelMissing,
    /// The conversation is longer than the model takes.
    ContextLength,
    /// What it sent is not the protocol, or the answer is empty.
    Protocol,
    /// It failed just now and was not asked.
    Resting,
    /// It refuses the content.
    ContentRefused,
    /// It refuses the request for another reason.
    Rejected,
    /// Its answer ended before it was whole.
    Truncated,
}

/// One failure of a provider.
///
/// Neither its text nor the provider's message is kept: a message may repeat the conversation or part of a key.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("the provider failed: {}{}", cause.name(), if code.is_empty() { String::new() } else { format!(" ({code})") })]
pub(crate) struct Failure {
    /// Why.
    pub cause: Cause,
    /// The provider's own code or the HTTP status; may be empty.
    pub code: String,
    /// When the provider wants to be asked again.
    pub retry_after: Option<Duration>,
}

impl Cause {
    /// Its name in the contract and in traces.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Connection => "connection",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::ServerError => "server_error",
            Self::Account => "account",
            Self::ModelMissing => "model_missing",
            Self::ContextLength => "context_length",
            Self::Protocol => "protocol",
            Self::Resting => "resting",
            Self::ContentRefused => "content_refused",
            Self::Rejected => "rejected",
            Self::Truncated => "truncated",
        }
    }

    /// Whether another provider may do better. What the caller asked wrongly is wrong everywhere.
    #[must_use]
    pub(crate) fn is_worth_another(self) -> bool {
        !matches!(self, Self::ContentRefused | Self::Rejected)
    }

    /// Whether the provider would fail the next call as well, whatever it asks for.
    #[must_use]
    pub(crate) fn is_lasting(self) -> bool {
        matches!(
            self,
            Self::Timeout
                | Self::Connection
                | Self::RateLimited
                | Self::Overloaded
                | Self::ServerError
                | Self::Account
        )
    }
}

impl Failure {
    /// A failure without a code.
    #[must_use]
    pub(crate) fn new(cause: Cause) -> Self {
        Self { cause, code: String::new(), retry_after: None }
    }

    /// The failure that an HTTP status and the body of an error say.
    #[must_use]
    pub(crate) fn of_answer(status: u16, body: &[u8]) -> Self {
        let error = serde_json::from_slice::<ErrorBody>(body).unwrap_or_default().error;
        let code = error.code();
        let cause = cause_of_code(&code, &error.message).unwrap_or_else(|| cause_of_status(status));
        Self { cause, code: if code.is_empty() { status.to_string() } else { code }, retry_after: None }
    }

    /// The failure that an error event in the middle of a stream says.
    #[must_use]
    pub(crate) fn of_event(error: &ErrorFields) -> Self {
        let code = error.code();
        Self {
            cause: cause_of_code(&code, &error.message).unwrap_or(Cause::ServerError),
            code,
            retry_after: None,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorBody {
    error: ErrorFields,
}

/// What providers say about an error.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ErrorFields {
    message: String,
    #[serde(rename = "type")]
    kind: serde_json::Value,
    code: serde_json::Value,
}

impl ErrorFields {
    /// The code, which some send as a number, or else the type; empty when neither looks like one.
    fn code(&self) -> String {
        let text = |value: &serde_json::Value| match value {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Number(number) => number.to_string(),
            _ => String::new(),
        };
        let code = text(&self.code);
        let code = if code.is_empty() { text(&self.kind) } else { code };
        let looks_like_code = code.chars().count() <= CODE_CHARACTERS_MAX
            && code.chars().all(|character| character.is_ascii_alphanumeric() || "._-".contains(character));
        if looks_like_code { code } else { String::new() }
    }
}

/// The codes of the presets' providers, where they say more than the HTTP status.
fn cause_of_code(code: &str, message: &str) -> Option<Cause> {
    let cause = match code {
        "insufficient_quota"
        | "billing_hard_limit_reached"
        | "invalid_api_key"
        | "account_deactivated"
        | "1113"
        | "AccountOverdueError"
        | "AuthenticationError"
        | "AccessDenied"
        | "Arrearage"
        | "InvalidApiKey"
        | "1000"
        | "1001"
        | "1002"
        | "1003"
        | "1004" => Cause::Account,
        "rate_limit_exceeded"
        | "RateLimitExceeded"
        | "Throttling"
        | "1302"
        | "1303"
        | "1304"
        | "1308"
        | "1310" => Cause::RateLimited,
        "1305" | "overloaded_error" | "ServerOverloaded" => Cause::Overloaded,
        "model_not_found" | "ModelNotOpen" | "ModelNotFound" | "InvalidEndpointOrModel.NotFound" | "1211" => {
            Cause::ModelMissing
        }
        "context_length_exceeded" | "1261" => Cause::ContextLength,
        "content_filter"
        | "content_policy_violation"
        | "1301"
        | "DataInspectionFailed"
        | "data_inspection_failed"
        | "SensitiveContentDetected" => Cause::ContentRefused,
        _ if message.contains("maximum context length") => Cause::ContextLength,
        _ => return None,
    };
    Some(cause)
}

fn cause_of_status(status: u16) -> Cause {
    match status {
        401..=403 => Cause::Account,
        404 => Cause::ModelMissing,
        408 | 504 => Cause::Timeout,
        413 => Cause::ContextLength,
        429 => Cause::RateLimited,
        400..=499 => Cause::Rejected,
        503 | 529 => Cause::Overloaded,
        500..=599 => Cause::ServerError,
        _ => Cause::Protocol,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(status: u16, body: &str) -> Cause {
        Failure::of_answer(status, body.as_bytes()).cause
    }

    #[test]
    fn statuses_and_codes_have_their_causes() {
        for (status, body, expected) in [
            (429, r#"{"error":{"code":"rate_limit_exceeded"}}"#, Cause::RateLimited),
            (429, r#"{"error":{"code":"insufficient_quota","message":"pay"}}"#, Cause::Account),
            (429, r#"{"error":{"code":"1113","message":"欠费"}}"#, Cause::Account),
            (429, r#"{"error":{"code":"1305"}}"#, Cause::Overloaded),
            (429, "busy", Cause::RateLimited),
            (402, r#"{"error":{"message":"Insufficient Balance"}}"#, Cause::Account),
            (403, r#"{"error":{"code":"AccountOverdueError"}}"#, Cause::Account),
            (404, r#"{"error":{"code":"ModelNotOpen"}}"#, Cause::ModelMissing),
            (400, r#"{"error":{"code":"context_length_exceeded"}}"#, Cause::ContextLength),
            (
                400,
                r#"{"error":{"message":"This model's maximum context length is 8192 tokens"}}"#,
                Cause::ContextLength,
            ),
            (400, r#"{"error":{"code":1301}}"#, Cause::ContentRefused),
            (400, r#"{"error":{"code":null,"type":"invalid_request_error"}}"#, Cause::Rejected),
            (401, "", Cause::Account),
            (500, "<html>", Cause::ServerError),
            (503, "", Cause::Overloaded),
            (302, "", Cause::Protocol),
        ] {
            assert_eq!(cause(status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn what_the_caller_did_wrong_is_not_asked_elsewhere() {
        assert!(!Cause::Rejected.is_worth_another());
        assert!(!Cause::ContentRefused.is_worth_another());
        assert!(Cause::Account.is_worth_another());
        assert!(Cause::ContextLength.is_worth_another());
        assert!(!Cause::ContextLength.is_lasting());
    }

    #[test]
    fn a_message_never_becomes_part_of_the_failure() {
        let body = r#"{"error":{"message":"bad key sk-secret","type":"the words of the user, at length"}}"#;
        let failure = Failure::of_answer(401, body.as_bytes());
        assert_eq!(failure.to_string(), "the provider failed: account (401)");
    }
}
