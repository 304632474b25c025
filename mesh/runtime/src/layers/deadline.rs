//! Ends a call when its `grpc-timeout` is over, and hands the deadline on to the calls that its handler makes.
//!
//! A unary call without one gets the deadline of the settings; a stream without one has no end.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    middleware::Next,
};
use http::{HeaderMap, HeaderValue};
use http_body::{Body as HttpBody, Frame};
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use super::{Layers, Response, kind::Kind, refuse};
use crate::status::{Code, Problem, Reason};

/// The header in which a gRPC client says how long it waits.
const GRPC_TIMEOUT: &str = "grpc-timeout";

pub(super) async fn deadline(State(layers): State<Layers>, request: Request, next: Next) -> Response {
    let timeout = match request.headers().get(GRPC_TIMEOUT) {
        Some(header) => match plexus_client::deadline::parse(header) {
            Some(timeout) => timeout,
            None => return refuse(malformed()),
        },
        None => match layers.unary_deadline {
            Some(timeout) if Kind::of(request.uri().path()) == Kind::Unary => timeout,
            _ => return next.run(request).await,
        },
    };
    let deadline = Instant::now() + timeout;
    let handled = plexus_client::deadline::scope(Some(deadline), next.run(request));
    match timeout_at(deadline, handled).await {
        Ok(response) => response.map(|inner| {
            if inner.is_end_stream() {
                return inner;
            }
            Body::new(Limited { inner, deadline: Box::pin(sleep_until(deadline)), over: false })
        }),
        Err(_elapsed) => refuse(exceeded()),
    }
}

fn malformed() -> Problem {
    Problem::invalid(GRPC_TIMEOUT, "must be 1 to 8 digits and a unit of H, M, S, m, u or n, such as 500m")
}

fn exceeded() -> Problem {
    Problem::new(
        Code::DeadlineExceeded,
        Reason::DeadlineExceeded,
        "the deadline of the call passed before its answer was ready",
    )
}

/// A body that ends with `DEADLINE_EXCEEDED` when its time is over.
struct Limited {
    inner: Body,
    deadline: Pin<Box<Sleep>>,
    over: bool,
}

impl HttpBody for Limited {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.over {
            return Poll::Ready(None);
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        if self.deadline.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.over = true;
        // Dropping the handler's stream tells it that nobody listens any more.
        self.inner = Body::empty();
        Poll::Ready(Some(Ok(Frame::trailers(trailers()))))
    }
}

fn trailers() -> HeaderMap {
    let mut trailers = HeaderMap::new();
    let status = tonic::Status::from(exceeded());
    if status.add_header(&mut trailers).is_err() {
        trailers.insert("grpc-status", HeaderValue::from_static("4"));
    }
    trailers
}
