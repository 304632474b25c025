//! One HTTP/2 connection: opened, spoken to, and what ends it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, poll_fn},
};
use http::Request;
use hyper::{
    body::Incoming,
    client::conn::{
        TrySendError,
        http2::{Builder, SendRequest},
    },
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::Notify;

use crate::{
    address::Address,
    connect::{BoxIo, Connect},
    request_body::RequestBody,
    watched::{Goaway, Watched},
};

/// How often a connection is probed by a PING (the least that gRPC's proposal A8 allows a client);
/// also while idle, so that a replica that hangs has left rotation before a call meets it.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// How long a PING may go unanswered before the connection counts as dead (A8: 20 s; replicas here
/// are in one network, where a server that is silent for 10 s serves nobody).
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a call that was given up is remembered, so that its late answer is simply ignored. An answer
/// to a forgotten one counts as the server's protocol error, and the 1,024th of these ends the
/// connection. The HTTP/2 library forgets after 1 s, by a clock that no test can pause.
const RESETS_REMEMBERED: Duration = Duration::from_secs(60);

/// The most calls that are so remembered; each costs less than a kilobyte.
const RESETS_REMEMBERED_MAX: usize = 1_000;

/// The most response headers, in bytes (gRPC's default for metadata is 8 KiB; errors carry details).
const HEADER_BYTES_MAX: u32 = 64 * 1024;

/// A connection that has been established.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<RequestBody>,
    streams: AtomicUsize,
    /// How many streams the server allows at once.
    streams_max: Arc<AtomicUsize>,
    goaway: Arc<Goaway>,
    room: Arc<Notify>,
}

/// Drives a connection until it ends or the server says GOAWAY.
pub(crate) type Driver = BoxFuture<'static, hyper::Result<()>>;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("cannot connect")]
    Connect(#[source] std::io::Error),
    #[error("the HTTP/2 handshake failed")]
    Handshake(#[source] hyper::Error),
    #[error("closed by the peer before its HTTP/2 preface")]
    Closed,
    #[error("no HTTP/2 preface within {0:?}")]
    Timeout(Duration),
}

/// What became of a request.
pub(crate) type Sent = Result<http::Response<Incoming>, TrySendError<Request<RequestBody>>>;

/// One stream of a connection, until it is dropped.
#[derive(Debug)]
pub(crate) struct Stream(Arc<Connection>);

impl Connection {
    /// Opens a connection: bytes, handshake, and the server's preface, all within `timeout`. `room` is told
    /// when a stream becomes free after all had been taken.
    pub(crate) async fn open(
        connector: &dyn Connect,
        address: Address,
        timeout: Duration,
        room: Arc<Notify>,
    ) -> Result<(Arc<Self>, Driver), ConnectError> {
        let attempt = async {
            let io = connector.connect(address).await.map_err(ConnectError::Connect)?;
            handshake(io, room).await
        };
        tokio::time::timeout(timeout, attempt).await.unwrap_or(Err(ConnectError::Timeout(timeout)))
    }

    /// Whether a request can be sent now.
    pub(crate) fn is_open(&self) -> bool {
        !self.goaway.is_said() && !self.sender.is_closed()
    }

    /// How many calls use it.
    pub(crate) fn streams(&self) -> usize {
        self.streams.load(Ordering::Relaxed)
    }

    /// Takes a stream for a call; `None` when it would have to wait for another call to end.
    pub(crate) fn reserve(self: &Arc<Self>) -> Option<Stream> {
        let max = self.streams_max.load(Ordering::Relaxed);
        let free = |streams| (streams < max).then_some(streams + 1);
        let reserved = self.streams.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free);
        reserved.ok().map(|_| Stream(Arc::clone(self)))
    }

    /// Takes a stream, even if it has to wait for another call to end.
    pub(crate) fn begin(self: &Arc<Self>) -> Stream {
        self.streams.fetch_add(1, Ordering::Relaxed);
        Stream(Arc::clone(self))
    }

    /// Sends a request, at once; the error holds it again if it was never written.
    pub(crate) fn send(&self, request: Request<RequestBody>) -> impl Future<Output = Sent> + use<> {
        self.sender.clone().try_send_request(request)
    }
}

impl Stream {
    /// The connection that it belongs to.
    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.0
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let before = self.0.streams.fetch_sub(1, Ordering::Relaxed);
        if before >= self.0.streams_max.load(Ordering::Relaxed) {
            self.0.room.notify_waiters();
        }
    }
}

async fn handshake(io: BoxIo, room: Arc<Notify>) -> Result<(Arc<Connection>, Driver), ConnectError> {
    let (io, preface, goaway) = Watched::new(io);
    let (sender, mut connection) = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .reset_stream_duration(RESETS_REMEMBERED)
        .max_concurrent_reset_streams(RESETS_REMEMBERED_MAX)
        .max_header_list_size(HEADER_BYTES_MAX)
        .handshake(TokioIo::new(io))
        .await
        .map_err(ConnectError::Handshake)?;
    let streams_max = Arc::new(AtomicUsize::new(connection.current_max_send_streams()));
    let observed = Arc::clone(&streams_max);
    let mut driver: Driver = Box::pin(poll_fn(move |context| {
        let ended = connection.poll_unpin(context);
        observed.store(connection.current_max_send_streams(), Ordering::Relaxed);
        ended
    }));
    tokio::select! {
        biased;
        heard = preface => heard.map_err(|_| ConnectError::Closed)?.map_err(ConnectError::Connect)?,
        ended = &mut driver => {
            ended.map_err(ConnectError::Handshake)?;
            return Err(ConnectError::Closed);
        }
    }
    let connection =
        Connection { sender, streams: AtomicUsize::new(0), streams_max, goaway: Arc::clone(&goaway), room };
    // Dropping the driver gives back the requests that wait in it; those in flight go on.
    let driver = async move {
        tokio::select! {
            biased;
            ended = driver => ended,
            () = goaway.said() => Ok(()),
        }
    };
    Ok((Arc::new(connection), Box::pin(driver)))
}
