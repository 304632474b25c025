//! Puts the trace of a span into a request (W3C Trace Context).

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{Context, global, propagation::Injector, trace::TraceContextExt as _};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Writes what the process's propagator makes of the span: `traceparent` and `tracestate`
/// with the W3C one, nothing when none is installed. A span that is filtered out, or that no
/// OpenTelemetry layer sees, leaves the trace to the context that is current.
pub(crate) fn inject(span: &Span, headers: &mut HeaderMap) {
    let of_span = if span.is_disabled() { None } else { Some(span.context()) };
    let context = of_span.filter(Context::has_active_span).unwrap_or_else(Context::current);
    global::get_text_map_propagator(|propagator| {
        propagator.inject_context(&context, &mut HeaderInjector(headers));
    });
}

struct HeaderInjector<'a>(&'a mut HeaderMap);

impl Injector for HeaderInjector<'_> {
    /// What is no valid header is left out: a call must not fail for its telemetry.
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}
