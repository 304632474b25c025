//! The root span of a request: its name and attributes, the browser's trace above it, the service's below.

use std::sync::OnceLock;

use opentelemetry::{
    Value,
    trace::{SpanId, SpanKind, Status, TracerProvider as _},
};
use opentelemetry_sdk::{
    propagation::TraceContextPropagator,
    trace::{InMemorySpanExporter, SdkTracerProvider, SpanData},
};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::client::{Answer, Running, request};

const PARENT: &str = "b7ad6b7169203331";

/// A span ends just after its answer; this many turns of the other tasks are far more than it takes.
const TURNS_MAX: usize = 10_000;

/// The spans of the whole process: each test looks for those of its own trace.
fn spans() -> &'static InMemorySpanExporter {
    static SPANS: OnceLock<InMemorySpanExporter> = OnceLock::new();
    SPANS.get_or_init(|| {
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let filter = tracing_subscriber::filter::LevelFilter::INFO;
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(filter).with(layer))
            .unwrap();
        exporter
    })
}

fn finished(trace: &str) -> Option<SpanData> {
    let of_trace = |span: &SpanData| span.span_context.trace_id().to_string() == trace;
    let all = spans().get_finished_spans().unwrap();
    all.into_iter().find(|span| span.span_kind == SpanKind::Server && of_trace(span))
}

/// The root span of a trace, once it has ended.
async fn root(trace: &str) -> SpanData {
    for _ in 0..TURNS_MAX {
        if let Some(span) = finished(trace) {
            return span;
        }
        tokio::task::yield_now().await;
    }
    panic!("the root span of {trace} does not end");
}

fn trace_of(answer: &Answer) -> String {
    answer.header("traceresponse").split('-').nth(1).expect("a traceresponse").to_owned()
}

fn attribute(span: &SpanData, key: &str) -> String {
    let value = span.attributes.iter().find(|attribute| attribute.key.as_str() == key).map(|one| &one.value);
    value.map(Value::to_string).unwrap_or_default()
}

#[tokio::test]
async fn the_root_span_continues_the_trace_of_the_browser_and_the_service_continues_it() {
    spans();
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let mut bridge = Running::start(|_| {}).await;
    let parent = format!("00-{trace}-{PARENT}-01");
    let answer = bridge.send(request("GET", "/v1/books/b", &[("traceparent", &parent)], "")).await;
    let (_, _, seen) = bridge.upstream.call().await;
    let root = root(trace).await;
    assert_eq!(root.name, "GET /v1/books/{name}");
    assert_eq!(root.parent_span_id.to_string(), PARENT);
    for (key, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/v1/books/{name}"),
        ("http.response.status_code", "200"),
        ("url.path", "/v1/books/b"),
    ] {
        assert_eq!(attribute(&root, key), value, "{key}");
    }
    let own = root.span_context.span_id();
    assert_eq!(answer.header("traceresponse"), format!("00-{trace}-{own}-01"));
    assert_eq!(answer.header("x-request-id"), trace);
    assert_eq!(seen["x-request-id"], trace);
    let below: Vec<_> = seen["traceparent"].to_str().unwrap().split('-').collect();
    assert_eq!(below[1], trace);
    assert_ne!(below[2], PARENT, "the service stands below the bridge");
}

#[tokio::test]
async fn a_request_without_a_trace_begins_one_and_probes_and_preflights_do_not() {
    spans();
    let bridge = Running::start(|_| {}).await;
    let answer = bridge.get("/v1/nothing").await;
    let root = root(&trace_of(&answer)).await;
    assert_eq!((root.name.as_ref(), root.parent_span_id), ("GET", SpanId::INVALID));
    assert_eq!(attribute(&root, "http.response.status_code"), "404");
    assert_eq!(root.status, Status::Unset, "a client's mistake is no failure of the server");
    assert_eq!(answer.header("x-request-id"), trace_of(&answer));
    for (method, target) in [("GET", "/healthz"), ("OPTIONS", "/v1/books")] {
        let answer = bridge.send(request(method, target, &[], "")).await;
        assert_eq!(answer.header("traceresponse"), "", "{method} {target}");
    }
}

#[tokio::test]
async fn the_span_of_a_stream_lasts_to_its_end_and_knows_its_error() {
    spans();
    let trace = "1bf7651916cd43dd8448eb211c80319d";
    let mut bridge = Running::start(|_| {}).await;
    let parent = format!("00-{trace}-{PARENT}-01");
    let response =
        bridge.open(request("GET", "/v1/books/released:read", &[("traceparent", &parent)], "")).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(finished(trace).is_none(), "the stream still runs");
    drop(std::mem::replace(&mut bridge.upstream.release, tokio::sync::mpsc::unbounded_channel().0));
    http_body_util::BodyExt::collect(response.into_body()).await.unwrap();
    assert_eq!(root(trace).await.name, "GET /v1/books/{name}:read");

    let broken = bridge.get("/v1/books/breaks:read").await;
    assert_eq!(attribute(&root(&trace_of(&broken)).await, "error.type"), "RESOURCE_EXHAUSTED");
    let failed = bridge.get("/v1/books/fails-inside").await;
    let root = root(&trace_of(&failed)).await;
    assert!(matches!(root.status, Status::Error { .. }));
    assert_eq!(attribute(&root, "error.type"), "500");
}
