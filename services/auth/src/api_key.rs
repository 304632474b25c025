//! API keys: what they are, and the form of their secrets.
//!
//! A secret is `plx_`, the key's id, 256 secret bits and a checksum, in hexadecimal: one word that a double click
//! selects, that scanners for leaked secrets recognise, and whose typing errors show without asking the store.

use std::fmt;

use plexus_runtime::settings::Secret;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    error::Error,
    secrets::{DIGEST_BYTES, Derivation, digest},
};

const PREFIX: &str = "plx_";
const ID_CHARACTERS: usize = 32;
const SECRET_CHARACTERS: usize = 2 * DIGEST_BYTES;
const CHECKSUM_CHARACTERS: usize = 8;
/// So much of a secret is shown in lists; it is part of the id and not secret.
const SHOWN_CHARACTERS: usize = 20;
/// What a purpose takes.
const DISPLAY_NAME_CHARACTERS_MAX: usize = 128;
/// A person with more keys than this has lost sight of them.
pub(crate) const API_KEYS_PER_USER_MAX: i64 = 100;

/// A key for a program, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ApiKey {
    /// The id.
    pub(crate) api_key_id: String,
    /// Whose it is.
    pub(crate) user_id: String,
    /// What it is for.
    pub(crate) display_name: String,
    /// In epoch microseconds.
    pub(crate) create_time_us: i64,
    /// In epoch microseconds; 0: never.
    pub(crate) expire_time_us: i64,
    /// In epoch microseconds; 0: it has not been.
    pub(crate) revoke_time_us: i64,
}

impl ApiKey {
    /// A new key of `user_id`.
    ///
    /// # Errors
    /// [`Error::Invalid`] names what is wrong.
    pub(crate) fn new(
        user_id: String,
        display_name: String,
        expire_time_us: Option<i64>,
        now_us: i64,
    ) -> Result<Self, Error> {
        let length = display_name.chars().count();
        if length == 0 || length > DISPLAY_NAME_CHARACTERS_MAX || display_name.chars().any(char::is_control) {
            return Err(Error::invalid(
                "display_name",
                "must be 1 to 128 characters without control characters",
            ));
        }
        if expire_time_us.is_some_and(|expires| expires <= now_us) {
            return Err(Error::invalid("expire_time", "must be in the future"));
        }
        Ok(Self {
            api_key_id: Uuid::now_v7().simple().to_string(),
            user_id,
            display_name,
            create_time_us: now_us,
            expire_time_us: expire_time_us.unwrap_or(0),
            revoke_time_us: 0,
        })
    }

    /// The first characters of its secret.
    #[must_use]
    pub(crate) fn prefix(&self) -> String {
        format!("{PREFIX}{}", self.api_key_id).chars().take(SHOWN_CHARACTERS).collect()
    }

    /// Whether it works at `now_us`.
    #[must_use]
    pub(crate) fn is_usable(&self, now_us: i64) -> bool {
        self.revoke_time_us == 0 && (self.expire_time_us == 0 || now_us < self.expire_time_us)
    }
}

/// The secret of a key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct KeySecret {
    api_key_id: String,
    secret: String,
}

impl KeySecret {
    /// The secret of the key `api_key_id` that was asked for by `request` (the caller and the request's id).
    ///
    /// Derived and not random, so that a repeated request gets the same answer although only the hash is kept.
    #[must_use]
    pub(crate) fn derive(derivation: &Derivation, request: (&str, &str), api_key_id: &str) -> Self {
        let (caller, request_id) = request;
        let parts = [caller.as_bytes(), request_id.as_bytes(), api_key_id.as_bytes()];
        let secret = hexadecimal(&derivation.derive("the secret of an API key", &parts));
        Self { api_key_id: api_key_id.to_owned(), secret }
    }

    /// The secret in `text`; `None` when it has another form or a typing error.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let body = text.strip_prefix(PREFIX)?;
        let lower_hexadecimal = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if body.len() != ID_CHARACTERS + SECRET_CHARACTERS + CHECKSUM_CHARACTERS
            || !body.bytes().all(lower_hexadecimal)
        {
            return None;
        }
        let (api_key_id, rest) = body.split_at(ID_CHARACTERS);
        let (secret, checksum) = rest.split_at(SECRET_CHARACTERS);
        let parsed = Self { api_key_id: api_key_id.to_owned(), secret: secret.to_owned() };
        (parsed.checksum() == checksum).then_some(parsed)
    }

    /// The secret as its holder keeps it.
    #[must_use]
    pub(crate) fn reveal(&self) -> Secret {
        Secret::new(format!("{PREFIX}{}{}{}", self.api_key_id, self.secret, self.checksum()))
    }

    /// The key it belongs to.
    #[must_use]
    pub(crate) fn api_key_id(&self) -> &str {
        &self.api_key_id
    }

    /// The digest under which it is stored.
    #[must_use]
    pub(crate) fn hash(&self) -> [u8; DIGEST_BYTES] {
        digest(self.secret.as_bytes())
    }

    fn checksum(&self) -> String {
        hexadecimal(
            &digest(format!("{}{}", self.api_key_id, self.secret).as_bytes())[..CHECKSUM_CHARACTERS / 2],
        )
    }
}

impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySecret").field("api_key_id", &self.api_key_id).finish_non_exhaustive()
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secret(request_id: &str) -> KeySecret {
        let derivation = Derivation::new(b"stored", &Secret::new("mesh"));
        KeySecret::derive(&derivation, ("user:a", request_id), "0198c0ffee00700080000000000000ab")
    }

    #[test]
    fn the_same_request_derives_the_same_secret_and_another_another() {
        assert_eq!(secret("r1"), secret("r1"));
        assert_ne!(secret("r1"), secret("r2"));
    }

    #[test]
    fn a_secret_survives_the_way_to_its_holder_and_back() {
        let secret = secret("r1");
        assert_eq!(KeySecret::parse(secret.reveal().reveal()), Some(secret));
    }

    #[test]
    fn every_single_typing_error_shows() {
        let text = secret("r1").reveal().reveal().to_owned();
        for position in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[position] = if bytes[position] == b'0' { b'1' } else { b'0' };
            assert_eq!(KeySecret::parse(&String::from_utf8(bytes).unwrap()), None, "position {position}");
        }
    }

    #[test]
    fn the_prefix_that_lists_show_begins_the_secret_and_lies_within_its_id() {
        let key = ApiKey::new("u".to_owned(), "backup".to_owned(), None, 1).unwrap();
        let derivation = Derivation::new(b"stored", &Secret::new("mesh"));
        let secret = KeySecret::derive(&derivation, ("user:u", "r"), &key.api_key_id).reveal();
        assert!(secret.reveal().starts_with(&key.prefix()));
        const { assert!(SHOWN_CHARACTERS < PREFIX.len() + ID_CHARACTERS) };
    }

    #[test]
    fn a_key_works_until_it_expires_or_is_revoked() {
        let key = ApiKey::new("u".to_owned(), "backup".to_owned(), Some(100), 1).unwrap();
        assert!(key.is_usable(99));
        assert!(!key.is_usable(100));
        assert!(!ApiKey { revoke_time_us: 5, ..key.clone() }.is_usable(50));
        assert!(ApiKey { expire_time_us: 0, ..key }.is_usable(i64::MAX));
        for past in [0, 1] {
            assert!(ApiKey::new("u".to_owned(), "backup".to_owned(), Some(past), 1).is_err());
        }
    }

    #[test]
    fn debug_output_holds_nothing_secret() {
        let secret = secret("r1");
        assert!(!format!("{secret:?}").contains(&secret.secret));
    }

    proptest! {
        #[test]
        fn whatever_comes_in_is_either_a_secret_or_refused(text in ".{0,120}") {
            if let Some(parsed) = KeySecret::parse(&text) {
                let revealed = parsed.reveal();
                prop_assert_eq!(revealed.reveal(), text);
            }
        }
    }
}
