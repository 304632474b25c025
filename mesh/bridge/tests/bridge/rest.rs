//! Whole requests over HTTP/1.1: answers, errors, limits, headers, methods.

use std::time::Duration;

use http::StatusCode;
use plexus_bridge::{Backends, Bridge, Settings, StartError};
use plexus_client::Channel;
use serde_json::json;

use crate::{
    client::{Answer, Running, request},
    contract::library,
};

/// The HTTP code, the name of the status, and the reason of an error.
fn error(answer: &Answer) -> (u16, String, String) {
    let error = &answer.json()["error"];
    assert_eq!(error["code"], answer.status.as_u16(), "{error}");
    assert_eq!(answer.header("content-type"), "application/json");
    let details = error["details"].as_array().unwrap();
    let info = details.iter().find(|detail| detail["@type"] == "type.googleapis.com/google.rpc.ErrorInfo");
    let reason = info.and_then(|info| info["reason"].as_str()).unwrap_or_default();
    (answer.status.as_u16(), error["status"].as_str().unwrap().to_owned(), reason.to_owned())
}

fn is(code: u16, status: &str, reason: &str) -> (u16, String, String) {
    (code, status.to_owned(), reason.to_owned())
}

/// The field that the error names, and what it says of it.
fn violation(answer: &Answer) -> (String, String) {
    let details = answer.json()["error"]["details"].clone();
    let wrong =
        details.as_array().unwrap().iter().find(|detail| detail.get("fieldViolations").is_some()).cloned();
    let wrong = wrong.unwrap_or_else(|| panic!("no violation in {details}"))["fieldViolations"][0].clone();
    (wrong["field"].as_str().unwrap().to_owned(), wrong["description"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_request_becomes_a_call_and_its_answer_json() {
    let mut bridge = Running::start(|_| {}).await;
    let answer = bridge.get("/v1/shelves/s%201/books/b").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.json()["name"], "shelves/s 1/books/b");
    assert_eq!(answer.json()["copies"], "9007199254740993");
    let (method, message, _) = bridge.upstream.call().await;
    assert_eq!((method.as_str(), message), ("GetBook", json!({"name": "shelves/s 1/books/b"})));

    let answer = bridge.post("/v1/shelves/s/books?requestId=r", r#"{"tags": ["x"], "lent": true}"#).await;
    assert_eq!((answer.status, answer.json()["lent"].clone()), (StatusCode::OK, json!(true)));
    let (_, message, _) = bridge.upstream.call().await;
    assert_eq!(
        message,
        json!({"parent": "shelves/s", "requestId": "r", "book": {"tags": ["x"], "lent": true}})
    );
}

#[tokio::test]
async fn only_listed_headers_are_passed_on_and_the_deadline_goes_along() {
    let mut bridge = Running::start(|_| {}).await;
    let headers = [
        ("authorization", "Bearer t"),
        ("accept-language", "de"),
        ("x-request-id", "my-id"),
        ("x-request-timeout", "5"),
        ("cookie", "secret=1"),
        ("x-forwarded-for", "1.2.3.4"),
        ("grpc-status", "0"),
    ];
    let answer = bridge.send(request("GET", "/v1/books/b", &headers, "")).await;
    assert_eq!(answer.header("x-request-id"), "my-id");
    let (_, _, seen) = bridge.upstream.call().await;
    assert_eq!(seen["authorization"], "Bearer t");
    assert_eq!(seen["accept-language"], "de");
    assert_eq!(seen["x-request-id"], "my-id");
    for name in ["cookie", "x-forwarded-for", "grpc-status", "x-request-timeout"] {
        assert!(!seen.contains_key(name), "{name}");
    }
    let timeout = seen["grpc-timeout"].to_str().unwrap();
    let digits: u64 = timeout.trim_end_matches(|unit: char| unit.is_ascii_alphabetic()).parse().unwrap();
    let micros = match timeout.as_bytes().last() {
        Some(b'n') => digits / 1000,
        Some(b'u') => digits,
        Some(b'm') => digits * 1000,
        _ => digits * 1_000_000,
    };
    assert!(micros <= 5_000_000 && micros > 0, "{timeout}");
}

#[tokio::test]
async fn every_answer_has_an_id_and_a_faulty_one_of_a_client_is_replaced() {
    let bridge = Running::start(|_| {}).await;
    for (method, target) in [
        ("GET", "/v1/books/b"),
        ("GET", "/nothing"),
        ("GET", "/healthz"),
        ("DELETE", "/v1/books/b"),
        ("OPTIONS", "/v1/books"),
    ] {
        let long = "x".repeat(129);
        for faulty in ["a b", "", long.as_str()] {
            let answer = bridge.send(request(method, target, &[("x-request-id", faulty)], "")).await;
            let id = answer.header("x-request-id");
            assert!(
                id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "{method} {target}: {id:?}"
            );
        }
    }
}

#[tokio::test]
async fn an_error_of_a_service_keeps_its_code_message_and_details() {
    let bridge = Running::start(|_| {}).await;
    let answer = bridge.get("/v1/books/fails-quota").await;
    assert_eq!(error(&answer), is(429, "RESOURCE_EXHAUSTED", "LIMIT_EXCEEDED"));
    assert_eq!(answer.header("retry-after"), "2", "1.5 s, rounded up");
    let body = answer.json();
    assert_eq!(body["error"]["message"], "used up");
    let details = body["error"]["details"].as_array().unwrap();
    let of = |name: &str| {
        let url = format!("type.googleapis.com/google.rpc.{name}");
        details.iter().find(|detail| detail["@type"] == url.as_str()).cloned().unwrap_or_default()
    };
    assert_eq!(of("ErrorInfo")["metadata"], json!({"meter": "tokens"}));
    assert_eq!(of("RetryInfo")["retryDelay"], "1.500s");
    assert_eq!(of("QuotaFailure")["violations"], json!([{"subject": "user:1", "description": "10 a day"}]));

    let answer = bridge.get("/v1/books/fails-plainly").await;
    assert_eq!(error(&answer), is(404, "NOT_FOUND", ""));
    assert_eq!(answer.json()["error"]["message"], "no such book");
    assert_eq!(error(&bridge.get("/v1/books/fails-cancelled").await), is(499, "CANCELLED", ""));
}

#[tokio::test]
async fn a_detail_of_an_unknown_type_does_not_destroy_the_error() {
    let bridge = Running::start(|_| {}).await;
    let answer = bridge.get("/v1/books/fails-strangely").await;
    assert_eq!(error(&answer), is(400, "FAILED_PRECONDITION", ""));
    let strange = json!([{"@type": "type.example.com/some.Strange", "value": "AQI="}]);
    assert_eq!(answer.json()["error"]["details"], strange);
}

#[tokio::test]
async fn what_fails_inside_is_not_told() {
    let bridge = Running::start(|_| {}).await;
    let answer = bridge.get("/v1/books/fails-inside").await;
    assert_eq!(error(&answer), is(500, "INTERNAL", "INTERNAL"));
    assert!(!String::from_utf8_lossy(&answer.body).contains("hunter2"));
    let answer = bridge.get("/v1/books/breaks-the-contract").await;
    assert_eq!(error(&answer), is(500, "INTERNAL", "INTERNAL"));
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_unavailable_without_its_address() {
    let unused = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let channel = Channel::builder("library").endpoints([unused]).ready_wait(Duration::ZERO).build();
    let bridge =
        Bridge::new(Settings::default(), Backends::new().with("library.v1", channel), library()).unwrap();
    let request = http::Request::get("/v1/books/b").body(axum::body::Body::empty()).unwrap();
    let response = tower::ServiceExt::oneshot(bridge.router(), request).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
    let text = String::from_utf8_lossy(&body);
    assert!(text.contains("DEPENDENCY_UNAVAILABLE") && !text.contains("127.0.0.1"), "{text}");
}

#[tokio::test]
async fn faults_of_a_body_name_the_field_the_line_and_the_column() {
    let bridge = Running::start(|_| {}).await;
    let answer = bridge.post("/v1/books:sort", "{\"lent\": true,\n \"colour\": 1}").await;
    assert_eq!(error(&answer), is(400, "INVALID_ARGUMENT", "INVALID_FIELD"));
    assert_eq!(violation(&answer), ("colour".to_owned(), "is unknown (line 2, column 9)".to_owned()));
    let answer = bridge.post("/v1/books:sort", r#"{"lent": "#).await;
    assert_eq!(error(&answer), is(400, "INVALID_ARGUMENT", "INVALID_FIELD"));
    assert!(violation(&answer).1.contains("line 1, column 9"), "{:?}", violation(&answer));
    let answer = bridge.get("/v1/books?colour=red").await;
    assert_eq!(error(&answer), is(400, "INVALID_ARGUMENT", "INVALID_FIELD"));
    assert_eq!(violation(&answer).0, "colour");
    assert_eq!(violation(&bridge.get("/v1/books/%zz").await).0, "(path)");
}

#[tokio::test]
async fn bodies_of_another_type_or_too_large_are_refused() {
    let bridge = Running::start(|settings| settings.body_limit_bytes = 100).await;
    for headers in [
        &[("content-type", "text/plain")][..],
        &[("content-type", "application/x-www-form-urlencoded")],
        &[],
        &[("content-type", "application/json"), ("content-encoding", "gzip")],
    ] {
        let answer = bridge.send(request("POST", "/v1/books:sort", headers, "{}")).await;
        assert_eq!(error(&answer), is(415, "INVALID_ARGUMENT", "UNSUPPORTED_MEDIA_TYPE"), "{headers:?}");
    }
    let body = |length: usize| format!("{{\"name\": \"{}\"}}", "x".repeat(length - 12));
    assert_eq!(bridge.post("/v1/books:sort", &body(100)).await.status, StatusCode::OK);
    let answer = bridge.post("/v1/books:sort", &body(101)).await;
    assert_eq!(error(&answer), is(413, "INVALID_ARGUMENT", "TOO_LARGE"));
    let answer =
        bridge.send(request("GET", "/v1/books/b", &[("content-type", "application/json")], "{}")).await;
    assert_eq!(error(&answer), is(400, "INVALID_ARGUMENT", "INVALID_FIELD"));
    let answer = bridge.get(&format!("/v1/books/{}", "x".repeat(20_000))).await;
    assert_eq!(error(&answer), is(414, "INVALID_ARGUMENT", "TOO_LARGE"));
}

#[tokio::test]
async fn a_body_whose_length_is_not_announced_is_bounded_while_it_is_read() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let bridge = Running::start(|settings| settings.body_limit_bytes = 100).await;
    let mut stream = tokio::net::TcpStream::connect(bridge.address).await.unwrap();
    let head = "POST /v1/books:sort HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                transfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    // The body never ends: the answer can only come from the limit.
    stream.write_all(format!("c8\r\n{}\r\n", " ".repeat(200)).as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 413");
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told_apart() {
    let bridge = Running::start(|_| {}).await;
    assert_eq!(error(&bridge.get("/v1/nothing").await), is(404, "NOT_FOUND", "NOT_FOUND"));
    assert_eq!(error(&bridge.post("/v1/books:reindex", "{}").await).0, 404, "only for services");
    let answer = bridge.send(request("DELETE", "/v1/books/b/tags", &[], "")).await;
    assert_eq!(error(&answer), is(405, "UNIMPLEMENTED", "METHOD_NOT_ALLOWED"));
    assert_eq!(answer.header("allow"), "OPTIONS, PUT");
    let answer = bridge.post("/healthz", "{}").await;
    assert_eq!(error(&answer).0, 405);
    assert_eq!(answer.header("allow"), "GET, HEAD, OPTIONS");
    let answer = bridge.send(request("OPTIONS", "/v1/books/b", &[], "")).await;
    assert_eq!((answer.status.as_u16(), answer.header("allow")), (204, "GET, HEAD, OPTIONS, PATCH"));
    assert_eq!(bridge.send(request("OPTIONS", "/docs", &[], "")).await.header("allow"), "GET, HEAD, OPTIONS");
    assert_eq!(bridge.send(request("OPTIONS", "/v1/nothing", &[], "")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn head_is_get_without_its_body() {
    let bridge = Running::start(|_| {}).await;
    for target in ["/v1/books/b", "/v1/nothing", "/openapi.json", "/healthz"] {
        let get = bridge.get(target).await;
        let head = bridge.send(request("HEAD", target, &[], "")).await;
        assert_eq!(head.status, get.status, "{target}");
        assert!(head.body.is_empty() && !get.body.is_empty());
        for name in ["content-type", "content-length"] {
            assert_eq!(head.header(name), get.header(name), "{target} {name}");
        }
    }
}

#[tokio::test]
async fn a_call_that_takes_too_long_ends_at_the_deadline_and_is_cancelled() {
    let mut bridge = Running::start(|_| {}).await;
    let answer = bridge.send(request("GET", "/v1/books/waits", &[("x-request-timeout", "0.05")], "")).await;
    assert_eq!(error(&answer), is(504, "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"));
    bridge.upstream.cancelled("waits").await;
    let answer = bridge.send(request("GET", "/v1/books/b", &[("x-request-timeout", "soon")], "")).await;
    assert_eq!(violation(&answer).0, "x-request-timeout");
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_its_call() {
    use tokio::io::AsyncWriteExt as _;
    let mut bridge = Running::start(|_| {}).await;
    let mut stream = tokio::net::TcpStream::connect(bridge.address).await.unwrap();
    stream.write_all(b"GET /v1/books/waits HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    bridge.upstream.call().await;
    drop(stream);
    bridge.upstream.cancelled("waits").await;
}

#[tokio::test]
async fn more_requests_than_may_run_are_refused_with_a_time_to_come_back() {
    let mut bridge = Running::start(|settings| settings.requests_max = 1).await;
    let mut first = tokio::net::TcpStream::connect(bridge.address).await.unwrap();
    let get = b"GET /v1/books/waits HTTP/1.1\r\nhost: x\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut first, get).await.unwrap();
    bridge.upstream.call().await;
    let answer = bridge.get("/v1/books/b").await;
    assert_eq!(error(&answer), is(429, "RESOURCE_EXHAUSTED", "OVERLOADED"));
    assert_eq!(answer.header("retry-after"), "1");
    drop(first);
    bridge.upstream.cancelled("waits").await;
    while bridge.get("/v1/books/b").await.status != StatusCode::OK {}
}

#[tokio::test]
async fn other_origins_may_call_only_when_a_setting_names_them() {
    let preflight = [
        ("origin", "https://app.example.com"),
        ("access-control-request-method", "PATCH"),
        ("access-control-request-headers", "authorization,content-type"),
    ];
    let closed = Running::start(|_| {}).await;
    let answer = closed.send(request("OPTIONS", "/v1/books/b", &preflight, "")).await;
    assert_eq!(answer.header("access-control-allow-origin"), "");

    let open = Running::start(|settings| {
        settings.cors_allowed_origins = vec!["https://app.example.com".to_owned()];
    })
    .await;
    let answer = open.send(request("OPTIONS", "/v1/books/b", &preflight, "")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("access-control-allow-origin"), "https://app.example.com");
    assert!(answer.header("access-control-allow-methods").contains("PATCH"));
    assert!(answer.header("access-control-allow-headers").contains("authorization"));
    assert_eq!(answer.header("access-control-max-age"), "7200");
    assert_eq!(answer.header("access-control-allow-credentials"), "");
    let answer = open.send(request("GET", "/v1/books/fails-quota", &preflight[..1], "")).await;
    assert_eq!(answer.header("access-control-allow-origin"), "https://app.example.com", "on errors too");
    assert!(answer.header("access-control-expose-headers").contains("traceresponse"));
    let evil = [("origin", "https://evil.example.com")];
    let answer = open.send(request("GET", "/v1/books/b", &evil, "")).await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
    let plain = open.send(request("OPTIONS", "/v1/books/b", &evil, "")).await;
    assert_eq!(plain.header("allow"), "GET, HEAD, OPTIONS, PATCH");
}

#[tokio::test]
async fn a_bridge_that_makes_no_sense_does_not_start() {
    let channel = || Channel::builder("library").build();
    let start =
        |settings, name: &str| Bridge::new(settings, Backends::new().with(name, channel()), library());
    let error = start(Settings::default(), "library.v2").err();
    assert_eq!(error, Some(StartError::UnknownBackend("library.v2".to_owned())));
    let wrong = Settings { requests_max: 0, ..Settings::default() };
    assert!(matches!(start(wrong, "library.v1").err(), Some(StartError::Setting(_))));
    let one = start(Settings::default(), "library.v1.LibraryService").unwrap();
    assert_eq!(one.operations().count(), 9);
    assert_eq!(Bridge::new(Settings::default(), Backends::new(), library()).unwrap().operations().count(), 0);
}
