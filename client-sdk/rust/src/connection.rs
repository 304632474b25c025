//! One supervised connection per replica: connect at once, leave rotation when it ends, connect again.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use http::Request;
use hyper::{
    body::Incoming,
    client::conn::{
        TrySendError,
        http2::{Builder, SendRequest},
    },
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::Backoff,
    connector::BoxIo,
    endpoint::{ConnectionState, Endpoint},
    failure::describe,
    picker::Random,
    pool::Pool,
    preface::WithPreface,
    request_body::RequestBody,
};

/// How often a connection is probed by a PING (the least that gRPC's proposal A8 allows a client);
/// also while idle, so that a replica that hangs has left rotation before a call meets it.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// How long a PING may go unanswered before the connection counts as dead (A8: 20 s; replicas here
/// are in one network, where a server that is silent for 10 s serves nobody).
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection that has been established.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) endpoint: Arc<Endpoint>,
    sender: SendRequest<RequestBody>,
}

/// Drives a connection until it ends or the server says GOAWAY.
type Driver = BoxFuture<'static, hyper::Result<()>>;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
enum ConnectError {
    #[error("cannot connect")]
    Connect(#[source] std::io::Error),
    #[error("the HTTP/2 handshake failed")]
    Handshake(#[source] hyper::Error),
    #[error("closed by the peer before its HTTP/2 preface")]
    Closed,
    #[error("no HTTP/2 preface within {0:?}")]
    Timeout(Duration),
}

impl Connection {
    /// Whether a request can be sent now.
    pub(crate) fn is_ready(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Sends a request; the error holds it again if it was never written.
    pub(crate) async fn send(
        &self,
        request: Request<RequestBody>,
    ) -> Result<http::Response<Incoming>, TrySendError<Request<RequestBody>>> {
        self.sender.clone().try_send_request(request).await
    }
}

/// Keeps one replica connected until `stop`.
pub(crate) async fn supervise(pool: Arc<Pool>, endpoint: Arc<Endpoint>, stop: CancellationToken) {
    let mut backoff = Backoff::new(pool.backoff, Random::default());
    let supervised = async {
        loop {
            endpoint.set_state(ConnectionState::Connecting);
            match establish(&pool, &endpoint).await {
                Ok((connection, driver)) => {
                    let since = Instant::now();
                    let reason = serve(&pool, &endpoint, connection, driver).await;
                    backoff.connected_for(since.elapsed());
                    tracing::debug!(replica = %endpoint.address, reason, "connection ended");
                    endpoint.fail(reason);
                }
                Err(error) => {
                    let error = describe(&error);
                    tracing::debug!(replica = %endpoint.address, error, "connection attempt failed");
                    endpoint.fail(error);
                }
            }
            tokio::time::sleep(backoff.next_wait()).await;
        }
    };
    stop.run_until_cancelled(supervised).await;
    pool.leave(&endpoint);
    endpoint.set_state(ConnectionState::Closed);
}

/// Keeps a connection in rotation as long as it lives; answers why it ended.
async fn serve(pool: &Pool, endpoint: &Arc<Endpoint>, connection: Arc<Connection>, driver: Driver) -> String {
    endpoint.set_state(ConnectionState::Ready);
    pool.join(connection);
    // Awaited by value: requests that wait in a driver come back only when it is dropped.
    let ended = driver.await;
    pool.leave(endpoint);
    match ended {
        Ok(()) => "closed by the server".to_owned(),
        Err(error) => format!("connection lost: {}", describe(&error)),
    }
}

async fn establish(pool: &Pool, endpoint: &Arc<Endpoint>) -> Result<(Arc<Connection>, Driver), ConnectError> {
    let attempt = async {
        let io = pool.connector.connect(endpoint.address.clone()).await.map_err(ConnectError::Connect)?;
        handshake(endpoint, io).await
    };
    let timeout = pool.connect_timeout;
    tokio::time::timeout(timeout, attempt).await.unwrap_or(Err(ConnectError::Timeout(timeout)))
}

async fn handshake(endpoint: &Arc<Endpoint>, io: BoxIo) -> Result<(Arc<Connection>, Driver), ConnectError> {
    let (io, preface) = WithPreface::new(io);
    let (sender, connection) = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(io))
        .await
        .map_err(ConnectError::Handshake)?;
    let mut driver: Driver = Box::pin(connection);
    tokio::select! {
        biased;
        heard = preface => heard.map_err(|_| ConnectError::Closed)?,
        ended = &mut driver => {
            ended.map_err(ConnectError::Handshake)?;
            return Err(ConnectError::Closed);
        }
    }
    Ok((Arc::new(Connection { endpoint: Arc::clone(endpoint), sender }), driver))
}
