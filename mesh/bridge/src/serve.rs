//! The listener: connections within a limit, and an end that waits for what is running, but not for ever.

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
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
    builder.http1().timer(TokioTimer::new()).header_read_timeout(head_timeout);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(PING_INTERVAL);
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
        let service = TowerToHyperService::new(router.clone());
        connections.spawn(async move {
            let _place = place;
            // The head's own time limit starts with its first byte.
            if !matches!(tokio::time::timeout(head_timeout, stream.readable()).await, Ok(Ok(()))) {
                return;
            }
            let connection = builder.serve_connection(TokioIo::new(stream), service);
            if let Err(error) = watcher.watch(connection).await {
                tracing::debug!(error = %error, "a connection ended early");
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
