//! What happens to a request whose route is known: body, message, call, answer.

use std::{sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};
use plexus_runtime::status::Problem;
use prost_reflect::DescriptorPool;
use tokio::{sync::Semaphore, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    Backends, Settings,
    backends::Channel,
    body,
    call::{self, Call},
    deadline,
    refusal::Refusal,
    route::{Operation, Table},
    sse::Events,
    transcode,
};

/// The most bytes of headers that are passed on: a service takes 32 KiB and breaks the connection, which all
/// callers share, above that; the rest is for what the call itself adds.
const METADATA_BYTES_MAX: usize = 24 * 1024;

/// Everything that requests need and that outlives them.
pub(crate) struct Gateway {
    pub(crate) settings: Settings,
    pub(crate) table: Table,
    pub(crate) descriptors: DescriptorPool,
    pub(crate) backends: Backends,
    /// The headers that are passed on.
    pub(crate) forwarded: Vec<HeaderName>,
    /// Places for requests and for streams.
    pub(crate) requests: Semaphore,
    pub(crate) streams: Arc<Semaphore>,
    /// Ends the streams that are still open when draining takes too long.
    pub(crate) cut: CancellationToken,
}

/// A request whose route is known.
pub(crate) struct Routed {
    pub(crate) operation: Arc<Operation>,
    /// The decoded values of the variables of the path.
    pub(crate) values: Vec<String>,
    pub(crate) request_id: HeaderValue,
}

impl Gateway {
    /// The answer to a request of `routed.operation`.
    pub(crate) async fn answer(&self, routed: Routed, parts: Parts, body: Body) -> Result<Response, Refusal> {
        if call::metadata_bytes(&parts.headers, &self.forwarded, &routed.request_id) > METADATA_BYTES_MAX {
            return Err(Refusal::HeadersTooLarge(METADATA_BYTES_MAX));
        }
        let (otherwise, longest) = if routed.operation.method.is_server_streaming() {
            (self.settings.stream_deadline(), self.settings.stream_deadline())
        } else {
            (self.settings.deadline(), self.settings.deadline_max())
        };
        let timeout = deadline::of(&parts.headers, otherwise, longest)?;
        let deadline = Instant::now() + timeout;
        let answer = async {
            if routed.operation.method.is_server_streaming() {
                self.stream(&routed, &parts, body, deadline).await
            } else {
                self.unary(&routed, &parts, body, deadline).await
            }
        };
        tokio::time::timeout_at(deadline, answer).await.map_err(|_| Refusal::DeadlineExceeded)?
    }

    async fn unary(
        &self,
        routed: &Routed,
        parts: &Parts,
        body: Body,
        deadline: Instant,
    ) -> Result<Response, Refusal> {
        let body = self.body(parts, body).await?;
        let _place = self.requests.try_acquire().map_err(|_| Refusal::Overloaded)?;
        let message = message(routed, parts, &body)?;
        let call = self.call(routed, &parts.headers, deadline)?;
        let answer = call.unary(message).await.map_err(Refusal::Upstream)?;
        let json = transcode::json_of(&routed.operation, answer)
            .map_err(|error| Refusal::Internal(Problem::internal(&error)))?;
        let mut response = Response::new(Body::from(json));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }

    async fn stream(
        &self,
        routed: &Routed,
        parts: &Parts,
        body: Body,
        deadline: Instant,
    ) -> Result<Response, Refusal> {
        let body = self.body(parts, body).await?;
        let place = Arc::clone(&self.streams).try_acquire_owned().map_err(|_| Refusal::Overloaded)?;
        let message = message(routed, parts, &body)?;
        let call = self.call(routed, &parts.headers, deadline)?;
        let messages = call.stream(message).await.map_err(Refusal::Upstream)?;
        let events = Events {
            messages,
            operation: Arc::clone(&routed.operation),
            descriptors: self.descriptors.clone(),
            keep_alive: Duration::from_millis(self.settings.keep_alive_ms),
            deadline,
            cut: self.cut.clone(),
        };
        Ok(events.into_response(place))
    }

    /// The body, which has to arrive before the request takes a place: a slow one must not keep others out.
    async fn body(&self, parts: &Parts, body: Body) -> Result<Bytes, Refusal> {
        let limit_ms = self.settings.body_timeout_ms;
        let read = body::read(&parts.headers, body, self.settings.body_limit_bytes);
        let within = tokio::time::timeout(Duration::from_millis(limit_ms), read).await;
        within.map_err(|_| Refusal::BodyTimeout(limit_ms))?
    }

    fn call<'c>(
        &'c self,
        routed: &'c Routed,
        headers: &HeaderMap,
        deadline: Instant,
    ) -> Result<Call<'c>, Refusal> {
        let channel = self.channel(&routed.operation).ok_or(Refusal::Missing)?;
        Ok(Call {
            channel,
            operation: &routed.operation,
            metadata: call::metadata(headers, &self.forwarded, routed.request_id.clone()),
            timeout: deadline.saturating_duration_since(Instant::now()),
            answer_limit: self.settings.answer_limit_bytes,
        })
    }

    fn channel(&self, operation: &Operation) -> Option<&Channel> {
        self.backends.find(operation.method.parent_service())
    }
}

fn message(routed: &Routed, parts: &Parts, body: &[u8]) -> Result<Bytes, Refusal> {
    let query = parts.uri.query().unwrap_or_default();
    let request = transcode::Parts { path: &routed.values, query, body };
    transcode::encode(&routed.operation, request).map_err(Refusal::Fault)
}
