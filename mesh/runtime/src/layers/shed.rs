//! Refuses calls beyond what the server can work on, at once, instead of letting them wait without bound.

use std::time::Duration;

use axum::{
    extract::{Request, State},
    middleware::Next,
};
use tonic::{Status, metadata::MetadataValue};
use tracing::Span;

use super::{Layers, Response, kind::Kind, outcome, refuse};
use crate::status::{Code, Problem, Reason};

/// When a refused caller may try again: a call takes some milliseconds, so much has changed after this.
const RETRY_AFTER: Duration = Duration::from_millis(200);
/// The same for clients that retry by themselves (gRFC A6).
const PUSHBACK_HEADER: &str = "grpc-retry-pushback-ms";

pub(super) async fn shed(State(layers): State<Layers>, request: Request, next: Next) -> Response {
    let kind = Kind::of(request.uri().path());
    if kind == Kind::Vital {
        return next.run(request).await;
    }
    let Some(place) = layers.admission.enter(kind) else {
        return refuse(overloaded());
    };
    // The place is held until the last byte of the answer is sent.
    let outcome = outcome::Outcome::new(move |code| place.leave(code));
    let response = next.run(request).await;
    outcome::watch(response, Span::none(), outcome)
}

fn overloaded() -> Status {
    let problem =
        Problem::new(Code::ResourceExhausted, Reason::Overloaded, "the server is at capacity; try again");
    let mut status = Status::from(problem.retry_after(RETRY_AFTER));
    let pushback_ms = u64::try_from(RETRY_AFTER.as_millis()).unwrap_or(u64::MAX);
    status.metadata_mut().insert(PUSHBACK_HEADER, MetadataValue::from(pushback_ms));
    status
}
