//! Who calls: the bearer token that a channel puts into requests that carry none.

use std::{fmt, sync::Arc};

use futures_util::future::BoxFuture;
use http::{HeaderValue, header::InvalidHeaderValue};
use tonic::Status;

/// Yields the value of the header `authorization`.
///
/// It is asked for every call that has no such header of its own, within that call's deadline;
/// so it answers from memory and goes to the network only when it must.
pub trait TokenSource: Send + Sync + 'static {
    /// The whole value, `Bearer …`. A status ends the call.
    fn authorization(&self) -> BoxFuture<'_, Result<HeaderValue, Status>>;
}

/// Makes the header value of an access token, marked so that nothing prints it.
///
/// # Errors
/// When the token holds characters that a header cannot.
pub fn bearer(access_token: &str) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {access_token}"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A token that never changes.
#[derive(Clone)]
pub struct StaticToken(HeaderValue);

impl StaticToken {
    /// A source of this access token.
    ///
    /// # Errors
    /// When the token holds characters that a header cannot.
    pub fn new(access_token: &str) -> Result<Arc<Self>, InvalidHeaderValue> {
        Ok(Arc::new(Self(bearer(access_token)?)))
    }
}

impl TokenSource for StaticToken {
    fn authorization(&self) -> BoxFuture<'_, Result<HeaderValue, Status>> {
        Box::pin(std::future::ready(Ok(self.0.clone())))
    }
}

impl fmt::Debug for StaticToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("StaticToken(***)")
    }
}
