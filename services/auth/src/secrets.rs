//! Random bytes, digests, and what is derived from the secrets of the server.

use std::fmt;

use plexus_runtime::settings::Secret;
use ring::{
    hmac,
    rand::{SecureRandom as _, SystemRandom},
};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::error::Error;

/// The length of every key and digest here, in bytes.
pub(crate) const DIGEST_BYTES: usize = 32;

/// `N` bytes from the system's randomness.
///
/// # Errors
/// When the system has none to give.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Error::Cryptography("no randomness"))?;
    Ok(bytes)
}

/// The SHA-256 digest under which a secret with at least 128 random bits is stored.
#[must_use]
pub(crate) fn digest(secret: &[u8]) -> [u8; DIGEST_BYTES] {
    Sha256::digest(secret).into()
}

/// Whether two texts are equal, in a time that tells nothing about where they differ.
#[must_use]
pub(crate) fn equal(left: &[u8], right: &[u8]) -> bool {
    digest(left).ct_eq(&digest(right)).into()
}

/// Derives values that only this mesh can derive: half of its key is in the database, half is the mesh's secret.
///
/// Whoever steals the database alone can thus neither derive API keys nor try passwords against kept requests.
#[derive(Clone)]
pub(crate) struct Derivation(hmac::Key);

impl Derivation {
    /// From the key in the database and the secret of the mesh.
    #[must_use]
    pub(crate) fn new(stored: &[u8], mesh_secret: &Secret) -> Self {
        let mesh_key = hmac::Key::new(hmac::HMAC_SHA256, mesh_secret.reveal().as_bytes());
        let key = hmac::sign(&mesh_key, stored);
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()))
    }

    /// The value for `parts` under `purpose`: the same for the same, and no other.
    #[must_use]
    pub(crate) fn derive(&self, purpose: &str, parts: &[&[u8]]) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.0);
        for part in std::iter::once(&purpose.as_bytes()).chain(parts) {
            // Each part goes with its length, so that "ab","c" and "a","bc" differ.
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        context.sign().as_ref().to_vec()
    }
}

impl fmt::Debug for Derivation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Derivation(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derived_value_depends_on_both_keys_the_purpose_and_every_part() {
        let derive = |stored: &[u8], mesh: &str, purpose: &str, parts: &[&[u8]]| {
            Derivation::new(stored, &Secret::new(mesh)).derive(purpose, parts)
        };
        let value = derive(b"stored", "mesh", "purpose", &[b"ab", b"c"]);
        assert_eq!(value, derive(b"stored", "mesh", "purpose", &[b"ab", b"c"]));
        for other in [
            derive(b"other", "mesh", "purpose", &[b"ab", b"c"]),
            derive(b"stored", "other", "purpose", &[b"ab", b"c"]),
            derive(b"stored", "mesh", "other", &[b"ab", b"c"]),
            derive(b"stored", "mesh", "purpose", &[b"a", b"bc"]),
            derive(b"stored", "mesh", "purpose", &[b"abc"]),
        ] {
            assert_ne!(value, other);
        }
    }

    #[test]
    fn only_equal_texts_are_equal() {
        assert!(equal(b"same", b"same"));
        assert!(!equal(b"same", b"sama"));
        assert!(!equal(b"same", b"same "));
    }
}
