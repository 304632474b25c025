//! What a server trusts at this moment: the public keys and the roles, as `auth` last streamed them.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use jsonwebtoken::DecodingKey;
use tokio::sync::watch;

use super::{
    Caller, Claims, Jwk,
    methods::permissions,
    token::{self, TokenError},
};

/// The role that holds every permission of the contract.
const ADMIN_ROLE: &str = "admin";

/// A named set of permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// What its holders may do.
    pub permissions: Vec<String>,
}

/// The keys and roles of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustState {
    /// The keys that sign tokens.
    pub keys: Vec<Jwk>,
    /// The roles that tokens name.
    pub roles: Vec<Role>,
}

struct Compiled {
    keys: HashMap<String, DecodingKey>,
    roles: HashMap<String, Vec<String>>,
}

/// A shared view of the newest [`TrustState`]; clones see the same.
#[derive(Clone)]
pub struct Trust {
    state: watch::Sender<Option<Arc<Compiled>>>,
}

impl Default for Trust {
    fn default() -> Self {
        Self { state: watch::Sender::new(None) }
    }
}

impl Trust {
    /// Replaces the whole state.
    pub fn publish(&self, state: &TrustState) {
        let keys = state
            .keys
            .iter()
            .filter_map(|jwk| DecodingKey::from_ed_components(&jwk.x).ok().map(|key| (jwk.kid.clone(), key)))
            .collect();
        let roles = state.roles.iter().map(|role| (role.name.clone(), role.permissions.clone())).collect();
        self.state.send_replace(Some(Arc::new(Compiled { keys, roles })));
    }

    /// Whether a state has ever arrived; until then no token can be verified.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.state.borrow().is_some()
    }

    /// The caller that `token` speaks for at `now_us` (epoch microseconds).
    ///
    /// # Errors
    /// When the token is changed, expired, or signed with a key that is not known here.
    pub fn verify(&self, token: &str, now_us: i64) -> Result<Caller, TokenError> {
        let state = self.state.borrow().clone().ok_or(TokenError::UnknownKey)?;
        let claims = token::verify(token, |kid| state.keys.get(kid).cloned(), now_us)?;
        Ok(state.caller(&claims))
    }
}

impl Compiled {
    fn caller(&self, claims: &Claims) -> Caller {
        let mut held = BTreeSet::new();
        for role in &claims.roles {
            if role == ADMIN_ROLE {
                held.extend(permissions().iter().cloned());
            }
            held.extend(self.roles.get(role).into_iter().flatten().cloned());
        }
        Caller::new(&claims.sub, &claims.sid, held)
    }
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trust").field("known", &self.is_known()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::SigningKey;

    const NOW_US: i64 = 1_800_000_000_000_000;

    fn claims() -> Claims {
        Claims {
            sub: "user:alice".to_owned(),
            sid: "s1".to_owned(),
            jti: "t1".to_owned(),
            iss: token::ISSUER.to_owned(),
            aud: token::AUDIENCE.to_owned(),
            iat: NOW_US / 1_000_000,
            exp: NOW_US / 1_000_000 + 600,
            roles: vec!["reader".to_owned()],
        }
    }

    fn trusting(key: &SigningKey) -> Trust {
        let trust = Trust::default();
        let roles = vec![Role { name: "reader".to_owned(), permissions: vec!["auth.users.read".to_owned()] }];
        trust.publish(&TrustState { keys: vec![key.jwk().clone()], roles });
        trust
    }

    #[test]
    fn a_signed_token_gives_its_caller_the_permissions_of_its_roles() {
        let key = SigningKey::generate().unwrap();
        let caller = trusting(&key).verify(&key.sign(&claims()).unwrap(), NOW_US).unwrap();
        assert_eq!(caller.user_id().unwrap(), "alice");
        assert!(caller.may("auth.users.read"));
        assert!(!caller.may("auth.users.write"));
    }

    #[test]
    fn a_token_is_refused_after_its_time_and_before_it() {
        let key = SigningKey::generate().unwrap();
        let trust = trusting(&key);
        let token = key.sign(&claims()).unwrap();
        assert!(trust.verify(&token, NOW_US + 604_000_000).is_ok());
        assert_eq!(trust.verify(&token, NOW_US + 605_000_000).unwrap_err(), TokenError::Expired);
        assert_eq!(trust.verify(&token, NOW_US - 6_000_000).unwrap_err(), TokenError::Invalid);
    }

    #[test]
    fn a_token_of_another_key_audience_or_issuer_is_refused() {
        let key = SigningKey::generate().unwrap();
        let trust = trusting(&key);
        let other = SigningKey::generate().unwrap();
        assert_eq!(
            trust.verify(&other.sign(&claims()).unwrap(), NOW_US).unwrap_err(),
            TokenError::UnknownKey
        );
        for change in
            [|c: &mut Claims| c.aud = "other".to_owned(), |c: &mut Claims| c.iss = "other".to_owned()]
        {
            let mut changed = claims();
            change(&mut changed);
            let token = key.sign(&changed).unwrap();
            assert_eq!(trust.verify(&token, NOW_US).unwrap_err(), TokenError::Invalid);
        }
    }

    #[test]
    fn a_token_with_one_changed_byte_is_refused() {
        let key = SigningKey::generate().unwrap();
        let trust = trusting(&key);
        let token = key.sign(&claims()).unwrap();
        for position in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            // The last character of each part may carry bits that base64 ignores; strict decoding refuses those too.
            assert!(trust.verify(&changed, NOW_US).is_err(), "position {position} was changed unseen");
        }
    }

    #[test]
    fn nobody_is_trusted_before_the_first_state() {
        let key = SigningKey::generate().unwrap();
        let token = key.sign(&claims()).unwrap();
        assert_eq!(Trust::default().verify(&token, NOW_US).unwrap_err(), TokenError::UnknownKey);
    }
}
