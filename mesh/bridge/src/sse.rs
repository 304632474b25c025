//! A stream of a service as server-sent events (WHATWG HTML, 9.2).
//!
//! Each message is `id: N` and `data: JSON`, N from 1. The stream ends with `event: end`, or with
//! `event: error` and the JSON of the error: a browser cannot read trailers. A comment now and then keeps
//! proxies from closing a silent stream. Nothing is queued here: a message is taken from the service when the
//! client has room for it, and dropping the body cancels the call.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, header};
use plexus_runtime::status::Problem;
use prost_reflect::DescriptorPool;
use tokio::{sync::OwnedSemaphorePermit, time::Instant};
use tokio_util::sync::CancellationToken;
use tonic::Streaming;
use tracing::{Instrument as _, Span};

use crate::{errors, refusal::Refusal, route::Operation, transcode};

/// What keeps a silent stream open.
const COMMENT: &[u8] = b": keep-alive\n\n";

/// Tells the client that the stream was whole, so that it does not connect again.
const END: &[u8] = b"event: end\ndata: {}\n\n";

/// The messages of one call on their way to a client.
pub(crate) struct Events {
    pub(crate) messages: Streaming<Bytes>,
    pub(crate) operation: Arc<Operation>,
    pub(crate) descriptors: DescriptorPool,
    pub(crate) keep_alive: Duration,
    pub(crate) deadline: Instant,
    /// Fires when the bridge can wait no longer for streams to end.
    pub(crate) cut: CancellationToken,
}

impl Events {
    /// The answer whose body is this stream; it keeps `place` among the streams that may be open, and the
    /// present span open.
    pub(crate) fn into_response(self, place: OwnedSemaphorePermit) -> Response {
        let span = Span::current();
        let running = Running { events: self, sent: 0, _place: place };
        let events = stream::unfold(Some(running), move |running| {
            async move {
                let mut running = running?;
                let (event, goes_on) = running.next().await;
                Some((Ok::<_, Infallible>(event), goes_on.then_some(running)))
            }
            .instrument(span.clone())
        });
        let mut response = Response::new(Body::from_stream(events));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // nginx would hold events back otherwise.
        headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        response
    }
}

struct Running {
    events: Events,
    sent: u64,
    _place: OwnedSemaphorePermit,
}

impl Running {
    /// The next event, and whether another may follow.
    async fn next(&mut self) -> (Bytes, bool) {
        let events = &mut self.events;
        let message = tokio::select! {
            biased;
            message = events.messages.message() => message,
            () = events.cut.cancelled() => return (self.failed(Refusal::Draining), false),
            () = tokio::time::sleep_until(events.deadline) => {
                return (self.failed(Refusal::DeadlineExceeded), false);
            }
            () = tokio::time::sleep(events.keep_alive) => return (Bytes::from_static(COMMENT), true),
        };
        match message {
            Ok(Some(wire)) => match transcode::json_of(&events.operation, wire) {
                Ok(json) => {
                    self.sent += 1;
                    (event(self.sent, &json), true)
                }
                Err(error) => (self.failed(Refusal::Internal(Problem::internal(&error))), false),
            },
            Ok(None) => (Bytes::from_static(END), false),
            Err(status) => (self.failed(Refusal::Upstream(status)), false),
        }
    }

    fn failed(&self, refusal: Refusal) -> Bytes {
        let (code, status) = refusal.into_parts();
        let span = Span::current();
        span.record("error.type", plexus_runtime::telemetry::code_name(status.code()));
        if code.is_server_error() {
            span.record("otel.status_code", "ERROR");
        }
        let json = errors::json_of(code, &status, &self.events.descriptors);
        format!("event: error\ndata: {json}\n\n").into()
    }
}

fn event(number: u64, json: &[u8]) -> Bytes {
    let mut event = format!("id: {number}\ndata: ").into_bytes();
    event.extend_from_slice(json);
    event.extend_from_slice(b"\n\n");
    event.into()
}
