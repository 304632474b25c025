//! How a call of this service fails, and what its caller is told.

use plexus_runtime::{
    status::{Code, Problem, Reason},
    stores::{database, requests::ReplayError},
};
use tonic::Status;

use crate::{
    embedded::component,
    provider::{
        failover::{Attempt, Refusal},
        failure::{Cause, Failure},
    },
};

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The request is wrong.
    #[error("the request is wrong")]
    Request(#[source] Problem),
    /// The service quota refused or did not answer.
    #[error("quota did not grant what the call needs")]
    Quota(#[source] Box<Status>),
    /// Nobody began to answer.
    #[error("no provider answered")]
    Refused(#[from] Refusal),
    /// The answer broke off after its first token.
    #[error("the answer of the provider {provider} broke off")]
    Truncated {
        /// Who answered.
        provider: String,
        /// What happened.
        #[source]
        failure: Failure,
    },
    /// No component could be made.
    #[error("no component could be made")]
    Component(#[from] component::Error),
    /// The kept answer could not be read, or belongs to another request.
    #[error("the kept answer cannot be given")]
    Replay(#[from] ReplayError),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] database::Error),
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Request(problem)
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match error {
            Error::Request(problem) => problem.into(),
            Error::Quota(status) => passed_on(&status),
            Error::Refused(refusal) => refused(refusal).into(),
            Error::Truncated { provider, failure } => truncated(&provider, &failure).into(),
            Error::Component(component::Error::NoEntry) => no_entry().into(),
            Error::Component(error @ component::Error::Invalid(_)) => Problem::internal(&error).into(),
            Error::Replay(error) => Problem::from(error).into(),
            Error::Store(error) => Problem::from(error).into(),
        }
    }
}

/// A status of quota for the caller: a refusal with all its details, but not what only concerns this service.
fn passed_on(status: &Status) -> Status {
    match status.code() {
        Code::ResourceExhausted | Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => {
            // Made anew: the headers of quota's answer are not headers of this one.
            Status::with_details(status.code(), status.message(), status.details().to_vec().into())
        }
        _ => Problem::internal(status).into(),
    }
}

fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::NotConfigured => Problem::new(
            Code::FailedPrecondition,
            Reason::ProviderNotConfigured,
            "no provider that can do this is configured; add one to the settings of the ai service",
        ),
        Refusal::UnknownModel(model) => Problem::new(
            Code::NotFound,
            Reason::NotFound,
            "no configured provider has this model; list the models",
        )
        .resource("plexus.ai.v1.Model", model),
        Refusal::Refused { provider, failure } if failure.cause == Cause::ContentRefused => Problem::new(
            Code::FailedPrecondition,
            Reason::ContentRefused,
            "the provider refuses this content; change it",
        )
        .metadata("provider", provider)
        .metadata("code", failure.code),
        Refusal::Refused { provider, failure } => Problem::new(
            Code::FailedPrecondition,
            Reason::ProviderFailed,
            "the provider refuses this request; its parameters may not suit the model",
        )
        .metadata("provider", provider)
        .metadata("cause", failure.cause.name())
        .metadata("code", failure.code),
        Refusal::AllFailed(attempts) => all_failed(&attempts),
    }
}

fn all_failed(attempts: &[Attempt]) -> Problem {
    let asked = || attempts.iter().filter(|attempt| attempt.cause != Cause::Resting);
    if asked().count() > 0 && asked().all(|attempt| attempt.cause == Cause::ContextLength) {
        return Problem::new(
            Code::InvalidArgument,
            Reason::TooLarge,
            "the conversation is longer than the model takes; leave out its oldest messages",
        )
        .field("messages", "longer than the model takes");
    }
    let problem = Problem::new(
        Code::Unavailable,
        Reason::ProviderFailed,
        "no provider answers at the moment; the metadata says how each one failed",
    );
    attempts.iter().fold(problem, |problem, attempt| {
        problem.metadata(format!("provider.{}", attempt.provider), attempt.cause.name())
    })
}

fn truncated(provider: &str, failure: &Failure) -> Problem {
    Problem::new(
        Code::DataLoss,
        Reason::AnswerTruncated,
        "the answer broke off before it was whole; what has arrived so far is all there is",
    )
    .metadata("provider", provider)
    .metadata("cause", failure.cause.name())
}

fn no_entry() -> Problem {
    let entries: Vec<&str> = component::names().collect();
    Problem::new(
        Code::NotFound,
        Reason::NotFound,
        "the prompt fits no entry of the catalogue; name one, such as \"login form\" or \"pricing table\"",
    )
    .metadata("entries", entries.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(causes: &[Cause]) -> Refusal {
        let attempt = |(at, cause): (usize, &Cause)| Attempt {
            provider: format!("p{at}"),
            model: "m".to_owned(),
            cause: *cause,
        };
        Refusal::AllFailed(causes.iter().enumerate().map(attempt).collect())
    }

    #[test]
    fn a_refusal_of_quota_keeps_its_details_and_its_faults_stay_inside() {
        let refused = Status::with_details(Code::ResourceExhausted, "used up", vec![1, 2, 3].into());
        let status = Status::from(Error::Quota(Box::new(refused)));
        assert_eq!(
            (status.code(), status.message(), status.details()),
            (Code::ResourceExhausted, "used up", &[1, 2, 3][..])
        );
        let fault = Status::invalid_argument("subject: must be user:ID");
        assert_eq!(Status::from(Error::Quota(Box::new(fault))).code(), Code::Internal);
    }

    #[test]
    fn a_conversation_too_long_for_every_model_is_the_callers_to_shorten() {
        let code = |causes| Status::from(Error::from(attempts(causes))).code();
        assert_eq!(code(&[Cause::ContextLength, Cause::ContextLength]), Code::InvalidArgument);
        assert_eq!(code(&[Cause::Resting, Cause::ContextLength]), Code::InvalidArgument);
        assert_eq!(code(&[Cause::Timeout, Cause::ContextLength]), Code::Unavailable);
    }
}
