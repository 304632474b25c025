//! Access tokens: what they say and how long they hold.

use std::fmt;

use plexus_runtime::{
    identity::{AUDIENCE, Claims, ISSUER, SigningKey},
    settings::Secret,
};
use uuid::Uuid;

use crate::error::Error;

/// How long an access token holds: also how long a disabled user's last token still works.
pub(crate) const ACCESS_TOKEN_SECONDS: i64 = 600;

/// A signed access token.
#[derive(Clone, Debug)]
pub(crate) struct AccessToken {
    /// The JWT.
    pub(crate) token: Secret,
    /// When it expires, in epoch microseconds.
    pub(crate) expire_time_us: i64,
}

/// For whom a token speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    name: String,
    session_id: String,
    roles: Vec<String>,
}

impl Subject {
    /// A user with these roles; `session_id` is empty when an API key stands for them.
    #[must_use]
    pub(crate) fn user(user_id: &str, session_id: &str, roles: &[String]) -> Self {
        Self { name: format!("user:{user_id}"), session_id: session_id.to_owned(), roles: roles.to_vec() }
    }

    /// A service of the mesh; services hold no roles.
    #[must_use]
    pub(crate) fn service(name: &str) -> Self {
        Self { name: format!("service:{name}"), session_id: String::new(), roles: Vec::new() }
    }
}

/// Signs tokens with the newest key.
pub(crate) struct Signer(SigningKey);

impl Signer {
    /// With this key.
    #[must_use]
    pub(crate) fn new(key: SigningKey) -> Self {
        Self(key)
    }

    /// A token for `subject` that holds from `now_us` for [`ACCESS_TOKEN_SECONDS`].
    ///
    /// # Errors
    /// When signing fails.
    pub(crate) fn issue(&self, subject: Subject, now_us: i64) -> Result<AccessToken, Error> {
        let issued_at = now_us.div_euclid(1_000_000);
        let claims = Claims {
            sub: subject.name,
            sid: subject.session_id,
            jti: Uuid::now_v7().to_string(),
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            iat: issued_at,
            exp: issued_at + ACCESS_TOKEN_SECONDS,
            roles: subject.roles,
        };
        let token = self.0.sign(&claims).map_err(|_| Error::Cryptography("signing a token"))?;
        Ok(AccessToken { token: Secret::new(token), expire_time_us: claims.exp * 1_000_000 })
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signer").field(&self.0.jwk().kid).finish()
    }
}

#[cfg(test)]
mod tests {
    use plexus_runtime::identity::{Role, Trust, TrustState};

    use super::*;

    const NOW_US: i64 = 1_800_000_000_500_000;

    fn signer_and_trust() -> (Signer, Trust) {
        let key = SigningKey::generate().unwrap();
        let trust = Trust::default();
        let roles = vec![Role { name: "reader".to_owned(), permissions: vec!["auth.users.read".to_owned()] }];
        trust.publish(&TrustState { keys: vec![key.jwk().clone()], roles });
        (Signer::new(key), trust)
    }

    #[test]
    fn a_user_token_names_the_user_the_session_and_the_roles() {
        let (signer, trust) = signer_and_trust();
        let issued = signer.issue(Subject::user("u1", "s1", &["reader".to_owned()]), NOW_US).unwrap();
        let caller = trust.verify(issued.token.reveal(), NOW_US).unwrap();
        assert_eq!((caller.user_id().unwrap(), caller.session_id()), ("u1", "s1"));
        assert!(caller.may("auth.users.read"));
        assert_eq!(issued.expire_time_us, 1_800_000_600_000_000);
    }

    #[test]
    fn a_service_token_names_the_service_and_holds_no_permission() {
        let (signer, trust) = signer_and_trust();
        let issued = signer.issue(Subject::service("ai"), NOW_US).unwrap();
        let caller = trust.verify(issued.token.reveal(), NOW_US).unwrap();
        assert!(caller.is_service());
        assert_eq!((caller.subject(), caller.permissions().count()), ("service:ai", 0));
    }

    #[test]
    fn no_token_shows_in_debug_output() {
        let (signer, _) = signer_and_trust();
        let issued = signer.issue(Subject::service("ai"), NOW_US).unwrap();
        assert!(!format!("{issued:?}{signer:?}").contains(issued.token.reveal()));
    }
}
