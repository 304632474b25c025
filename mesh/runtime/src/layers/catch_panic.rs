//! Turns a panic of a handler into `INTERNAL`, so that one call's bug does not close a connection with many calls.

use std::panic::AssertUnwindSafe;

use axum::{
    extract::{Request, State},
    middleware::Next,
};
use futures_util::FutureExt as _;

use super::{Layers, Response, refuse};
use crate::{
    status::{Code, Problem, Reason},
    tasks::panic_message,
};

pub(super) async fn catch_panic(State(_): State<Layers>, request: Request, next: Next) -> Response {
    // What the handler shared is behind locks that do not poison, or belongs to this call alone.
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => {
            tracing::error!(panic = panic_message(&*panic), "a handler panicked");
            refuse(Problem::new(
                Code::Internal,
                Reason::Internal,
                "the server failed; the trace id of this call leads to the cause",
            ))
        }
    }
}
