//! Why the service refuses or fails, and what the caller is told.

use std::time::Duration;

use plexus_runtime::{
    status::{Code, Problem, Reason},
    stores::database,
};

/// When to ask again for a stream: watchers come and go within minutes.
const WATCHER_RETRY: Duration = Duration::from_secs(30);

/// A refusal or failure of this service.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field of the request is wrong.
    #[error("{field}: {reason}")]
    Invalid {
        /// Its path.
        field: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// The caller asks for or writes data of others.
    #[error("this touches data of others, which takes the permission {permission}")]
    OthersData {
        /// What would allow it.
        permission: &'static str,
    },
    /// The request is larger than a limit.
    #[error("{what} is too large: {size} bytes, and the limit is {limit}")]
    TooLarge {
        /// Which part of it.
        what: &'static str,
        /// In bytes.
        size: usize,
        /// In bytes.
        limit: usize,
    },
    /// All streams of this replica are taken.
    #[error("this replica serves {limit} streams of live metrics already")]
    TooManyWatchers {
        /// How many it serves.
        limit: usize,
    },
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] database::Error),
    /// A computation ended in an unforeseen way.
    #[error("a computation failed")]
    Computation(#[source] tokio::task::JoinError),
    /// An event could not be written as JSON.
    #[error("an event could not be encoded")]
    Encoding(#[from] serde_json::Error),
}

impl Error {
    /// [`Error::Invalid`] about `field`.
    pub fn invalid(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), reason: reason.into() }
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
            Error::Invalid { field, reason } => Self::invalid(field, reason),
            Error::OthersData { permission } => {
                Self::new(Code::PermissionDenied, Reason::PermissionDenied, message)
                    .metadata("permission", permission)
            }
            Error::TooLarge { limit, .. } => Self::new(Code::InvalidArgument, Reason::TooLarge, message)
                .metadata("limit_bytes", limit.to_string()),
            Error::TooManyWatchers { .. } => {
                Self::new(Code::ResourceExhausted, Reason::Overloaded, message).retry_after(WATCHER_RETRY)
            }
            Error::Store(error) => error.into(),
            Error::Computation(_) | Error::Encoding(_) => Self::internal(&error),
        }
    }
}
