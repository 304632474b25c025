//! The span of a call, and its trace at the server.

use opentelemetry::trace::{SpanKind, TracerProvider as _};
use opentelemetry_sdk::{
    propagation::TraceContextPropagator,
    trace::{InMemorySpanExporter, SdkTracerProvider, SpanData},
};
use tracing::Instrument as _;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::replica::{Replica, check, connected};

fn attribute(span: &SpanData, name: &str) -> Option<String> {
    span.attributes.iter().find(|pair| pair.key.as_str() == name).map(|pair| pair.value.to_string())
}

#[tokio::test]
async fn a_call_is_a_client_span_in_the_callers_trace_and_the_server_sees_it() {
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let _subscribed = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));

    let replica = Replica::start().await;
    let channel = connected(&[&replica]).await;
    let traceparent = async {
        check(&channel, "").await.unwrap();
        let traceparent = replica.seen.last().get("traceparent").unwrap().to_str().unwrap().to_owned();
        check(&channel, "missing").await.unwrap_err();
        let mut hanging = Box::pin(check(&channel, "hang"));
        tokio::select! {
            biased;
            _ = &mut hanging => unreachable!("it never answers"),
            entered = replica.seen.entered.acquire() => entered.unwrap().forget(),
        }
        traceparent
    }
    .instrument(tracing::info_span!("caller"))
    .await;

    let spans = exporter.get_finished_spans().unwrap();
    let caller = spans.iter().find(|span| span.name == "caller").unwrap();
    let calls: Vec<_> = spans.iter().filter(|span| span.name == "grpc.health.v1.Health/Check").collect();
    assert_eq!(calls.len(), 3);
    for call in &calls {
        assert_eq!(call.span_kind, SpanKind::Client);
        assert_eq!(call.parent_span_id, caller.span_context.span_id());
        assert_eq!(attribute(call, "rpc.system.name").as_deref(), Some("grpc"));
        assert_eq!(attribute(call, "rpc.method").as_deref(), Some("grpc.health.v1.Health/Check"));
        assert_eq!(attribute(call, "server.address").as_deref(), Some("health"));
    }
    let codes: Vec<_> = calls.iter().map(|call| attribute(call, "rpc.status_code").unwrap()).collect();
    assert_eq!(codes, ["OK", "NOT_FOUND", "CANCELLED"]);
    let errors: Vec<_> = calls.iter().map(|call| attribute(call, "error.type")).collect();
    assert_eq!(errors, [None, Some("NOT_FOUND".to_owned()), Some("CANCELLED".to_owned())]);

    let context = &calls[0].span_context;
    assert_eq!(traceparent, format!("00-{}-{}-01", context.trace_id(), context.span_id()));
}
