//! Why a service config is refused: the field, what it holds, and what it may hold.

/// A service config that cannot be used. Nothing of it takes effect (gRFC A21).
#[derive(Debug, thiserror::Error)]
pub enum ServiceConfigError {
    /// The text is longer than a config may be.
    #[error("the service config has {bytes} bytes: expected at most {bytes_max}")]
    TooLong {
        /// What it has.
        bytes: usize,
        /// What it may have: [`SERVICE_CONFIG_BYTES_MAX`](super::SERVICE_CONFIG_BYTES_MAX).
        bytes_max: usize,
    },
    /// The text is no JSON; the source says at which line and column.
    #[error("the service config is not JSON")]
    Syntax(#[source] serde_json::Error),
    /// A field is missing, or holds what it may not.
    #[error("{path} {problem}")]
    Field {
        /// Where in the JSON, such as `methodConfig[0].retryPolicy.maxAttempts`.
        path: String,
        /// What is wrong with it and what is allowed.
        problem: String,
    },
}

impl ServiceConfigError {
    /// Where in the JSON the fault is, when it is in a field.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Field { path, .. } => Some(path),
            Self::TooLong { .. } | Self::Syntax(_) => None,
        }
    }
}
