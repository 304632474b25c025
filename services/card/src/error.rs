//! Why the service refuses or fails, and what the caller is told.

use std::time::Duration;

use plexus_runtime::{
    status::{Code, Problem, Reason},
    stores::{database, requests::ReplayError},
};

use crate::{
    bounds::STEPS_MAX,
    render::{OUTPUT_BYTES_MAX, RenderError},
    template::Invalid,
    value::ValueError,
};

/// A slot is free again after a few cards.
const OVERLOADED_RETRY: Duration = Duration::from_millis(200);
const TEMPLATE: &str = "plexus.card.v1.Template";

/// A refusal or failure of this service.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// There is no such template, or the caller may not use it.
    #[error("there is no such template")]
    NotFound { template_id: String },
    /// The template has no such version, or no longer.
    #[error("the template has no version {version}; the newest 100 are kept")]
    VersionNotFound { template_id: String, version: i64 },
    /// The caller may use the template, but it belongs to somebody else.
    #[error("the template belongs to somebody else")]
    NotOwner { template_id: String },
    /// The template comes with the service.
    #[error("the template comes with the service and cannot be changed; create one of your own")]
    BuiltIn { template_id: String },
    /// The template has changed since the caller, or this call, read it.
    #[error("the template has changed in the meantime; get it again")]
    Changed { template_id: String },
    /// The caller has as many templates as they may.
    #[error("you have {max} templates, which is the limit; delete one first")]
    TooManyTemplates { owner_id: String, max: i64 },
    /// The template breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// A value does not fit its parameter.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// The values are more than a card takes.
    #[error("the parameters are larger than {max} bytes")]
    ValuesTooLarge { max: usize },
    /// The card was not rendered.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// All slots are taken, and as many calls wait as may.
    #[error("too many cards are being rendered; try again")]
    Overloaded,
    /// Rendering panicked.
    #[error("rendering failed in an unforeseen way")]
    Panicked(#[from] tokio::task::JoinError),
    /// The request cannot be answered from what was kept.
    #[error("a repeated request could not be answered")]
    Replay(#[from] ReplayError),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] database::Error),
}

impl Error {
    /// A row that this service did not write so.
    pub(crate) fn corrupt(what: &'static str) -> Self {
        Self::Store(database::Error::Statement(sqlx::Error::Decode(what.into())))
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::NotFound { template_id } | Error::VersionNotFound { template_id, .. } => {
                Self::new(Code::NotFound, Reason::NotFound, message).resource(TEMPLATE, template_id)
            }
            Error::NotOwner { template_id } => {
                Self::new(Code::PermissionDenied, Reason::PermissionDenied, message)
                    .resource(TEMPLATE, template_id)
            }
            Error::BuiltIn { template_id } => {
                Self::new(Code::FailedPrecondition, Reason::WrongState, message)
                    .resource(TEMPLATE, template_id)
            }
            Error::Changed { template_id } => {
                Self::new(Code::Aborted, Reason::EtagMismatch, message).resource(TEMPLATE, template_id)
            }
            Error::TooManyTemplates { owner_id, max } => {
                Self::new(Code::ResourceExhausted, Reason::LimitExceeded, message)
                    .quota(format!("user:{owner_id}"), format!("{max} templates"))
            }
            Error::Invalid(invalid) => invalid_template(invalid),
            Error::Value(error) => Self::new(Code::InvalidArgument, Reason::ParameterInvalid, message)
                .field(format!("parameters.{}", error.path), error.message),
            Error::ValuesTooLarge { max } => limit(message, "parameters_bytes", max as u64),
            Error::Render(RenderError::Steps) => limit(message, "steps", STEPS_MAX),
            Error::Render(RenderError::Output) => limit(message, "output_bytes", OUTPUT_BYTES_MAX as u64),
            Error::Render(RenderError::Engine(_)) | Error::Panicked(_) => Self::internal(&error),
            Error::Overloaded => {
                Self::new(Code::ResourceExhausted, Reason::Overloaded, message).retry_after(OVERLOADED_RETRY)
            }
            Error::Replay(error) => error.into(),
            Error::Store(error) => error.into(),
        }
    }
}

/// The same request fails again, whatever the load: it is the request that is wrong.
fn limit(message: String, what: &str, max: u64) -> Problem {
    Problem::new(Code::InvalidArgument, Reason::RenderLimit, message)
        .metadata("limit", what)
        .metadata("max", max.to_string())
}

fn invalid_template(invalid: Invalid) -> Problem {
    match invalid {
        Invalid::Field { path, message } => Problem::invalid(format!("template.{path}"), message),
        Invalid::Source(error) => {
            Problem::new(Code::InvalidArgument, Reason::TemplateInvalid, format!("template.source: {error}"))
                .metadata("line", error.line.to_string())
                .metadata("column", error.column.to_string())
                .field("template.source", error.message)
        }
        Invalid::Style(error) => Problem::new(
            Code::InvalidArgument,
            Reason::TemplateInvalid,
            format!("template.stylesheet: {error}"),
        )
        .metadata("line", error.line.to_string())
        .field("template.stylesheet", error.message),
    }
}
