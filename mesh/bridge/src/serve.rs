//! The listener: connections within a limit, and an end that waits for what is running, but not for ever.

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, Semaphore},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::Settings;

/// How long the last error event may take to every stream that is cut.
const CUT_GRACE: Duration = Duration::from_secs(1);

/// The pause after a failed accept: it fails on when the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Between two pings to an HTTP/2 client, so that one that is gone does not hold its place.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// What an HTTP/1 connection buffers, and so the largest head: the longest path by default and the headers
/// that are passed on, with room for those that are not.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// The largest head of an HTTP/2 request, as services take it.
const HEADER_LIST_BYTES_MAX: u32 = 32 * 1024;

/// Serves `router` until `stop`; then accepts nothing more, lets requests end for `drain_ms`, tells the
/// streams that are still open by `cut`, and drops what is left.
pub(crate) async fn serve(
    settings: &Settings,
    listener: TcpListener,
    (router, cut): (Router, CancellationToken),
    stop: impl Future<Output = ()>,
) {
    let head_timeout = Duration::from_millis(settings.head_timeout_ms);
    let mut builder = auto::Builder::new(TokioExecutor::new());
    let timer = TokioTimer::new;
    builder.http1().timer(timer()).header_read_timeout(head_timeout).max_buf_size(HEAD_BYTES_MAX);
    builder.http2().timer(timer()).keep_alive_interval(PING_INTERVAL);
    builder.http2().max_header_list_size(HEADER_LIST_BYTES_MAX);
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(settings.connections_max));
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stop => break,
            Some(_) = connections.join_next() => continue,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((stream, place)) = accepted else { continue };
        let (builder, watcher) = (builder.clone(), graceful.watcher());
        let arrived = Arc::new(Notify::new());
        let announced = Announced { inner: router.clone(), arrived: Arc::clone(&arrived) };
        connections.spawn(async move {
            let _place = place;
            let service = TowerToHyperService::new(announced);
            let connection = watcher.watch(builder.serve_connection(TokioIo::new(stream), service));
            tokio::select! {
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(error = %error, "a connection ended early");
                },
                () = silence(&arrived, head_timeout) => {
                    tracing::debug!("a connection made no request in time");
                }
            }
        });
    }
    drop(listener);
    tracing::info!(connections = connections.len(), "the bridge drains");
    let drain = Duration::from_millis(settings.drain_ms);
    if tokio::time::timeout(drain, graceful.shutdown()).await.is_ok() {
        return;
    }
    tracing::warn!(connections = connections.len(), "requests still run at the drain deadline");
    cut.cancel();
    let rest = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(CUT_GRACE, rest).await.is_err() {
        connections.shutdown().await;
    }
}

/// Ends when no request has arrived within `limit`; the server's own time limit for a head does not begin
/// before it knows the protocol, and HTTP/2 has none.
async fn silence(arrived: &Notify, limit: Duration) {
    if tokio::time::timeout(limit, arrived.notified()).await.is_ok() {
        std::future::pending::<()>().await;
    }
}

/// A service that tells when a request arrives.
#[derive(Clone)]
struct Announced<S> {
    inner: S,
    arrived: Arc<Notify>,
}

impl<S: tower::Service<R>, R> tower::Service<R> for Announced<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.arrived.notify_one();
        self.inner.call(request)
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "a connection keeps Nagle's delay");
            }
            Some((stream, place))
        }
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}
