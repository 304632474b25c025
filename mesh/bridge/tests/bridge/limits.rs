//! What clients may not do to others: heads and bodies that are too large, too slow, too deep, or never come.

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::client::{Answer, Running, request};

/// Sends `bytes` on a connection of its own, which stays open.
async fn sent(bridge: &Running, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(bridge.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

/// Waits for the server to close the connection.
async fn closed(mut stream: TcpStream) {
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await.is_ok_and(|length| length > 0) {}
}

/// Reads up to where `end` is.
async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.contains(end) {
        let mut more = [0; 1024];
        let length = stream.read(&mut more).await.unwrap();
        assert!(length > 0, "closed after {text:?}");
        text.push_str(std::str::from_utf8(&more[..length]).unwrap());
    }
    text
}

/// The detail of the error whose type ends with `name`.
fn detail(answer: &Answer, name: &str) -> Value {
    let json = answer.json();
    let details = json["error"]["details"].as_array().unwrap();
    details.iter().find(|one| one["@type"].as_str().unwrap().ends_with(name)).unwrap().clone()
}

#[tokio::test]
async fn headers_that_a_service_would_not_take_are_refused_and_other_calls_go_on() {
    let mut bridge = Running::start(|_| {}).await;
    let mut waiting = sent(&bridge, b"GET /v1/books/released:read HTTP/1.1\r\nhost: x\r\n\r\n").await;
    bridge.upstream.call().await;
    for name in ["accept-language", "authorization", "tracestate", "baggage"] {
        let long = "x".repeat(30_000);
        let answer = bridge.send(request("GET", "/v1/books/big", &[(name, &long)], "")).await;
        assert_eq!(answer.status, 431, "{name}");
        let info = detail(&answer, "ErrorInfo");
        assert_eq!(
            (&info["reason"], &info["metadata"]["limit_bytes"]),
            (&json!("TOO_LARGE"), &json!("24576"))
        );
    }
    // The client may notice the end of the connection before it has sent everything.
    let mut larger = TcpStream::connect(bridge.address).await.unwrap();
    let head = format!("GET /v1/books/big HTTP/1.1\r\naccept-language: {}\r\n\r\n", "x".repeat(150_000));
    drop(larger.write_all(head.as_bytes()).await);
    assert!(until(&mut larger, "\r\n").await.starts_with("HTTP/1.1 431 "));

    let fitting = "x".repeat(24_000);
    let answer = bridge.send(request("GET", "/v1/books/next", &[("accept-language", &fitting)], "")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(bridge.upstream.call().await.1["name"], "next", "nothing else reached the service");
    bridge.upstream.release.send(json!({"pageCount": 7})).unwrap();
    until(&mut waiting, "\"pageCount\":7").await;
}

#[tokio::test]
async fn connections_that_make_no_request_are_closed_and_one_with_a_running_stream_is_not() {
    let mut bridge = Running::start(|settings| settings.head_timeout_ms = 50).await;
    let mut running = sent(&bridge, b"GET /v1/books/released:read HTTP/1.1\r\nhost: x\r\n\r\n").await;
    bridge.upstream.call().await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".as_slice();
    for start in [b"".as_slice(), b"P", b"PRI * HTTP", b"PRI * HTTP/2.0", preface, b"GET / HTTP/1.1\r\n"] {
        closed(sent(&bridge, start).await).await;
    }
    bridge.upstream.release.send(json!({"pageCount": 7})).unwrap();
    until(&mut running, "\"pageCount\":7").await;
}

/// A head whose body the server asks for, so that a test knows when it is being read.
fn slow(target: &str) -> String {
    format!(
        "POST {target} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\
         expect: 100-continue\r\n\r\n"
    )
}

#[tokio::test]
async fn a_body_that_never_ends_takes_no_place_from_others() {
    let bridge = Running::start(|settings| settings.requests_max = 1).await;
    let mut unfinished = sent(&bridge, slow("/v1/books:sort").as_bytes()).await;
    assert!(until(&mut unfinished, "\r\n\r\n").await.starts_with("HTTP/1.1 100 "));
    unfinished.write_all(b"{").await.unwrap();
    assert_eq!(bridge.get("/v1/books/b").await.status, 200);
    unfinished.write_all(b"       }").await.unwrap();
    assert!(until(&mut unfinished, "\r\n").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_body_that_does_not_arrive_in_time_is_refused() {
    let bridge = Running::start(|settings| settings.body_timeout_ms = 20).await;
    let mut unfinished = sent(&bridge, slow("/v1/books:sort").as_bytes()).await;
    assert!(until(&mut unfinished, "\r\n\r\n").await.starts_with("HTTP/1.1 100 "));
    let answer = until(&mut unfinished, "}]}}").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("the body did not arrive within 20 ms"), "{answer}");
    closed(unfinished).await;
}

#[tokio::test]
async fn a_body_is_nested_as_deep_as_services_decode_and_no_deeper() {
    let bridge = Running::start(|_| {}).await;
    let arrays = |levels: usize| format!("{{\"anything\": {}1{}}}", "[".repeat(levels), "]".repeat(levels));
    let objects =
        |levels: usize| format!("{{\"extra\": {}1{}}}", "{\"a\":".repeat(levels), "}".repeat(levels));
    for (body, fits) in [
        // The value, and two messages for each array.
        (arrays(44), true),
        (arrays(45), false),
        (arrays(49), false),
        // Three messages for each object.
        (objects(30), true),
        (objects(31), false),
        (objects(33), false),
        (objects(49), false),
    ] {
        let answer = bridge.post("/v1/books:sort", &body).await;
        assert_eq!(answer.status, if fits { 200 } else { 400 }, "{body}");
        if !fits {
            let violation = &detail(&answer, "BadRequest")["fieldViolations"][0];
            let field = if body.contains("anything") { "anything" } else { "extra" };
            assert_eq!(violation["field"], field);
            let description = violation["description"].as_str().unwrap();
            // Far beyond the border the reader of the JSON text stops first.
            let told = ["is nested deeper than 90 messages", "recursion limit reached"];
            assert!(told.iter().any(|text| description.contains(text)), "{description}");
        }
    }
    let deep = bridge.get(&format!("/v1/books?filter{}.binding=1", ".inner".repeat(500))).await;
    assert_eq!(deep.status, 400, "the query nests as well");
}
