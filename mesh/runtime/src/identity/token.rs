//! Access tokens: JWTs signed with Ed25519 (RFC 9068, RFC 8037), by `ring`.

use std::sync::Once;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{Error, ErrorKind},
    signature,
};
use ring::{
    rand::SystemRandom,
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The `iss` of every token of the mesh.
pub const ISSUER: &str = "plexus";
/// The `aud` of every token of the mesh.
pub const AUDIENCE: &str = "plexus";
/// The `typ` of an access token (RFC 9068, section 2.1).
const TOKEN_TYPE: &str = "at+jwt";
/// How far two clocks of the mesh may be apart, in seconds.
const CLOCK_SKEW_SECONDS: i64 = 5;
/// The longest token that is looked at: far above what 64 roles take, far below what costs time.
const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// What an access token says.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Claims {
    /// `user:ID` or `service:NAME`.
    pub sub: String,
    /// The session; empty for services and API keys.
    #[serde(default)]
    pub sid: String,
    /// The id of this token.
    pub jti: String,
    /// Always [`ISSUER`].
    pub iss: String,
    /// Always [`AUDIENCE`].
    pub aud: String,
    /// Issued at, in epoch seconds.
    pub iat: i64,
    /// Expires at, in epoch seconds.
    pub exp: i64,
    /// Names of roles.
    #[serde(default)]
    pub roles: Vec<String>,
}

/// Why a token is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TokenError {
    /// It is not a token of this mesh, or it was changed.
    #[error("the token is not valid")]
    Invalid,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// No key with its `kid` is known.
    #[error("the token was signed with a key that is not known here")]
    UnknownKey,
}

/// A public key as it travels: an Ed25519 key of RFC 8037.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwk {
    /// The key id: the RFC 7638 thumbprint.
    pub kid: String,
    /// The public key, base64url without padding.
    pub x: String,
}

/// A private key that signs access tokens.
pub struct SigningKey {
    pkcs8: Vec<u8>,
    jwk: Jwk,
}

impl SigningKey {
    /// A new key from the system's randomness.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn generate() -> Result<Self, TokenError> {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| TokenError::Invalid)?;
        Self::from_pkcs8(pkcs8.as_ref())
    }

    /// The key of a PKCS#8 document.
    ///
    /// # Errors
    /// When the document is not an Ed25519 key.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, TokenError> {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| TokenError::Invalid)?;
        let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let thumbprint = Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#));
        let jwk = Jwk { kid: URL_SAFE_NO_PAD.encode(thumbprint), x };
        Ok(Self { pkcs8: pkcs8.to_vec(), jwk })
    }

    /// The key as a PKCS#8 document, to be kept secret.
    #[must_use]
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// The public half.
    #[must_use]
    pub fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// A token that says `claims`.
    ///
    /// # Errors
    /// When the claims cannot be written as JSON.
    pub fn sign(&self, claims: &Claims) -> Result<String, TokenError> {
        install_provider();
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TOKEN_TYPE.to_owned());
        header.kid = Some(self.jwk.kid.clone());
        jsonwebtoken::encode(&header, claims, &EncodingKey::from_ed_der(&self.pkcs8))
            .map_err(|_| TokenError::Invalid)
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.jwk.kid).finish_non_exhaustive()
    }
}

/// The claims of `token`, if the key that `find_key` gives for its `kid` signed it and it holds at `now_us`.
///
/// Refused besides bad signatures and times (RFC 8725): any algorithm but `EdDSA`, another `typ`,
/// and headers that bring their own key (`jku`, `jwk`, `x5u`, `x5c`).
pub(super) fn verify(
    token: &str,
    find_key: impl Fn(&str) -> Option<DecodingKey>,
    now_us: i64,
) -> Result<Claims, TokenError> {
    install_provider();
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenError::Invalid);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
    let brings_key =
        header.jku.is_some() || header.jwk.is_some() || header.x5u.is_some() || header.x5c.is_some();
    if header.typ.as_deref() != Some(TOKEN_TYPE) || header.alg != Algorithm::EdDSA || brings_key {
        return Err(TokenError::Invalid);
    }
    let key = header.kid.as_deref().and_then(find_key).ok_or(TokenError::UnknownKey)?;

    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    // The time is checked below, against the clock of the caller and not that of the library.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    let claims =
        jsonwebtoken::decode::<Claims>(token, &key, &validation).map_err(|_| TokenError::Invalid)?.claims;

    let now_seconds = now_us.div_euclid(1_000_000);
    if now_seconds >= claims.exp + CLOCK_SKEW_SECONDS {
        return Err(TokenError::Expired);
    }
    if claims.iat > now_seconds + CLOCK_SKEW_SECONDS {
        return Err(TokenError::Invalid);
    }
    Ok(claims)
}

/// Makes `jsonwebtoken` use `ring`, which is in the tree for TLS already.
fn install_provider() {
    static INSTALL: Once = Once::new();
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: |algorithm, key| {
            only_eddsa(algorithm)?;
            let pair = Ed25519KeyPair::from_pkcs8(key.as_bytes())
                .map_err(|_| Error::from(ErrorKind::InvalidEddsaKey))?;
            Ok(Box::new(Signer(pair)))
        },
        verifier_factory: |algorithm, key| {
            only_eddsa(algorithm)?;
            Ok(Box::new(Verifier(UnparsedPublicKey::new(&ED25519, key.try_get_as_bytes()?.to_vec()))))
        },
        key_utils: KeyUtils::new_unimplemented(),
    };
    INSTALL.call_once(|| {
        // Refused only when this process installed one before, which this Once rules out.
        let _installed = PROVIDER.install_default();
    });
}

fn only_eddsa(algorithm: &Algorithm) -> Result<(), Error> {
    if *algorithm == Algorithm::EdDSA { Ok(()) } else { Err(ErrorKind::InvalidAlgorithm.into()) }
}

struct Signer(Ed25519KeyPair);

impl signature::Signer<Vec<u8>> for Signer {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(self.0.sign(message).as_ref().to_vec())
    }
}

impl JwtSigner for Signer {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

struct Verifier(UnparsedPublicKey<Vec<u8>>);

impl signature::Verifier<Vec<u8>> for Verifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        self.0.verify(message, signature).map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Verifier {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}
