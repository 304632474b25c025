//! A span per call, child of the caller's span; its trace id also stands in every log line of the call.

use axum::{
    extract::{Request, State},
    middleware::Next,
};
use tonic::Code;
use tracing::{Instrument as _, Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::{Layers, Response, method_name, outcome};
use crate::telemetry::{self, code_name, is_server_error};

pub(super) async fn trace(State(layers): State<Layers>, request: Request, next: Next) -> Response {
    let method = method_name(&request);
    // At the highest level, so that a log of warnings alone still carries the trace id.
    let span = tracing::error_span!(
        "rpc",
        otel.name = %method,
        otel.kind = "server",
        otel.status_code = Empty,
        rpc.system.name = "grpc",
        rpc.method = %method,
        rpc.status_code = Empty,
        error.r#type = Empty,
        service = layers.role.name(),
        trace_id = Empty,
    );
    // The parent has to be known before the span is first entered; a span that nobody records refuses it.
    let _unrecorded = span.set_parent(telemetry::parent(request.headers(), layers.role));
    telemetry::record_trace_id(&span);

    let ended = span.clone();
    let outcome = outcome::Outcome::new(move |code| record(&ended, code));
    let response = next.run(request).instrument(span.clone()).await;
    outcome::watch(response, span, outcome)
}

fn record(span: &Span, code: Code) {
    let name = code_name(code);
    span.record("rpc.status_code", name);
    if is_server_error(code) {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", name);
    }
}
