//! One call is one trace, from the browser's header through every service it touches.

use std::collections::BTreeMap;

use http::Method;
use plexus_testkit::{Collector, ReceivedSpan};
use serde_json::json;

use crate::process::Mesh;

const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
const BROWSER_SPAN: &str = "b7ad6b7169203331";

#[tokio::test]
async fn a_chat_is_one_trace_from_the_bridge_through_ai_to_quota() {
    let collector = Collector::start().await.unwrap();
    let endpoint = format!("telemetry.otlp_endpoint={}", collector.endpoint());
    let mut mesh = Mesh::up(&["--set", &endpoint]).await;
    let token = mesh.token().await;

    let answer = mesh
        .call(Method::POST, "/v1/ai/chat")
        .token(&token)
        .header("traceparent", &format!("00-{TRACE_ID}-{BROWSER_SPAN}-01"))
        .json(&json!({"messages": [{"role": "ROLE_USER", "content": "Hello!"}]}))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.header("traceresponse").contains(TRACE_ID), "the answer names its trace");

    // A stop sends what is still waiting, so that nothing is missing because it was not sent yet.
    mesh.terminate().await;
    assert!(mesh.ended_well().await);
    let path = path_to_quota(&collector.spans());
    let services: Vec<&str> = path.iter().map(|span| span.service.as_str()).collect();
    // The bridge's request, its call and the attempt; ai's work, its call and the attempt; quota's work.
    assert_eq!(services, ["bridge", "bridge", "bridge", "ai", "ai", "ai", "quota"], "{path:#?}");
    let names: Vec<&str> = path[1..].iter().map(|span| span.name.as_str()).collect();
    let expected = [
        "Sent.plexus.ai.v1.ChatService.Chat",
        "Attempt.plexus.ai.v1.ChatService.Chat",
        "plexus.ai.v1.ChatService/Chat",
        "Sent.plexus.quota.v1.ReservationService.Reserve",
        "Attempt.plexus.quota.v1.ReservationService.Reserve",
        "plexus.quota.v1.ReservationService/Reserve",
    ];
    assert_eq!(names, expected);
    assert_eq!(path[6].attributes["rpc.status_code"], "OK");
    let text = format!("{:?}", collector.spans());
    assert!(!text.contains(&token), "no span carries the token");
}

/// The spans from the root of the browser's trace to quota's `Reserve`.
fn path_to_quota(spans: &[ReceivedSpan]) -> Vec<ReceivedSpan> {
    let of_trace = || spans.iter().filter(|span| span.trace_id == TRACE_ID);
    let by_id: BTreeMap<&str, &ReceivedSpan> = of_trace().map(|span| (span.span_id.as_str(), span)).collect();
    let is_reserve = |span: &&ReceivedSpan| span.service == "quota" && span.name.ends_with("/Reserve");
    let mut span = of_trace().find(is_reserve).expect("quota's span is in the browser's trace");
    let mut path = vec![span.clone()];
    while span.parent_span_id != BROWSER_SPAN {
        span = by_id.get(span.parent_span_id.as_str()).expect("every parent has arrived");
        // Spans of work inside a service stand between its call and the calls that it makes.
        let is_call =
            ["rpc.method", "http.request.method"].iter().any(|key| span.attributes.contains_key(*key));
        if is_call || span.name.starts_with("Attempt.") {
            path.push(span.clone());
        }
    }
    path.reverse();
    path
}
