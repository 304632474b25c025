//! What operators see of calls: their spans, their trace at the server, and their metrics.

use std::collections::BTreeMap;

use opentelemetry::{
    metrics::MeterProvider as _,
    trace::{SpanKind, TracerProvider as _},
};
use opentelemetry_sdk::{
    metrics::{
        InMemoryMetricExporter, SdkMeterProvider,
        data::{AggregatedMetrics, MetricData},
    },
    propagation::TraceContextPropagator,
    trace::{InMemorySpanExporter, SdkTracerProvider, SpanData},
};
use plexus_client::{Channel, telemetry::names};
use tonic::Code;
use tracing::Instrument as _;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::replica::{Replica, builder, check, connected};

const CALL: &str = "Sent.grpc.health.v1.Health.Check";
const ATTEMPT: &str = "Attempt.grpc.health.v1.Health.Check";

fn attribute(span: &SpanData, name: &str) -> Option<String> {
    span.attributes.iter().find(|pair| pair.key.as_str() == name).map(|pair| pair.value.to_string())
}

/// Makes a call that the server never answers, and gives it up when the server has it.
async fn cancelled(channel: &Channel, replica: &Replica) {
    let mut hanging = Box::pin(check(channel, "hang"));
    tokio::select! {
        biased;
        _ = &mut hanging => unreachable!("it never answers"),
        entered = replica.seen.entered.acquire() => entered.unwrap().forget(),
    }
}

#[tokio::test]
async fn a_call_is_a_span_in_the_callers_trace_with_an_attempt_that_the_server_sees() {
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let _subscribed = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));

    let replica = Replica::start().await;
    let channel = connected(&[&replica]).await;
    // A span that a test beside this one uses for the first time is disabled for a moment.
    let is_seen = |name: &str| exporter.get_finished_spans().unwrap().iter().any(|span| span.name == name);
    while !is_seen(CALL) || !is_seen(ATTEMPT) {
        tracing::callsite::rebuild_interest_cache();
        check(&channel, "").await.unwrap();
    }
    exporter.reset();

    let traceparent = async {
        check(&channel, "").await.unwrap();
        let traceparent = replica.seen.last().get("traceparent").unwrap().to_str().unwrap().to_owned();
        check(&channel, "missing").await.unwrap_err();
        cancelled(&channel, &replica).await;
        traceparent
    }
    .instrument(tracing::info_span!("caller"))
    .await;

    let spans = exporter.get_finished_spans().unwrap();
    let named = |name: &str| spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();
    let caller = named("caller")[0];
    let calls = named(CALL);
    let attempts = named(ATTEMPT);
    assert_eq!((calls.len(), attempts.len()), (3, 3));
    for (call, attempt) in calls.iter().zip(&attempts) {
        assert_eq!(call.span_kind, SpanKind::Client);
        assert_eq!(call.parent_span_id, caller.span_context.span_id());
        assert_eq!(attribute(call, "rpc.system.name").as_deref(), Some("grpc"));
        assert_eq!(attribute(call, "rpc.method").as_deref(), Some("grpc.health.v1.Health/Check"));
        assert_eq!(attribute(call, "server.address").as_deref(), Some("health"));
        assert_eq!(attribute(call, "plexus.attempts").as_deref(), Some("1"));
        assert_eq!(attempt.parent_span_id, call.span_context.span_id());
        assert_eq!(attribute(attempt, "network.peer.port"), Some(replica.address.port().to_string()));
        assert_eq!(attempt.status, call.status);
        assert!(attempt.end_time <= call.end_time);
    }
    let codes: Vec<_> = calls.iter().map(|call| attribute(call, "rpc.status_code").unwrap()).collect();
    assert_eq!(codes, ["OK", "NOT_FOUND", "CANCELLED"]);
    let errors: Vec<_> = calls.iter().map(|call| attribute(call, "error.type")).collect();
    assert_eq!(errors, [None, Some("NOT_FOUND".to_owned()), Some("CANCELLED".to_owned())]);

    let context = &attempts[0].span_context;
    assert_eq!(traceparent, format!("00-{}-{}-01", context.trace_id(), context.span_id()));
}

/// How often each histogram was recorded for each status, and what its values sum up to.
fn histograms(
    provider: &SdkMeterProvider,
    exporter: &InMemoryMetricExporter,
) -> BTreeMap<String, (u64, u64)> {
    provider.force_flush().unwrap();
    let mut found = BTreeMap::new();
    for resource in exporter.get_finished_metrics().unwrap() {
        for metric in resource.scope_metrics().flat_map(|scope| scope.metrics()) {
            let mut note = |labels: Vec<_>, count, sum| {
                let of = |name| {
                    labels.iter().find(|(key, _)| *key == name).map(|(_, value): &(_, String)| value.as_str())
                };
                assert!(of(names::METHOD).is_none_or(|method| method == "grpc.health.v1.Health/Check"));
                assert_eq!(of(names::TARGET), Some("health"));
                found.insert(
                    format!("{} {}", metric.name(), of(names::STATUS).unwrap_or_default()),
                    (count, sum),
                );
            };
            match metric.data() {
                AggregatedMetrics::U64(MetricData::Histogram(histogram)) => {
                    for point in histogram.data_points() {
                        let labels =
                            point.attributes().map(|pair| (pair.key.as_str(), pair.value.to_string()));
                        note(labels.collect(), point.count(), point.sum());
                    }
                }
                AggregatedMetrics::F64(MetricData::Histogram(histogram)) => {
                    for point in histogram.data_points() {
                        let labels =
                            point.attributes().map(|pair| (pair.key.as_str(), pair.value.to_string()));
                        note(labels.collect(), point.count(), 0);
                    }
                }
                _ => {}
            }
        }
    }
    found
}

#[tokio::test]
async fn calls_of_generated_code_are_measured_by_method_and_status_with_their_messages() {
    let exporter = InMemoryMetricExporter::default();
    let provider = SdkMeterProvider::builder().with_periodic_exporter(exporter.clone()).build();
    let replica = Replica::start().await;
    let channel = builder().endpoints([replica.address]).meter(provider.meter("test")).build();
    check(&channel, "").await.unwrap();
    check(&channel, "").await.unwrap();
    check(&channel, "missing").await.unwrap_err();
    cancelled(&channel, &replica).await;

    let found = histograms(&provider, &exporter);
    let expected = [
        ("OK", 2, 0, 4),
        // A field of seven letters is nine bytes, one of four is six; only success answers with two.
        ("NOT_FOUND", 1, 9, 0),
        ("CANCELLED", 1, 6, 0),
    ];
    for (code, count, sent_bytes, received_bytes) in expected {
        let of = |name: &str| found.get(&format!("{name} {code}")).copied();
        assert_eq!(of(names::CALL_DURATION), Some((count, 0)), "{code}");
        assert_eq!(of(names::ATTEMPT_DURATION), Some((count, 0)), "{code}");
        assert_eq!(of(names::ATTEMPT_SENT), Some((count, sent_bytes)), "{code}");
        assert_eq!(of(names::ATTEMPT_RECEIVED), Some((count, received_bytes)), "{code}");
    }
    assert_eq!(found.get("plexus.client.pick.delay "), Some(&(4, 0)));
    assert_eq!(found.len(), 13);
}

#[tokio::test]
async fn a_call_that_finds_no_replica_is_an_attempt_that_failed_and_sent_nothing() {
    let exporter = InMemoryMetricExporter::default();
    let provider = SdkMeterProvider::builder().with_periodic_exporter(exporter.clone()).build();
    let channel = builder().ready_wait(std::time::Duration::ZERO).meter(provider.meter("test")).build();
    assert_eq!(check(&channel, "").await.unwrap_err().code(), Code::Unavailable);
    let found = histograms(&provider, &exporter);
    assert_eq!(
        found.get("grpc.client.attempt.sent_total_compressed_message_size UNAVAILABLE"),
        Some(&(1, 0))
    );
    assert_eq!(found.get("grpc.client.call.duration UNAVAILABLE"), Some(&(1, 0)));
}
