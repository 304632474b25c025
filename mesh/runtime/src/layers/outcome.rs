//! How a call ended: the status of its trailers, or that it was dropped before them.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::{Body, Bytes};
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::{Code, Status};
use tracing::Span;

use super::Response;

/// Calls `end` exactly once: with the code of the call, or with `CANCELLED` when it is dropped before its end.
pub(super) struct Outcome<F: FnOnce(Code)> {
    end: Option<F>,
}

impl<F: FnOnce(Code)> Outcome<F> {
    pub(super) fn new(end: F) -> Self {
        Self { end: Some(end) }
    }

    fn finish(&mut self, code: Code) {
        if let Some(end) = self.end.take() {
            end(code);
        }
    }
}

impl<F: FnOnce(Code)> Drop for Outcome<F> {
    fn drop(&mut self) {
        self.finish(Code::Cancelled);
    }
}

/// Watches `response` to its end; its body is polled inside `span`.
pub(super) fn watch<F>(response: Response, span: Span, mut outcome: Outcome<F>) -> Response
where
    F: FnOnce(Code) + Send + Unpin + 'static,
{
    // A call refused or failed before its first message has its status in the headers and no body.
    if let Some(code) = code_in(response.headers()) {
        outcome.finish(code);
        return response;
    }
    response.map(|inner| Body::new(Watched { inner, span, outcome }))
}

fn code_in(headers: &HeaderMap) -> Option<Code> {
    Status::from_header_map(headers).map(|status| status.code())
}

struct Watched<F: FnOnce(Code)> {
    inner: Body,
    span: Span,
    outcome: Outcome<F>,
}

impl<F: FnOnce(Code) + Unpin> HttpBody for Watched<F> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let polled = this.span.in_scope(|| Pin::new(&mut this.inner).poll_frame(cx));
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(code) = frame.trailers_ref().and_then(code_in) {
                    this.outcome.finish(code);
                }
            }
            Poll::Ready(Some(Err(_))) => this.outcome.finish(Code::Internal),
            Poll::Ready(None) => this.outcome.finish(Code::Ok),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
