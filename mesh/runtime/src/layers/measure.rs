//! Counts calls, how long they take and how they end (OpenTelemetry's `rpc.server.call.duration`).

use axum::{
    extract::{Request, State},
    middleware::Next,
};
use tokio::time::Instant;
use tracing::Span;

use super::{Layers, Response, method_name, outcome};

pub(super) async fn measure(State(layers): State<Layers>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let call = layers.metrics.begin(layers.role, method_name(&request));
    let outcome = outcome::Outcome::new(move |code| call.end(code, started.elapsed()));
    let response = next.run(request).await;
    outcome::watch(response, Span::none(), outcome)
}
