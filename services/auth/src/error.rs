//! What can go wrong in auth, and how callers see it.

use std::time::Duration;

use plexus_runtime::{
    status::{Code, Problem, Reason},
    stores::{database, requests::ReplayError},
};

/// When a refused login is worth repeating: by then the queue of hashing slots has gone.
const HASHING_RETRY: Duration = Duration::from_secs(1);
/// When a refused watcher may try again: they hold their streams for long.
const WATCHERS_RETRY: Duration = Duration::from_secs(5);

/// Why auth refused or failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Unknown, wrong or disabled: a caller must not learn which.
    #[error("the credentials are wrong")]
    WrongCredentials,
    /// The refresh token is none of ours, or its session is over.
    #[error("the session is over or the refresh token is not valid; log in again")]
    SessionOver,
    /// The refresh token had been used before.
    #[error("the refresh token was used before, so its session has been ended; log in again")]
    RefreshTokenReused,
    /// All hashing slots are taken and enough callers wait.
    #[error("too many passwords are being checked at the moment; try again")]
    HashingBusy,
    /// Enough streams of keys and roles are open.
    #[error("too many streams are open at the moment; try again")]
    WatchersFull,
    /// A field is wrong.
    #[error("{description}")]
    Invalid {
        /// Its path in the request.
        field: String,
        /// What it has to be.
        description: String,
    },
    /// A new password does not meet the rules.
    #[error("{description}")]
    WeakPassword {
        /// Its path in the request.
        field: String,
        /// What it has to be.
        description: String,
    },
    /// There is nothing with this name.
    #[error("there is no such {}", .kind.noun())]
    NotFound {
        /// What was looked for.
        kind: Kind,
        /// Its id or name.
        name: String,
    },
    /// Another user has this login name.
    #[error("another user has this login name")]
    LoginNameTaken(String),
    /// Too many of something exist already.
    #[error("{0}")]
    TooMany(&'static str),
    /// The thing is in a state that does not allow this.
    #[error("{0}")]
    WrongState(&'static str),
    /// The caller would give, take or stop more than they hold themselves.
    #[error("this needs the permission {0}, which you do not hold yourself")]
    NotHeld(String),
    /// What the runtime found wrong with the request.
    #[error(transparent)]
    Request(#[from] Problem),
    /// The kept answer to the same request could not be given.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] database::Error),
    /// What the store holds cannot be understood.
    #[error("a stored value cannot be read")]
    Stored(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Hashing, signing or randomness failed.
    #[error("a cryptographic operation failed: {0}")]
    Cryptography(&'static str),
}

/// What a name that leads nowhere was to lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A user.
    User,
    /// A role.
    Role,
    /// An API key.
    ApiKey,
}

impl Kind {
    fn noun(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Role => "role",
            Self::ApiKey => "API key",
        }
    }

    fn type_name(self) -> &'static str {
        match self {
            Self::User => "plexus.auth.v1.User",
            Self::Role => "plexus.auth.v1.Role",
            Self::ApiKey => "plexus.auth.v1.ApiKey",
        }
    }
}

impl Error {
    /// `field` is wrong; `description` says what it has to be.
    pub(crate) fn invalid(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), description: description.into() }
    }

    /// There is no `kind` called `name`.
    pub(crate) fn not_found(kind: Kind, name: impl Into<String>) -> Self {
        Self::NotFound { kind, name: name.into() }
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
            Error::WrongCredentials => Self::new(Code::Unauthenticated, Reason::WrongCredentials, message),
            Error::SessionOver => Self::new(Code::Unauthenticated, Reason::Unauthenticated, message),
            Error::RefreshTokenReused => {
                Self::new(Code::Unauthenticated, Reason::RefreshTokenReused, message)
            }
            Error::HashingBusy => {
                Self::new(Code::ResourceExhausted, Reason::Overloaded, message).retry_after(HASHING_RETRY)
            }
            Error::WatchersFull => {
                Self::new(Code::ResourceExhausted, Reason::Overloaded, message).retry_after(WATCHERS_RETRY)
            }
            Error::Invalid { field, description } => Self::invalid(field, description),
            Error::WeakPassword { field, description } => {
                Self::new(Code::InvalidArgument, Reason::WeakPassword, format!("{field}: {description}"))
                    .field(field, description)
            }
            Error::NotFound { kind, name } => {
                Self::new(Code::NotFound, Reason::NotFound, message).resource(kind.type_name(), name)
            }
            Error::LoginNameTaken(name) => Self::new(Code::AlreadyExists, Reason::AlreadyExists, message)
                .resource(Kind::User.type_name(), name),
            Error::TooMany(_) => Self::new(Code::ResourceExhausted, Reason::LimitExceeded, message),
            Error::WrongState(_) => Self::new(Code::FailedPrecondition, Reason::WrongState, message),
            Error::NotHeld(permission) => {
                Self::new(Code::PermissionDenied, Reason::PermissionDenied, message)
                    .metadata("permission", permission)
            }
            Error::Request(problem) => problem,
            Error::Replay(error) => error.into(),
            Error::Store(error) => error.into(),
            Error::Stored(_) | Error::Cryptography(_) => Self::internal(&error),
        }
    }
}
