//! Refresh tokens: opaque, random, and of a form that tells an old token of a session from a forged one.
//!
//! A token is the session's id, a part that all tokens of the session share, and a part that changes with each
//! refresh. The store holds the digests of both parts. A token with the right shared part but another changing
//! part was given out once: using it again means that it was copied, and the session ends (RFC 9700, 4.14.2).
//! Without the shared part anybody who has seen a session's id could end it.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use plexus_runtime::settings::Secret;
use uuid::Uuid;

use crate::{
    error::Error,
    secrets::{DIGEST_BYTES, digest, random},
};

/// What the program that finds a leaked token should recognise it by.
const PREFIX: &str = "plr_";
const ID_BYTES: usize = 16;
/// 128 bits: ASVS 7.2.3.
const FAMILY_BYTES: usize = 16;
const SECRET_BYTES: usize = 32;
const TOKEN_BYTES: usize = ID_BYTES + FAMILY_BYTES + SECRET_BYTES;

/// A refresh token.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RefreshToken {
    session_id: Uuid,
    family: [u8; FAMILY_BYTES],
    secret: [u8; SECRET_BYTES],
}

impl RefreshToken {
    /// The first token of a new session.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub(crate) fn first() -> Result<Self, Error> {
        Ok(Self { session_id: Uuid::now_v7(), family: random()?, secret: random()? })
    }

    /// The token that follows this one.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub(crate) fn next(&self) -> Result<Self, Error> {
        Ok(Self { secret: random()?, ..self.clone() })
    }

    /// The token in `text`; `None` when it has another form.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        let bytes: [u8; TOKEN_BYTES] = bytes.try_into().ok()?;
        let (id, rest) = bytes.split_first_chunk::<ID_BYTES>()?;
        let (family, rest) = rest.split_first_chunk::<FAMILY_BYTES>()?;
        let secret = rest.first_chunk::<SECRET_BYTES>()?;
        Some(Self { session_id: Uuid::from_bytes(*id), family: *family, secret: *secret })
    }

    /// The token as its holder keeps it.
    #[must_use]
    pub(crate) fn reveal(&self) -> Secret {
        let mut bytes = Vec::with_capacity(TOKEN_BYTES);
        bytes.extend_from_slice(self.session_id.as_bytes());
        bytes.extend_from_slice(&self.family);
        bytes.extend_from_slice(&self.secret);
        Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The session it belongs to.
    #[must_use]
    pub(crate) fn session_id(&self) -> String {
        self.session_id.to_string()
    }

    /// The digest of the part that all tokens of the session share.
    #[must_use]
    pub(crate) fn family_hash(&self) -> [u8; DIGEST_BYTES] {
        digest(&self.family)
    }

    /// The digest of the part that only this token has.
    #[must_use]
    pub(crate) fn secret_hash(&self) -> [u8; DIGEST_BYTES] {
        digest(&self.secret)
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshToken").field("session_id", &self.session_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_token_survives_the_way_to_its_holder_and_back() {
        let token = RefreshToken::first().unwrap();
        assert_eq!(RefreshToken::parse(token.reveal().reveal()), Some(token));
    }

    #[test]
    fn the_next_token_belongs_to_the_same_session_and_family_and_is_another() {
        let token = RefreshToken::first().unwrap();
        let next = token.next().unwrap();
        assert_eq!(token.session_id(), next.session_id());
        assert_eq!(token.family_hash(), next.family_hash());
        assert_ne!(token.secret_hash(), next.secret_hash());
    }

    #[test]
    fn debug_output_holds_no_part_of_the_secret() {
        let token = RefreshToken { session_id: Uuid::nil(), family: [171; 16], secret: [205; 32] };
        let text = format!("{token:?} {:?}", token.reveal());
        assert!(!text.contains("171") && !text.contains("205") && !text.contains(token.reveal().reveal()));
    }

    proptest! {
        #[test]
        fn whatever_comes_in_is_either_a_token_or_refused(text in ".{0,120}") {
            if let Some(token) = RefreshToken::parse(&text) {
                let revealed = token.reveal();
                prop_assert_eq!(revealed.reveal(), text);
            }
        }
    }
}
