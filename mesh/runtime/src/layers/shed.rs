//! Refuses calls beyond what the server can work on, at once, instead of letting them wait without bound.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    middleware::Next,
};
use tracing::Span;

use super::{Layers, Response, outcome, refuse};
use crate::status::{Code, Problem, Reason};

/// When a refused caller may try again: a call takes some milliseconds, so much has changed after this.
const RETRY_AFTER: Duration = Duration::from_millis(200);
/// Probes must be answered above all when the server is full.
const NEVER_SHED: &str = "/grpc.health.v1.Health/Check";

pub(super) async fn shed(State(layers): State<Layers>, request: Request, next: Next) -> Response {
    if request.uri().path() == NEVER_SHED {
        return next.run(request).await;
    }
    let Ok(place) = Arc::clone(&layers.in_flight).try_acquire_owned() else {
        return refuse(
            Problem::new(Code::ResourceExhausted, Reason::Overloaded, "the server is at capacity; try again")
                .retry_after(RETRY_AFTER),
        );
    };
    // The place is held until the last byte of the answer is sent.
    let outcome = outcome::Outcome::new(move |_| drop(place));
    let response = next.run(request).await;
    outcome::watch(response, Span::none(), outcome)
}
