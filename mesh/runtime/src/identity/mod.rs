//! Who calls, and what they may do: tokens, keys, roles and the access rule of each method.

mod caller;
mod methods;
mod token;
mod trust;
pub(crate) mod watch;

pub use caller::Caller;
pub use methods::{Methods, Rule, permissions};
pub use token::{AUDIENCE, Claims, ISSUER, Jwk, SigningKey, TokenError};
pub use trust::{Role, Trust, TrustState};
