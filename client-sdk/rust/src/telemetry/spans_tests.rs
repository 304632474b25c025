//! One span per call, one below it per attempt, each with its own outcome.

use http::HeaderMap;
use opentelemetry::{
    Context,
    trace::{
        SpanContext, SpanId, SpanKind, Status as SpanStatus, TraceContextExt as _, TraceFlags, TraceId,
        TraceState, TracerProvider as _,
    },
};
use opentelemetry_sdk::{
    propagation::TraceContextPropagator,
    trace::{InMemorySpanExporter, Sampler, SdkTracerProvider, SpanData},
};
use tonic::Code;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::telemetry::{AttemptKind, AttemptRecord, CallRecord, names, recorded::Recorded};

const METHOD: &str = "test.v1.Echo/Say";

/// Runs `work` where its spans are recorded, and answers them in the order in which they ended.
fn spans_of(work: impl FnOnce()) -> Vec<SpanData> {
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        // A span that a test beside this one uses for the first time is disabled for a moment.
        while is_deaf() {
            tracing::callsite::rebuild_interest_cache();
        }
        exporter.reset();
        work();
    });
    exporter.get_finished_spans().unwrap()
}

fn is_deaf() -> bool {
    let mut call = begin();
    let attempt = call.attempt(METHOD, AttemptKind::First, None);
    attempt.span().is_disabled() || call.span().is_disabled()
}

fn begin() -> CallRecord {
    CallRecord::start(&Recorded::new().metrics(), "quota", METHOD, true)
}

fn headers_to(endpoint: &str, attempt: &AttemptRecord) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", "00-stale".parse().unwrap());
    attempt.sent_to(&endpoint.parse().unwrap(), &mut headers);
    headers
}

#[test]
fn a_call_that_is_not_sampled_has_no_attempt_spans_and_the_server_learns_it() {
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    let provider = SdkTracerProvider::builder().with_sampler(Sampler::AlwaysOff).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let mut call = begin();
        while call.span().is_disabled() {
            tracing::callsite::rebuild_interest_cache();
            call = begin();
        }
        let attempt = call.attempt(METHOD, AttemptKind::First, None);
        assert!(attempt.span().is_disabled());
        let headers = call.span().in_scope(|| headers_to("10.0.0.7:50051", &attempt));
        let context = call.span().context();
        let context = context.span().span_context().clone();
        let expected = format!("00-{}-{}-00", context.trace_id(), context.span_id());
        assert_eq!(headers["traceparent"].to_str().unwrap(), expected);
    });
}

#[test]
fn a_span_lasts_until_its_outcome_though_it_was_left_before() {
    let mut left_at = None;
    let spans = spans_of(|| {
        let mut call = begin();
        call.span().in_scope(|| ());
        left_at = Some(std::time::SystemTime::now());
        call.finish(Code::Ok, "");
    });
    assert!(Some(spans[0].end_time) >= left_at);
}

/// The attributes that say something about the call, as `key=value`; numbers and flags keep their type.
fn attributes(span: &SpanData) -> Vec<String> {
    let kinds = ["rpc.", "server.", "network.", "error.", "plexus.", "previous-", "transparent-"];
    let of_call =
        span.attributes.iter().filter(|pair| kinds.iter().any(|kind| pair.key.as_str().starts_with(kind)));
    let mut found: Vec<_> = of_call.map(|pair| format!("{}={:?}", pair.key, pair.value)).collect();
    found.sort();
    found
}

fn text(key: &str, value: &str) -> String {
    format!("{key}={:?}", opentelemetry::Value::from(value.to_owned()))
}

#[test]
fn a_call_has_a_span_for_each_attempt_and_the_request_carries_the_attempts() {
    let mut sent = Vec::new();
    let spans = spans_of(|| {
        let mut call = begin();
        call.resolved_late();
        for (kind, endpoint, code) in [
            (AttemptKind::First, "10.0.0.7:50051", Code::Unavailable),
            (AttemptKind::TransparentRetry, "10.0.0.8:50051", Code::Unavailable),
            (AttemptKind::Retry, "10.0.0.9:50051", Code::Ok),
        ] {
            let mut attempt = call.attempt(METHOD, kind, None);
            if kind == AttemptKind::Retry {
                attempt.picked_late();
            }
            sent.push(headers_to(endpoint, &attempt));
            attempt.finish(code, if code == Code::Ok { "" } else { "went away" });
            attempt.finish(Code::Internal, "only the first outcome counts");
        }
        call.finish(Code::Ok, "");
    });
    let [first, transparent, retry, call] = spans.as_slice() else { panic!("{spans:?}") };

    assert_eq!(call.name, "Sent.test.v1.Echo.Say");
    assert_eq!((&call.span_kind, &call.status), (&SpanKind::Client, &SpanStatus::Ok));
    assert_eq!(
        attributes(call),
        [
            "plexus.attempts=I64(3)".to_owned(),
            text("rpc.method", METHOD),
            text("rpc.status_code", "OK"),
            text("rpc.system.name", "grpc"),
            text("server.address", "quota"),
        ]
    );
    assert_eq!(events(call), [names::NAME_RESOLUTION_DELAYED]);
    for (span, headers) in [first, transparent, retry].into_iter().zip(&sent) {
        assert_eq!(span.name, "Attempt.test.v1.Echo.Say");
        assert_eq!(span.span_kind, SpanKind::Client);
        assert_eq!(span.parent_span_id, call.span_context.span_id());
        let context = &span.span_context;
        let expected = format!("00-{}-{}-01", context.trace_id(), context.span_id());
        assert_eq!(headers["traceparent"].to_str().unwrap(), expected);
    }
    assert_eq!(first.status, SpanStatus::error("UNAVAILABLE, went away"));
    assert_eq!(retry.status, SpanStatus::Ok);
    assert_eq!(
        attributes(transparent),
        [
            text("network.peer.address", "10.0.0.8"),
            "network.peer.port=I64(50051)".to_owned(),
            "previous-rpc-attempts=I64(1)".to_owned(),
            text("rpc.status_code", "UNAVAILABLE"),
            "transparent-retry=Bool(true)".to_owned(),
        ]
    );
    assert!(attributes(first).contains(&"previous-rpc-attempts=I64(0)".to_owned()));
    assert!(attributes(first).contains(&"transparent-retry=Bool(false)".to_owned()));
    assert!(attributes(retry).contains(&"previous-rpc-attempts=I64(1)".to_owned()));
    assert_eq!((events(first), events(retry)), (vec![], vec![names::PICK_DELAYED]));
}

fn events(span: &SpanData) -> Vec<&str> {
    span.events.iter().map(|event| &*event.name).collect()
}

#[test]
fn a_call_that_is_dropped_was_cancelled_and_one_that_fails_says_how() {
    let spans = spans_of(|| {
        let mut dropped = begin();
        drop(dropped.attempt(METHOD, AttemptKind::First, None));
        drop(dropped);
        begin().finish(Code::NotFound, "");
    });
    let [attempt, cancelled, failed] = spans.as_slice() else { panic!("{spans:?}") };
    for span in [attempt, cancelled] {
        assert_eq!(span.status, SpanStatus::error("CANCELLED, dropped by the caller"));
        assert!(attributes(span).contains(&text("rpc.status_code", "CANCELLED")));
    }
    assert_eq!(failed.status, SpanStatus::error("NOT_FOUND"));
    assert!(attributes(failed).contains(&text("error.type", "NOT_FOUND")));
    assert!(attributes(failed).contains(&"plexus.attempts=I64(0)".to_owned()));
}

#[test]
fn a_call_without_spans_of_its_own_stays_in_its_callers_trace() {
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    let caller = SpanContext::new(
        TraceId::from_hex("0af7651916cd43dd8448eb211c80319c").unwrap(),
        SpanId::from_hex("b7ad6b7169203331").unwrap(),
        TraceFlags::SAMPLED,
        false,
        TraceState::default(),
    );
    let _current = Context::current().with_remote_span_context(caller).attach();
    let traceparent = || {
        let mut call = begin();
        headers_to("10.0.0.7:50051", &call.attempt(METHOD, AttemptKind::First, None))["traceparent"].clone()
    };
    let expected = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    assert_eq!(traceparent(), expected, "nobody listens");
    // Its spans are enabled, and have no trace.
    let logs_only = tracing::subscriber::with_default(tracing_subscriber::registry(), || {
        while is_deaf() {
            tracing::callsite::rebuild_interest_cache();
        }
        traceparent()
    });
    assert_eq!(logs_only, expected);
}
