//! The admin port: probes for orchestrators, metrics for Prometheus, the state of every replica for operators.

use std::{future::Future, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{get, post},
};
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::{health::Report, telemetry::Metrics};

/// The largest answer of an admin port that is read: the table of some thousand replicas.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How long an admin port may take to answer: draining a replica takes up to its drain deadline.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// One line of the table of replicas.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReplicaStatus {
    /// Its name, such as `quota-0`.
    pub name: String,
    /// The service.
    pub service: String,
    /// Where it listens.
    pub address: String,
    /// Its health.
    #[serde(flatten)]
    pub report: Report,
}

/// What the admin port asks of the process.
pub trait Fleet: Send + Sync + 'static {
    /// All replicas of this process.
    fn replicas(&self) -> Vec<ReplicaStatus>;
    /// Drains and stops the replica called `name`; `false` when there is none.
    fn drain(&self, name: String) -> BoxFuture<'_, bool>;
}

#[derive(Clone)]
struct Admin {
    fleet: Arc<dyn Fleet>,
    metrics: Metrics,
}

/// Serves the admin port on `listener` until `stop`.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    fleet: Arc<dyn Fleet>,
    metrics: Metrics,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(readyz))
        .route("/status", get(status))
        .route("/metrics", get(metrics_text))
        .route("/replicas/{name}/drain", post(drain))
        .with_state(Admin { fleet, metrics });
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}

/// 200 when every replica of this process serves, 503 with the reasons when one does not.
async fn readyz(State(admin): State<Admin>) -> (StatusCode, Json<Vec<ReplicaStatus>>) {
    let replicas = admin.fleet.replicas();
    let ready = !replicas.is_empty() && replicas.iter().all(|replica| replica.report.state.serves());
    (if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(replicas))
}

async fn status(State(admin): State<Admin>) -> Json<Vec<ReplicaStatus>> {
    Json(admin.fleet.replicas())
}

async fn metrics_text(State(admin): State<Admin>) -> ([(&'static str, &'static str); 1], String) {
    ([("content-type", "text/plain; version=0.0.4")], admin.metrics.expose())
}

async fn drain(State(admin): State<Admin>, Path(name): Path<String>) -> (StatusCode, String) {
    if admin.fleet.drain(name.clone()).await {
        (StatusCode::OK, format!("{name} has been drained and stopped\n"))
    } else {
        (StatusCode::NOT_FOUND, format!("there is no replica {name}; /status lists them\n"))
    }
}

/// Asks the admin port at `address` with `method` (`GET`, `POST`) for `path`: the HTTP status and the text of the answer.
///
/// # Errors
/// When nobody answers there within a minute.
pub async fn ask(
    address: &str,
    method: http::Method,
    path: &str,
) -> Result<(StatusCode, String), Box<dyn std::error::Error + Send + Sync>> {
    timeout(ANSWER_TIMEOUT, ask_unbounded(address, method, path)).await?
}

async fn ask_unbounded(
    address: &str,
    method: http::Method,
    path: &str,
) -> Result<(StatusCode, String), Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header(http::header::HOST, address)
        .body(Empty::<axum::body::Bytes>::new())?;
    let (head, body) = sender.send_request(request).await?.into_parts();
    let bytes = Limited::new(body, ANSWER_BYTES_MAX).collect().await?.to_bytes();
    connection.abort();
    Ok((head.status, String::from_utf8_lossy(&bytes).into_owned()))
}
