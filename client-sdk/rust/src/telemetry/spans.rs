//! One client span per call and below it one per attempt, as gRPC's proposal A72 has them.
//!
//! Names, events and `previous-rpc-attempts` are A72's, the attributes of the call are those of
//! OpenTelemetry's RPC conventions. When nobody listens, a span costs a check and allocates nothing.
//!
//! Deliberately absent: A72's event for each message. A stream may last for hours.

use std::fmt;

use opentelemetry::trace::TraceContextExt as _;
use tonic::Code;
use tracing::{Span, field};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::{
    code_name,
    names::{ATTEMPT_SPAN_PREFIX, CALL_SPAN_PREFIX, NAME_RESOLUTION_DELAYED, PICK_DELAYED},
};
use crate::address::Address;

/// The span of a call.
#[derive(Debug)]
pub(crate) struct CallSpan {
    span: Span,
    attempts: i64,
}

/// The span of one attempt.
#[derive(Debug)]
pub(crate) struct AttemptSpan(Span);

impl CallSpan {
    /// Begins the span as a child of the current one. `method` is `pkg.Service/Method`.
    pub(crate) fn start(method: &str, target: &str) -> Self {
        let span = tracing::info_span!(
            "rpc",
            otel.name = %Name { prefix: CALL_SPAN_PREFIX, method },
            otel.kind = "client",
            otel.status_code = field::Empty,
            otel.status_description = field::Empty,
            rpc.system.name = "grpc",
            rpc.method = method,
            rpc.status_code = field::Empty,
            server.address = target,
            error.type = field::Empty,
            plexus.attempts = field::Empty,
        );
        Self { span, attempts: 0 }
    }

    /// Begins the span of one more attempt, before its endpoint is picked. `previous` is the number of
    /// attempts before it, transparent retries not counted (as in A6's `grpc-previous-rpc-attempts`).
    pub(crate) fn attempt(&mut self, method: &str, previous: u32, is_transparent: bool) -> AttemptSpan {
        self.attempts += 1;
        if self.is_left_out() {
            return AttemptSpan(Span::none());
        }
        // A client span too: its id is what the server's span has for a parent.
        let span = tracing::info_span!(
            parent: &self.span,
            "attempt",
            otel.name = %Name { prefix: ATTEMPT_SPAN_PREFIX, method },
            otel.kind = "client",
            otel.status_code = field::Empty,
            otel.status_description = field::Empty,
            "previous-rpc-attempts" = i64::from(previous),
            "transparent-retry" = is_transparent,
            rpc.status_code = field::Empty,
            network.peer.address = field::Empty,
            network.peer.port = field::Empty,
        );
        AttemptSpan(span)
    }

    /// Whether the trace is not sampled. The attempts would not be either, but cost as much as if they were.
    fn is_left_out(&self) -> bool {
        let context = self.span.context();
        context.has_active_span() && !context.span().is_recording()
    }

    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// The call had to wait until its target's endpoints were known, which they are now.
    pub(crate) fn resolved_late(&self) {
        self.span.add_event(NAME_RESOLUTION_DELAYED, Vec::new());
    }

    /// Records how the call ended, once.
    pub(crate) fn finish(&self, code: Code, description: &str) {
        if self.span.is_disabled() {
            return;
        }
        self.span.record("plexus.attempts", self.attempts);
        if code != Code::Ok {
            self.span.record("error.type", code_name(code));
        }
        end(&self.span, code, description);
    }
}

impl AttemptSpan {
    pub(crate) fn span(&self) -> &Span {
        &self.0
    }

    /// The attempt had to wait for an endpoint that is ready, and has one now.
    pub(crate) fn picked_late(&self) {
        self.0.add_event(PICK_DELAYED, Vec::new());
    }

    /// Names the endpoint that the attempt goes to.
    pub(crate) fn sent_to(&self, endpoint: &Address) {
        if !self.0.is_disabled() {
            self.0.record("network.peer.address", endpoint.host());
            self.0.record("network.peer.port", i64::from(endpoint.port()));
        }
    }

    /// Records how the attempt ended, once.
    pub(crate) fn finish(&self, code: Code, description: &str) {
        if !self.0.is_disabled() {
            end(&self.0, code, description);
        }
    }
}

/// Writes the status as A72 does: the code stands before the description of what failed.
fn end(span: &Span, code: Code, description: &str) {
    let name = code_name(code);
    span.record("rpc.status_code", name);
    if code == Code::Ok {
        span.record("otel.status_code", "OK");
    } else if description.is_empty() {
        span.record("otel.status_description", name);
    } else {
        // A description alone makes the span's status an error.
        span.record("otel.status_description", format_args!("{name}, {description}"));
    }
    // A span that was ever entered ends, for OpenTelemetry, when it was left last: here, and not with the head.
    span.in_scope(|| ());
}

/// The name of a span: the prefix, then `pkg.Service.Method`.
struct Name<'a> {
    prefix: &'static str,
    method: &'a str,
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.prefix)?;
        match self.method.rsplit_once('/') {
            Some((service, method)) => write!(formatter, "{service}.{method}"),
            None => formatter.write_str(self.method),
        }
    }
}

#[cfg(test)]
#[path = "spans_tests.rs"]
mod tests;
