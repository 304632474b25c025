//! Errors as callers see them: one code, one reason of the contract, and details for programs.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    time::Duration,
};

pub use plexus_proto::api::v1::Reason;
pub use tonic::Code;
use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt as _};

/// The domain of every `ErrorInfo` of the mesh.
pub const DOMAIN: &str = "plexus";

/// A refusal or failure, on its way to the caller.
///
/// What it says is meant for the caller: never text of a database, a path or a secret.
#[derive(Clone, Debug)]
pub struct Problem(Box<Parts>);

#[derive(Clone, Debug)]
struct Parts {
    code: Code,
    reason: Reason,
    message: String,
    metadata: BTreeMap<String, String>,
    fields: Vec<(String, String)>,
    quota: Vec<(String, String)>,
    resource: Option<(String, String)>,
    retry_after: Option<Duration>,
}

impl Problem {
    /// A problem with this code, reason and message; the message says what to do, in English.
    #[must_use]
    pub fn new(code: Code, reason: Reason, message: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            code,
            reason,
            message: message.into(),
            metadata: BTreeMap::new(),
            fields: Vec::new(),
            quota: Vec::new(),
            resource: None,
            retry_after: None,
        }))
    }

    /// `INVALID_ARGUMENT`: `field` (a path such as `messages[2].content`) is wrong, `description` says how.
    #[must_use]
    pub fn invalid(field: impl Into<String>, description: impl Into<String>) -> Self {
        let (field, description) = (field.into(), description.into());
        Self::new(Code::InvalidArgument, Reason::InvalidField, format!("{field}: {description}"))
            .field(field, description)
    }

    /// `INTERNAL`: logs `error` with its sources once, and tells the caller only that it happened.
    #[must_use]
    pub fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!(error = %Chain(error), "a call failed inside the server");
        Self::new(
            Code::Internal,
            Reason::Internal,
            "the server failed; the trace id of this call leads to the cause",
        )
    }

    /// `UNAVAILABLE`: something this server needs (`what`) does not answer; logs `error` once.
    #[must_use]
    pub fn unavailable(what: &str, error: &dyn std::error::Error) -> Self {
        tracing::warn!(dependency = what, error = %Chain(error), "a dependency does not answer");
        Self::new(
            Code::Unavailable,
            Reason::DependencyUnavailable,
            format!("{what} does not answer at the moment; try again"),
        )
        .metadata("dependency", what)
    }

    /// Adds a wrong field.
    #[must_use]
    pub fn field(mut self, path: impl Into<String>, description: impl Into<String>) -> Self {
        self.0.fields.push((path.into(), description.into()));
        self
    }

    /// Adds a fact for programs to the `ErrorInfo`.
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.metadata.insert(key.into(), value.into());
        self
    }

    /// Names the resource that the problem is about.
    #[must_use]
    pub fn resource(mut self, kind: impl Into<String>, name: impl Into<String>) -> Self {
        self.0.resource = Some((kind.into(), name.into()));
        self
    }

    /// Says when it is worth trying again.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.0.retry_after = Some(delay);
        self
    }

    /// Adds a limit that the call ran into.
    #[must_use]
    pub fn quota(mut self, subject: impl Into<String>, description: impl Into<String>) -> Self {
        self.0.quota.push((subject.into(), description.into()));
        self
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The reason.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.0.reason
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Problem {}

impl From<Problem> for Status {
    fn from(Problem(parts): Problem) -> Self {
        let reason = parts.reason.as_str_name().trim_start_matches("REASON_");
        let mut details = ErrorDetails::new();
        details.set_error_info(reason, DOMAIN, parts.metadata.into_iter().collect::<HashMap<_, _>>());
        for (field, description) in parts.fields {
            details.add_bad_request_violation(field, description);
        }
        for (subject, description) in parts.quota {
            details.add_quota_failure_violation(subject, description);
        }
        if let Some((kind, name)) = parts.resource {
            details.set_resource_info(kind, name, "", "");
        }
        if let Some(delay) = parts.retry_after {
            details.set_retry_info(Some(delay));
        }
        Self::with_error_details(parts.code, parts.message, details)
    }
}

/// An error with all its sources on one line, for the log.
struct Chain<'e>(&'e dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_carries_the_reason_and_every_detail() {
        let problem = Problem::new(Code::ResourceExhausted, Reason::LimitExceeded, "the limit is used up")
            .metadata("meter", "tokens")
            .quota("user:alice", "1000 tokens a day")
            .retry_after(Duration::from_secs(60));
        let status = Status::from(problem);
        assert_eq!(status.code(), Code::ResourceExhausted);
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("LIMIT_EXCEEDED", DOMAIN));
        assert_eq!(info.metadata["meter"], "tokens");
        assert_eq!(details.quota_failure().unwrap().violations[0].subject, "user:alice");
        assert_eq!(details.retry_info().unwrap().retry_delay, Some(Duration::from_secs(60)));
    }

    #[test]
    fn an_invalid_field_is_named_in_the_message_and_in_the_details() {
        let status = Status::from(Problem::invalid("page_size", "must be 1 to 200"));
        assert_eq!(status.message(), "page_size: must be 1 to 200");
        let details = status.get_error_details();
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "page_size");
    }

    #[test]
    fn what_failed_inside_is_not_told() {
        let secret = std::io::Error::other("password=hunter2 at /var/lib");
        let status = Status::from(Problem::internal(&secret));
        assert!(!status.message().contains("hunter2"));
        assert!(!format!("{:?}", status.details()).contains("hunter2"));
    }
}
