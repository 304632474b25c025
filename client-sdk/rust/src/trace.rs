//! One client span per logical call, retries included (OpenTelemetry's RPC conventions).

use http::HeaderMap;
use tonic::{Code, Status};
use tracing::{Span, field};

use crate::address::Address;

/// The span of a call, until its outcome is known. Dropped before that, the call was cancelled.
#[derive(Debug)]
pub(crate) struct CallSpan {
    span: Span,
    is_open: bool,
}

impl CallSpan {
    /// Begins the span as a child of the current one. `method` is `pkg.Service/Method`.
    pub(crate) fn start(method: &str, target: &str) -> Self {
        let span = tracing::info_span!(
            "rpc",
            otel.name = method,
            otel.kind = "client",
            otel.status_code = field::Empty,
            otel.status_description = field::Empty,
            rpc.system.name = "grpc",
            rpc.method = method,
            rpc.status_code = field::Empty,
            server.address = target,
            network.peer.address = field::Empty,
            network.peer.port = field::Empty,
            error.type = field::Empty,
        );
        Self { span, is_open: true }
    }

    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// Names the replica that the call went to.
    pub(crate) fn sent_to(&self, replica: &Address) {
        self.span.record("network.peer.address", replica.host());
        self.span.record("network.peer.port", replica.port());
    }

    /// Records how the call ended; only the first outcome counts.
    pub(crate) fn finish(&mut self, code: Code, description: &str) {
        if !std::mem::take(&mut self.is_open) {
            return;
        }
        self.span.record("rpc.status_code", name_of(code));
        if code != Code::Ok {
            self.span.record("error.type", name_of(code));
            self.span.record("otel.status_code", "ERROR");
            self.span.record("otel.status_description", description);
        }
    }

    /// Records the outcome that headers or trailers carry, if they carry one.
    pub(crate) fn finish_from(&mut self, headers: &HeaderMap) {
        if self.is_open
            && let Some(status) = Status::from_header_map(headers)
        {
            self.finish(status.code(), status.message());
        }
    }
}

impl Drop for CallSpan {
    fn drop(&mut self) {
        self.finish(Code::Cancelled, "dropped by the caller");
    }
}

/// The code as the gRPC specification writes it.
fn name_of(code: Code) -> &'static str {
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
