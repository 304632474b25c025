//! The caller of a request, as the authenticate layer found them.

use std::{collections::BTreeSet, sync::Arc};

use tonic::Request;

use crate::status::{Code, Problem, Reason};

/// The prefix of a subject that is a person.
const USER_PREFIX: &str = "user:";
/// The prefix of a subject that is a service of the mesh.
const SERVICE_PREFIX: &str = "service:";

/// Who calls: a user or a service, with the permissions of their roles at this moment.
#[derive(Clone, Debug)]
pub struct Caller {
    subject: Arc<str>,
    session_id: Arc<str>,
    permissions: Arc<BTreeSet<String>>,
}

impl Caller {
    /// A caller with this subject (`user:ID` or `service:NAME`), session and permissions.
    #[must_use]
    pub fn new(subject: &str, session_id: &str, permissions: BTreeSet<String>) -> Self {
        Self { subject: subject.into(), session_id: session_id.into(), permissions: Arc::new(permissions) }
    }

    /// The caller of `request`.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` when the request carried no token, which only a public method allows.
    pub fn of<T>(request: &Request<T>) -> Result<Self, Problem> {
        request.extensions().get::<Self>().cloned().ok_or_else(Self::missing)
    }

    pub(crate) fn missing() -> Problem {
        Problem::new(
            Code::Unauthenticated,
            Reason::Unauthenticated,
            "this call needs a token: send the header \"authorization: Bearer <access token>\"",
        )
    }

    /// `user:ID` or `service:NAME`.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The session the token belongs to; empty for services and API keys.
    #[must_use]
    pub fn session_id(&self) -> &str {
        &self.session_id
    }

    /// The id of the user who calls.
    ///
    /// # Errors
    /// `PERMISSION_DENIED` when a service calls.
    pub fn user_id(&self) -> Result<&str, Problem> {
        self.subject.strip_prefix(USER_PREFIX).ok_or_else(|| {
            Problem::new(
                Code::PermissionDenied,
                Reason::PermissionDenied,
                "this call is for users; a service has no data of its own here",
            )
        })
    }

    /// Whether a service of the mesh calls.
    #[must_use]
    pub fn is_service(&self) -> bool {
        self.subject.starts_with(SERVICE_PREFIX)
    }

    /// Whether one of the caller's roles holds `permission`.
    #[must_use]
    pub fn may(&self, permission: &str) -> bool {
        self.permissions.contains(permission)
    }

    /// All permissions that hold, sorted.
    pub fn permissions(&self) -> impl Iterator<Item = &str> {
        self.permissions.iter().map(String::as_str)
    }
}
