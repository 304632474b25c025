//! Logging in as a service of the mesh.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use futures_util::future::BoxFuture;
use http::HeaderValue;
use plexus_proto::auth::v1::{IssueServiceTokenRequest, trust_service_client::TrustServiceClient};
use tokio::time::Instant;
use tonic::Status;

use crate::{
    channel::Channel,
    token::{TokenSource, bearer},
};

/// A token is replaced when less than this part of its life remains: late enough to spare `auth`,
/// early enough that an outage of `auth` shorter than this part goes unnoticed.
const REFRESH_PART: u32 = 3;

/// How long after a failed refresh the token at hand is used without trying again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// The longest that a call with a token that still holds is kept waiting for a new one.
const REFRESH_WAIT_MAX: Duration = Duration::from_secs(2);

/// Says with a token of `auth` which service calls, and replaces the token in time.
///
/// There is no task behind it: the call that finds the token old gets a new one, and the others go on
/// with the old one meanwhile, or wait for the new one when the old has expired.
pub struct ServiceLogin {
    service: String,
    mesh_secret: String,
    client: TrustServiceClient<Channel>,
    token: Mutex<Option<Token>>,
    /// Held by the one that gets a new token.
    refreshing: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Token {
    value: HeaderValue,
    refresh_at: Instant,
    expires_at: Instant,
}

impl ServiceLogin {
    /// Logs in as `service` with the secret that the services of the mesh share.
    ///
    /// `auth` is a channel to the auth service without a token of its own.
    #[must_use]
    pub fn new(service: &str, mesh_secret: &str, auth: Channel) -> Arc<Self> {
        Arc::new(Self {
            service: service.to_owned(),
            mesh_secret: mesh_secret.to_owned(),
            client: TrustServiceClient::new(auth),
            token: Mutex::new(None),
            refreshing: tokio::sync::Mutex::new(()),
        })
    }

    async fn current(&self) -> Result<HeaderValue, Status> {
        let valid = self.valid();
        let _turn = match &valid {
            Some(token) if Instant::now() < token.refresh_at => return Ok(token.value.clone()),
            Some(token) => match self.refreshing.try_lock() {
                Ok(turn) => turn,
                Err(_) => return Ok(token.value.clone()),
            },
            None => self.refreshing.lock().await,
        };
        // Whoever had the turn before may have got it already.
        if let Some(token) = self.valid().filter(|token| Instant::now() < token.refresh_at) {
            return Ok(token.value);
        }
        let Some(old) = valid else {
            return Ok(self.keep(self.issue().await?).value);
        };
        let issued = tokio::time::timeout(REFRESH_WAIT_MAX, self.issue()).await;
        if let Ok(Ok(token)) = issued {
            return Ok(self.keep(token).value);
        }
        tracing::debug!(service = self.service, "the service token could not be replaced yet");
        Ok(self.keep(Token { refresh_at: Instant::now() + RETRY_PAUSE, ..old }).value)
    }

    /// The token at hand, if it has not expired.
    fn valid(&self) -> Option<Token> {
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        token.clone().filter(|token| Instant::now() < token.expires_at)
    }

    fn keep(&self, token: Token) -> Token {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        token
    }

    async fn issue(&self) -> Result<Token, Status> {
        let request =
            IssueServiceTokenRequest { service: self.service.clone(), mesh_secret: self.mesh_secret.clone() };
        let issued = self.client.clone().issue_service_token(request).await?.into_inner();
        let value = bearer(&issued.access_token)
            .map_err(|error| Status::internal(format!("auth issued no valid token: {error}")))?;
        let expires = issued.access_token_expire_time.unwrap_or_default();
        let life = Duration::from_secs(u64::try_from(expires.seconds).unwrap_or_default())
            .saturating_sub(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default());
        let expires_at = Instant::now() + life;
        Ok(Token { value, refresh_at: expires_at - life / REFRESH_PART, expires_at })
    }
}

impl TokenSource for ServiceLogin {
    fn authorization(&self) -> BoxFuture<'_, Result<HeaderValue, Status>> {
        Box::pin(self.current())
    }
}

impl fmt::Debug for ServiceLogin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ServiceLogin").field("service", &self.service).finish_non_exhaustive()
    }
}
