//! One attempt of a call at one endpoint: what it holds, and what came of it.

use std::{collections::VecDeque, future::Future, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, response};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt as _;
use hyper::{body::Incoming, client::conn::TrySendError};
use tokio::time::Instant;
use tonic::{Code, Status};

use crate::{
    concurrency::Signal,
    connection::{Sent, Stream},
    ejection,
    endpoint::Endpoint,
    failure,
    load::InFlight,
    load_report::LoadReport,
    pool::Pool,
    request_body::RequestBody,
    retry::{Outcome, Pushback},
    telemetry::AttemptRecord,
};

/// The most bytes of a unary response that are read before the call is bound to the attempt. A caller
/// can use no part of such a response, so waiting for its end costs nothing and lets it be tried again.
const UNARY_BYTES_MAX: usize = 64 * 1024;

/// What came of an attempt.
#[expect(clippy::large_enum_variant, reason = "it is moved once; a box would cost each call an allocation")]
pub(crate) enum Met {
    /// A response to hand on, if its code is not to be retried.
    Response(Answer),
    /// No response, from this endpoint.
    Failure(Failed, Arc<Endpoint>),
}

/// A response, and the attempt that got it.
pub(crate) struct Answer {
    pub(crate) response: Response<Incoming>,
    /// What has been read of its body.
    pub(crate) read: VecDeque<Frame<Bytes>>,
    pub(crate) attempt: Attempt,
    /// Which body carried it.
    pub(crate) number: usize,
    /// The status, when it is known already and no message came before it.
    pub(crate) code: Option<Code>,
    pub(crate) pushback: Pushback,
}

/// Why an attempt has no response.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) status: Status,
    pub(crate) outcome: Outcome,
}

impl Failed {
    /// A server may have acted upon it.
    fn midway(status: Status) -> Self {
        let outcome = Outcome::Failed { code: status.code(), pushback: Pushback::Absent };
        Self { status, outcome }
    }
}

/// What an attempt holds until it ends, however it ends.
pub(crate) struct Attempt {
    pool: Arc<Pool>,
    pub(crate) endpoint: Arc<Endpoint>,
    record: AttemptRecord,
    sent_at: Instant,
    deadline: Option<Instant>,
    is_answered: bool,
    is_open: bool,
    _in_flight: InFlight,
    _stream: Stream,
}

impl Attempt {
    pub(crate) fn begin(
        pool: &Arc<Pool>,
        (endpoint, stream): (Arc<Endpoint>, Stream),
        record: AttemptRecord,
        deadline: Option<Instant>,
    ) -> Self {
        Self {
            pool: Arc::clone(pool),
            _in_flight: endpoint.load().begin(),
            endpoint,
            record,
            sent_at: Instant::now(),
            deadline,
            is_answered: false,
            is_open: true,
            _stream: stream,
        }
    }

    /// Records how it ended; only the first outcome counts.
    pub(crate) fn finish(&mut self, code: Code, description: &str) {
        if !std::mem::take(&mut self.is_open) {
            return;
        }
        self.record.finish(code, description);
        let load = self.endpoint.load();
        // A replica that refuses at once must not look like a fast one.
        if ejection::is_endpoint_failure(code) || code == Code::ResourceExhausted {
            let now = Instant::now();
            load.penalize(now.saturating_duration_since(self.sent_at), now);
        }
        self.pool.ended(&self.endpoint, code);
        let is_overload =
            matches!(code, Code::ResourceExhausted | Code::Unavailable | Code::DeadlineExceeded);
        let signal = if is_overload { Signal::Overload } else { Signal::Success };
        self.endpoint.concurrency.record(signal, load.in_flight(), self.sent_at);
    }

    /// Records the outcome and the load report that headers or trailers carry, if they carry one.
    pub(crate) fn finish_from(&mut self, headers: &HeaderMap) -> Option<Status> {
        match LoadReport::from_trailers(headers) {
            Ok(Some(report)) => self.endpoint.load().report().record(&report, Instant::now()),
            Ok(None) => {}
            Err(error) => tracing::debug!(endpoint = %self.endpoint.address(), %error, "no load report"),
        }
        let status = Status::from_header_map(headers)?;
        self.finish(status.code(), status.message());
        Some(status)
    }

    /// Takes a chunk of the response's body.
    pub(crate) fn received(&mut self, chunk: &[u8]) {
        self.record.received(chunk);
    }

    /// When its request was sent.
    pub(crate) fn sent_at(&self) -> Instant {
        self.sent_at
    }

    /// It ended before the endpoint had done anything good or bad.
    fn finish_unprocessed(&mut self, description: &str, is_refused: bool) {
        self.is_open = false;
        self.record.finish(Code::Unavailable, description);
        if is_refused {
            // What refuses at once must not look idle.
            self.endpoint.load().penalize(Duration::ZERO, Instant::now());
        }
    }

    /// The request came to nothing before the head of a response.
    fn not_answered(&mut self, mut error: TrySendError<Request<RequestBody>>) -> Failed {
        let was_sent = error.take_message().is_none();
        let error = error.into_error();
        let is_unprocessed = failure::is_unprocessed(&error, !was_sent);
        let status = failure::status(&error, self.endpoint.address());
        if !is_unprocessed {
            self.finish(status.code(), status.message());
            return Failed::midway(status);
        }
        self.finish_unprocessed(status.message(), was_sent);
        Failed { status, outcome: if was_sent { Outcome::Refused } else { Outcome::NeverSent } }
    }

    /// The head of a response has come.
    fn answered(&mut self) {
        self.is_answered = true;
        let now = Instant::now();
        self.endpoint.load().record(now.saturating_duration_since(self.sent_at), now);
    }
}

impl Drop for Attempt {
    /// Nobody waits for it any more: its time is up, another attempt was faster, or the caller went away.
    fn drop(&mut self) {
        if !self.is_open {
            return;
        }
        let now = Instant::now();
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.finish(Code::DeadlineExceeded, "the deadline passed");
        } else if !self.is_answered {
            self.endpoint.load().overtaken(now.saturating_duration_since(self.sent_at), now);
        }
    }
}

/// Waits for the response to a request that was sent with the body of this number; with `is_whole`, for
/// all of it if it is small.
pub(crate) async fn outcome(
    mut attempt: Attempt,
    number: usize,
    response: impl Future<Output = Sent>,
    timeout: Option<Instant>,
    is_whole: bool,
) -> Met {
    let received = {
        // By reference: a future that is handed on by value has room for it twice.
        let mut receiving = pin!(receive(&mut attempt, response, is_whole));
        match timeout {
            Some(timeout) => tokio::time::timeout_at(timeout, receiving.as_mut()).await.ok(),
            None => Some(receiving.await),
        }
    };
    match received {
        Some(Ok(Received { response, read, code, pushback })) => {
            Met::Response(Answer { response, read, attempt, number, code, pushback })
        }
        Some(Err(failed)) => Met::Failure(failed, Arc::clone(&attempt.endpoint)),
        None => {
            let endpoint = Arc::clone(&attempt.endpoint);
            let text = format!("endpoint {}: no answer within the time of an attempt", endpoint.address());
            let status = Status::deadline_exceeded(text);
            Met::Failure(Failed { status, outcome: Outcome::TimedOut }, endpoint)
        }
    }
}

/// A response, as far as it was read.
struct Received {
    response: Response<Incoming>,
    read: VecDeque<Frame<Bytes>>,
    code: Option<Code>,
    pushback: Pushback,
}

async fn receive(
    attempt: &mut Attempt,
    response: impl Future<Output = Sent>,
    is_whole: bool,
) -> Result<Received, Failed> {
    let response = match response.await {
        Ok(response) => response,
        Err(error) => return Err(attempt.not_answered(error)),
    };
    attempt.answered();
    let (parts, mut incoming) = response.into_parts();
    let mut code = code_of(&parts.headers);
    if code.is_none() && !is_grpc(&parts) {
        let text = format!("replica {}: HTTP {}, which is no gRPC", attempt.endpoint.address(), parts.status);
        let status = Status::new(code_of_http(parts.status), text);
        attempt.finish(status.code(), status.message());
        return Err(Failed::midway(status));
    }
    if code.is_none() && incoming.is_end_stream() {
        let status = failure::cut_off(attempt.endpoint.address());
        attempt.finish(status.code(), status.message());
        return Err(Failed::midway(status));
    }
    let mut pushback = Pushback::from_headers(&parts.headers);
    let mut read = VecDeque::new();
    let mut bytes = 0;
    while code.is_none() && is_whole && bytes <= UNARY_BYTES_MAX {
        let frame = match incoming.frame().await {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => {
                let status = failure::status(&error, attempt.endpoint.address());
                attempt.finish(status.code(), status.message());
                return Err(Failed::midway(status));
            }
            None => break,
        };
        bytes += frame.data_ref().map_or(0, Bytes::len);
        let trailers = frame.trailers_ref();
        let is_last = trailers.is_some();
        if let Some(trailers) = trailers.filter(|_| bytes == 0) {
            code = code_of(trailers);
            pushback = Pushback::from_headers(trailers);
        }
        read.push_back(frame);
        if is_last {
            break;
        }
    }
    Ok(Received { response: Response::from_parts(parts, incoming), read, code, pushback })
}

/// The code in `grpc-status`.
pub(crate) fn code_of(headers: &HeaderMap) -> Option<Code> {
    headers.get("grpc-status").map(|value| Code::from_bytes(value.as_bytes()))
}

/// Whether a gRPC server made the answer (gRPC over HTTP/2, "Responses").
fn is_grpc(head: &response::Parts) -> bool {
    let content_type = head.headers.get(http::header::CONTENT_TYPE);
    head.status == StatusCode::OK
        && content_type.is_none_or(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// The code of an answer that no gRPC server made ("HTTP to gRPC Status Code Mapping").
fn code_of_http(status: StatusCode) -> Code {
    match status {
        StatusCode::BAD_REQUEST => Code::Internal,
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::FORBIDDEN => Code::PermissionDenied,
        StatusCode::NOT_FOUND => Code::Unimplemented,
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Code::Unavailable,
        _ => Code::Unknown,
    }
}
