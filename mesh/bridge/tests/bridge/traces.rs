//! The root span of a request: its name and attributes, the browser's trace above it, the service's below.

use opentelemetry::{
    Value,
    trace::{SpanId, SpanKind, Status, TracerProvider as _},
};
use opentelemetry_sdk::{
    propagation::TraceContextPropagator,
    trace::{InMemorySpanExporter, SdkTracerProvider, SpanData},
};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::client::{Running, request};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// Collects the spans of this test, which runs on one thread.
fn collect() -> (InMemorySpanExporter, DefaultGuard) {
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    (exporter, tracing::subscriber::set_default(tracing_subscriber::registry().with(layer)))
}

fn root(spans: &[SpanData]) -> &SpanData {
    spans.iter().find(|span| span.span_kind == SpanKind::Server).expect("a root span")
}

fn attribute(span: &SpanData, key: &str) -> String {
    let value = span.attributes.iter().find(|attribute| attribute.key.as_str() == key).map(|one| &one.value);
    value.map(Value::to_string).unwrap_or_default()
}

#[tokio::test]
async fn the_root_span_continues_the_trace_of_the_browser_and_the_service_continues_it() {
    let (exporter, _guard) = collect();
    let mut bridge = Running::start(|_| {}).await;
    let parent = format!("00-{TRACE}-{PARENT}-01");
    let answer = bridge.send(request("GET", "/v1/books/b?", &[("traceparent", &parent)], "")).await;
    let (_, _, seen) = bridge.upstream.call().await;
    let spans = exporter.get_finished_spans().unwrap();
    let root = root(&spans);
    assert_eq!(root.name, "GET /v1/books/{name}");
    assert_eq!(root.span_context.trace_id().to_string(), TRACE);
    assert_eq!(root.parent_span_id.to_string(), PARENT);
    for (key, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/v1/books/{name}"),
        ("http.response.status_code", "200"),
        ("url.path", "/v1/books/b"),
    ] {
        assert_eq!(attribute(root, key), value, "{key}");
    }
    let own = root.span_context.span_id();
    assert_eq!(answer.header("traceresponse"), format!("00-{TRACE}-{own}-01"));
    assert_eq!(answer.header("x-request-id"), TRACE);
    assert_eq!(seen["x-request-id"], TRACE);
    let below: Vec<_> = seen["traceparent"].to_str().unwrap().split('-').collect();
    assert_eq!(below[1], TRACE);
    assert_ne!(below[2], PARENT, "the service stands below the bridge");
}

#[tokio::test]
async fn a_request_without_a_trace_begins_one_and_probes_and_preflights_do_not() {
    let (exporter, _guard) = collect();
    let bridge = Running::start(|_| {}).await;
    let answer = bridge.get("/v1/nothing").await;
    bridge.get("/healthz").await;
    bridge.send(request("OPTIONS", "/v1/books", &[], "")).await;
    let spans = exporter.get_finished_spans().unwrap();
    assert_eq!(spans.len(), 1);
    assert_eq!((spans[0].name.as_ref(), spans[0].parent_span_id), ("GET", SpanId::INVALID));
    assert_eq!(attribute(&spans[0], "http.response.status_code"), "404");
    assert_eq!(spans[0].status, Status::Unset, "a client's mistake is no failure of the server");
    assert_eq!(answer.header("x-request-id"), spans[0].span_context.trace_id().to_string());
}

#[tokio::test]
async fn the_span_of_a_stream_lasts_to_its_end_and_knows_its_error() {
    let (exporter, _guard) = collect();
    let mut bridge = Running::start(|_| {}).await;
    let response = bridge.open(request("GET", "/v1/books/released:read", &[], "")).await;
    let finished = exporter.get_finished_spans().unwrap();
    assert!(finished.iter().all(|span| span.span_kind != SpanKind::Server), "the stream still runs");
    drop(std::mem::replace(&mut bridge.upstream.release, tokio::sync::mpsc::unbounded_channel().0));
    http_body_util::BodyExt::collect(response.into_body()).await.unwrap();
    assert_eq!(root(&exporter.get_finished_spans().unwrap()).name, "GET /v1/books/{name}:read");

    exporter.reset();
    bridge.get("/v1/books/breaks:read").await;
    assert_eq!(attribute(root(&exporter.get_finished_spans().unwrap()), "error.type"), "RESOURCE_EXHAUSTED");
    exporter.reset();
    bridge.get("/v1/books/fails-inside").await;
    let spans = exporter.get_finished_spans().unwrap();
    assert!(matches!(root(&spans).status, Status::Error { .. }));
    assert_eq!(attribute(root(&spans), "error.type"), "500");
}
