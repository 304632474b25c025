//! What operators see of a channel: spans and metrics of its calls, and the state that it is in.
//!
//! [`CallRecord`] and [`AttemptRecord`] join the span and the metrics of a call and of an attempt, so that
//! both tell the same. Nothing of a request or a response is recorded but its size and its status.

mod calls;
mod messages;
mod methods;
mod metrics;
pub mod names;
mod propagation;
#[cfg(test)]
mod recorded;
mod spans;
mod states;

use std::time::Duration;

use http::{Extensions, HeaderMap};
use tokio::time::Instant;
use tonic::{Code, GrpcMethod};
use tracing::Span;

pub(crate) use calls::{AttemptKind, CallLimit, PickResult};
pub(crate) use messages::SentMessages;
pub(crate) use metrics::{DetectionMethod, Metrics, Selection, SelectionMode, UnenforcedReason};
pub(crate) use states::{Connections, Disconnect, EndpointState, Endpoints, Quantity};

use crate::address::Address;
use calls::{AttemptMetrics, CallMetrics};
use spans::{AttemptSpan, CallSpan};

/// Why a call or an attempt ended of which nobody awaited the outcome.
const DROPPED: &str = "dropped by the caller";

/// A call, until its outcome is known. Dropped before that, the call was cancelled.
#[derive(Debug)]
pub(crate) struct CallRecord {
    span: CallSpan,
    metrics: CallMetrics,
    /// Attempts so far, transparent retries not counted.
    attempts: u32,
    is_open: bool,
}

/// One attempt, until its outcome is known. Dropped before that, it was cancelled, or its deadline passed.
///
/// To be dropped before the call's record, whose span is the parent.
#[derive(Debug)]
pub(crate) struct AttemptRecord {
    span: AttemptSpan,
    metrics: AttemptMetrics,
    deadline: Option<Instant>,
    is_open: bool,
}

impl CallRecord {
    /// Begins a call of `method` (`pkg.Service/Method`) to the target of this name.
    pub(crate) fn start(metrics: &Metrics, target: &str, method: &str, is_registered: bool) -> Self {
        Self {
            span: CallSpan::start(method, target),
            metrics: metrics.call(method, is_registered),
            attempts: 0,
            is_open: true,
        }
    }

    /// Begins one more attempt, before its endpoint is picked. `method` is the call's; when the attempt is
    /// dropped after its `deadline`, it was that which ended it.
    pub(crate) fn attempt(
        &mut self,
        method: &str,
        kind: AttemptKind,
        deadline: Option<Instant>,
    ) -> AttemptRecord {
        let is_transparent = kind == AttemptKind::TransparentRetry;
        let previous = self.attempts;
        if !is_transparent {
            self.attempts += 1;
        }
        AttemptRecord {
            span: self.span.attempt(method, previous, is_transparent),
            metrics: self.metrics.attempt(kind),
            deadline,
            is_open: true,
        }
    }

    /// The span, for what is done on behalf of the whole call.
    pub(crate) fn span(&self) -> &Span {
        self.span.span()
    }

    /// The call had to wait until its target's endpoints were known, which they are now.
    pub(crate) fn resolved_late(&self) {
        self.span.resolved_late();
    }

    /// How looking for an endpoint ended; only the first result of a call counts.
    pub(crate) fn picked(&mut self, result: PickResult) {
        self.metrics.picked(result);
    }

    /// The call met a limit; it has still to be finished.
    pub(crate) fn refused(&self, limit: CallLimit) {
        self.metrics.refused(limit);
    }

    /// Adds a time in which the call had no attempt under way, such as a backoff.
    pub(crate) fn waited(&mut self, delay: Duration) {
        self.metrics.waited(delay);
    }

    /// Records how the call ended; only the first outcome counts.
    pub(crate) fn finish(&mut self, code: Code, description: &str) {
        if std::mem::take(&mut self.is_open) {
            self.span.finish(code, description);
            self.metrics.finish(code);
        }
    }
}

impl AttemptRecord {
    /// The span, for sending the request and receiving its answer.
    #[cfg(test)]
    pub(crate) fn span(&self) -> &Span {
        self.span.span()
    }

    /// The attempt had to wait for an endpoint that is ready, and has one now.
    pub(crate) fn picked_late(&self) {
        self.span.picked_late();
    }

    /// Names the endpoint that the attempt goes to, and puts the attempt's trace into its request.
    pub(crate) fn sent_to(&self, endpoint: &Address, headers: &mut HeaderMap) {
        self.span.sent_to(endpoint);
        propagation::inject(self.span.span(), headers);
    }

    /// Counts what the attempt sends; to be moved into the body of the request.
    pub(crate) fn sent_messages(&mut self) -> SentMessages {
        self.metrics.sent_messages()
    }

    /// Takes the next chunk of the response's body.
    pub(crate) fn received(&mut self, chunk: &[u8]) {
        self.metrics.received(chunk);
    }

    /// Records how the attempt ended; only the first outcome counts.
    pub(crate) fn finish(&mut self, code: Code, description: &str) {
        if std::mem::take(&mut self.is_open) {
            self.span.finish(code, description);
            self.metrics.finish(code);
        }
    }
}

impl Drop for CallRecord {
    fn drop(&mut self) {
        self.finish(Code::Cancelled, DROPPED);
    }
}

impl Drop for AttemptRecord {
    fn drop(&mut self) {
        if self.is_open && self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            self.finish(Code::DeadlineExceeded, "not answered before the deadline");
        }
        self.finish(Code::Cancelled, DROPPED);
    }
}

/// Whether generated code makes the call: its methods have an end, those of a proxy may have none.
pub(crate) fn is_generated(extensions: &Extensions) -> bool {
    extensions.get::<GrpcMethod<'static>>().is_some()
}

/// The code as the gRPC specification writes it.
#[must_use]
pub fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
