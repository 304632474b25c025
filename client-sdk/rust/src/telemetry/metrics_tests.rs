//! Names, units, attributes and counts, for every way in which a call can go.

use std::time::Duration;

use opentelemetry::global;
use tokio::time::{Instant, advance};
use tonic::Code;

use super::*;
use crate::telemetry::{
    AttemptKind, CallLimit, CallRecord, PickResult, methods::METHODS_MAX, recorded::Recorded,
};

const METHOD: &str = "test.v1.Echo/Say";

fn begin(metrics: &Metrics) -> CallRecord {
    CallRecord::start(metrics, "quota", METHOD, true)
}

/// The lines of the metrics that begin with one of these.
fn only(recorded: &Recorded, starts: &[&str]) -> Vec<String> {
    let mut lines = recorded.lines();
    lines.retain(|line| starts.iter().any(|start| line.starts_with(start)));
    lines
}

#[tokio::test(start_paused = true)]
async fn a_call_that_succeeds_is_one_attempt_with_its_time_and_its_messages() {
    let recorded = Recorded::new();
    let metrics = recorded.metrics();
    let mut call = begin(&metrics);
    let mut attempt = call.attempt(METHOD, AttemptKind::First, None);
    advance(Duration::from_millis(250)).await;
    call.picked(PickResult::Found);
    call.picked(PickResult::Unavailable);
    let mut sent = attempt.sent_messages();
    sent.add(&[0, 0, 0, 0, 3, 1, 2, 3]);
    assert_eq!(
        only(&recorded, &["plexus.client.calls"]),
        ["plexus.client.calls.in_flight{grpc.target=quota} {call} 1"]
    );
    advance(Duration::from_millis(250)).await;
    attempt.received(&[0, 0, 0, 0, 2, 1, 2, 0, 0, 0, 0, 1, 9]);
    attempt.finish(Code::Ok, "");
    attempt.finish(Code::Internal, "only the first outcome counts");
    advance(Duration::from_millis(500)).await;
    call.finish(Code::Ok, "");
    drop((attempt, call));
    let of = "grpc.method=test.v1.Echo/Say";
    assert_eq!(
        recorded.lines(),
        [
            format!("grpc.client.attempt.duration{{{of},grpc.status=OK,grpc.target=quota}} s 1 x 0.5"),
            format!(
                "grpc.client.attempt.rcvd_total_compressed_message_size{{{of},grpc.status=OK,grpc.target=quota}} By 1 x 3"
            ),
            format!(
                "grpc.client.attempt.sent_total_compressed_message_size{{{of},grpc.status=OK,grpc.target=quota}} By 1 x 3"
            ),
            format!("grpc.client.attempt.started{{{of},grpc.target=quota}} {{attempt}} 1"),
            format!("grpc.client.call.duration{{{of},grpc.status=OK,grpc.target=quota}} s 1 x 1"),
            "plexus.client.calls.in_flight{grpc.target=quota} {call} 0".to_owned(),
            "plexus.client.pick.delay{grpc.target=quota,plexus.client.pick.result=found} s 1 x 0.25"
                .to_owned(),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn retries_transparent_retries_and_hedges_are_counted_apart_with_the_delay_between_them() {
    let recorded = Recorded::new();
    let metrics = recorded.metrics();
    let mut call = begin(&metrics);
    call.attempt(METHOD, AttemptKind::First, None).finish(Code::Unavailable, "gone");
    call.attempt(METHOD, AttemptKind::TransparentRetry, None).finish(Code::Unavailable, "gone");
    for _ in 0..2 {
        call.waited(Duration::from_millis(125));
        call.attempt(METHOD, AttemptKind::Retry, None).finish(Code::Unavailable, "gone");
    }
    call.finish(Code::Unavailable, "gone");

    let mut call = begin(&metrics);
    let loser = call.attempt(METHOD, AttemptKind::First, None);
    let mut winner = call.attempt(METHOD, AttemptKind::Hedge, None);
    winner.finish(Code::Ok, "");
    drop(loser);
    call.finish(Code::Ok, "");

    let of = "grpc.method=test.v1.Echo/Say";
    assert_eq!(
        only(
            &recorded,
            &["grpc.client.call.", "grpc.client.attempt.started", "grpc.client.attempt.duration"]
        ),
        [
            format!("grpc.client.attempt.duration{{{of},grpc.status=CANCELLED,grpc.target=quota}} s 1 x 0"),
            format!("grpc.client.attempt.duration{{{of},grpc.status=OK,grpc.target=quota}} s 1 x 0"),
            format!("grpc.client.attempt.duration{{{of},grpc.status=UNAVAILABLE,grpc.target=quota}} s 4 x 0"),
            format!("grpc.client.attempt.started{{{of},grpc.target=quota}} {{attempt}} 6"),
            format!("grpc.client.call.duration{{{of},grpc.status=OK,grpc.target=quota}} s 1 x 0"),
            format!("grpc.client.call.duration{{{of},grpc.status=UNAVAILABLE,grpc.target=quota}} s 1 x 0"),
            format!("grpc.client.call.hedges{{{of},grpc.target=quota}} {{hedge}} 1 x 1"),
            format!("grpc.client.call.retries{{{of},grpc.target=quota}} {{retry}} 1 x 2"),
            format!("grpc.client.call.retry_delay{{{of},grpc.target=quota}} s 2 x 0.25"),
            format!(
                "grpc.client.call.transparent_retries{{{of},grpc.target=quota}} {{transparent_retry}} 1 x 1"
            ),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_was_cancelled_unless_its_deadline_had_passed() {
    let recorded = Recorded::new();
    let metrics = recorded.metrics();
    let mut call = begin(&metrics);
    let deadline = Some(Instant::now() + Duration::from_secs(1));
    drop(call.attempt(METHOD, AttemptKind::First, deadline));
    let late = call.attempt(METHOD, AttemptKind::Retry, deadline);
    advance(Duration::from_secs(1)).await;
    drop((late, call));
    let of = "grpc.method=test.v1.Echo/Say";
    assert_eq!(
        only(&recorded, &["grpc.client.call.duration", "grpc.client.attempt.duration", "plexus"]),
        [
            format!("grpc.client.attempt.duration{{{of},grpc.status=CANCELLED,grpc.target=quota}} s 1 x 0"),
            format!(
                "grpc.client.attempt.duration{{{of},grpc.status=DEADLINE_EXCEEDED,grpc.target=quota}} s 1 x 1"
            ),
            format!("grpc.client.call.duration{{{of},grpc.status=CANCELLED,grpc.target=quota}} s 1 x 1"),
            "plexus.client.calls.in_flight{grpc.target=quota} {call} 0".to_owned(),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_refused_or_finds_no_endpoint_is_not_sent_and_says_why() {
    let recorded = Recorded::new();
    let metrics = recorded.metrics();
    for limit in [CallLimit::Channel, CallLimit::Endpoint] {
        let mut call = begin(&metrics);
        call.refused(limit);
        call.finish(Code::ResourceExhausted, "full");
    }
    for result in [PickResult::Unavailable, PickResult::DeadlineExceeded] {
        begin(&metrics).picked(result);
    }
    assert_eq!(
        only(&recorded, &["plexus", "grpc.client.attempt"]),
        [
            "plexus.client.calls.in_flight{grpc.target=quota} {call} 0",
            "plexus.client.calls.refused{grpc.target=quota,plexus.client.limit=channel} {call} 1",
            "plexus.client.calls.refused{grpc.target=quota,plexus.client.limit=endpoint} {call} 1",
            "plexus.client.pick.delay{grpc.target=quota,plexus.client.pick.result=deadline_exceeded} s 1 x 0",
            "plexus.client.pick.delay{grpc.target=quota,plexus.client.pick.result=unavailable} s 1 x 0",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn histograms_have_the_bounds_of_the_proposals() {
    let recorded = Recorded::new();
    let metrics = recorded.metrics();
    let mut call = begin(&metrics);
    for kind in [AttemptKind::Hedge, AttemptKind::Retry, AttemptKind::TransparentRetry] {
        call.attempt(METHOD, kind, None).finish(Code::Ok, "");
    }
    call.picked(PickResult::Found);
    call.finish(Code::Ok, "");
    let bounds = recorded.bounds();
    assert_eq!(bounds.len(), 9);
    for (name, found) in bounds {
        let expected = match name.as_str() {
            names::ATTEMPT_SENT | names::ATTEMPT_RECEIVED => names::BYTES_BOUNDS.as_slice(),
            names::CALL_RETRIES | names::CALL_HEDGES => &names::RETRIES_BOUNDS,
            names::CALL_TRANSPARENT_RETRIES => &names::TRANSPARENT_RETRIES_BOUNDS,
            _ => &names::SECONDS_BOUNDS,
        };
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn only_registered_methods_are_named_and_only_so_many() {
    let recorded = Recorded::new();
    let metrics = recorded.metrics();
    let other = metrics.method("from.a.Stranger/1", false);
    let known = metrics.method(METHOD, true);
    assert!(Arc::ptr_eq(&known, &metrics.method(METHOD, false)), "registered once, it is known");
    assert!(!Arc::ptr_eq(&known, &other));
    assert!(Arc::ptr_eq(&other, &metrics.method("from.a.Stranger/2", false)));
    assert_eq!(other.labels()[0].value.as_str(), "other");
    let named: Vec<_> =
        (0..METHODS_MAX * 2).map(|number| metrics.method(&format!("test.v1.Echo/{number}"), true)).collect();
    assert_eq!(named.iter().filter(|method| !Arc::ptr_eq(method, &other)).count(), METHODS_MAX - 1);
    for (number, method) in named.iter().enumerate() {
        let name = format!("test.v1.Echo/{number}");
        assert!(Arc::ptr_eq(method, &metrics.method(&name, true)));
        assert!(Arc::ptr_eq(method, &other) || method.labels()[0].value.as_str() == name);
    }
}

#[test]
fn outliers_are_counted_by_how_they_were_found_and_why_they_stayed() {
    let recorded = Recorded::new();
    let metrics = recorded.metrics();
    metrics.ejected(DetectionMethod::SuccessRate);
    metrics.ejected(DetectionMethod::ConsecutiveFailures);
    metrics.not_ejected(DetectionMethod::FailurePercentage, UnenforcedReason::MaxEjectionOverflow);
    metrics.not_ejected(DetectionMethod::SuccessRate, UnenforcedReason::EnforcementPercentage);
    let outlier = "grpc.lb.outlier_detection";
    assert_eq!(
        recorded.lines(),
        [
            format!(
                "{outlier}.ejections_enforced{{{outlier}.detection_method=consecutive_failures,grpc.target=quota}} {{ejection}} 1"
            ),
            format!(
                "{outlier}.ejections_enforced{{{outlier}.detection_method=success_rate,grpc.target=quota}} {{ejection}} 1"
            ),
            format!(
                "{outlier}.ejections_unenforced{{{outlier}.detection_method=failure_percentage,{outlier}.unenforced_reason=max_ejection_overflow,grpc.target=quota}} {{ejection}} 1"
            ),
            format!(
                "{outlier}.ejections_unenforced{{{outlier}.detection_method=success_rate,{outlier}.unenforced_reason=enforcement_percentage,grpc.target=quota}} {{ejection}} 1"
            ),
        ]
    );
}

#[test]
fn a_channel_counts_in_its_mode_of_selection_and_not_at_all_when_it_is_gone() {
    let recorded = Recorded::new();
    let metrics = recorded.metrics();
    let (one, other) = (metrics.selection(), metrics.selection());
    one.set(SelectionMode::Normal);
    other.set(SelectionMode::Normal);
    one.set(SelectionMode::Spilled);
    one.set(SelectionMode::Panic);
    let line = |mode: &str, count: i32| {
        format!(
            "plexus.client.selection.channels{{grpc.target=quota,plexus.client.selection.mode={mode}}} {{channel}} {count}"
        )
    };
    assert_eq!(recorded.lines(), [line("normal", 1), line("panic", 1), line("spilled", 0)]);
    drop((one, other));
    assert_eq!(recorded.lines(), [line("normal", 0), line("panic", 0), line("spilled", 0)]);
}

#[tokio::test]
async fn an_instrument_stays_with_the_provider_that_made_it() {
    // What `ChannelBuilder::meter` documents: the global meter of this moment is the one that counts.
    let early = Metrics::new(&global::meter(names::METER), "quota");
    let recorded = Recorded::new();
    begin(&early).finish(Code::Ok, "");
    begin(&recorded.metrics()).finish(Code::Ok, "");
    assert_eq!(only(&recorded, &["grpc.client.call.duration"]).len(), 1);
}
