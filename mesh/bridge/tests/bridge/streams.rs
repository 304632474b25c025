//! Streams as server-sent events: events, ends, errors, silence, back-pressure, cancellation, draining.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::{
    client::{Running, request},
    upstream::Seen,
};

/// The events of a stream as they come.
struct Events {
    body: Incoming,
    text: String,
}

/// One event; a comment has only data.
#[derive(Debug, PartialEq)]
struct Event {
    name: String,
    id: String,
    data: String,
}

impl Events {
    async fn open(bridge: &Running, target: &str) -> Self {
        let response = bridge.open(request("GET", target, &[], "")).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Self { body: response.into_body(), text: String::new() }
    }

    async fn next(&mut self) -> Option<Event> {
        while !self.text.contains("\n\n") {
            let frame = self.body.frame().await?.unwrap();
            self.text.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
        }
        let (event, rest) = self.text.split_once("\n\n").unwrap();
        let field = |name: &str| {
            let line = event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            line.unwrap_or_default().to_owned()
        };
        let parsed = Event { name: field("event"), id: field("id"), data: field("data") };
        let parsed = if event.starts_with(':') { Event { data: event.to_owned(), ..parsed } } else { parsed };
        self.text = rest.to_owned();
        Some(parsed)
    }

    async fn message(&mut self) -> (String, Value) {
        let event = self.next().await.expect("an event");
        assert_eq!(event.name, "", "{event:?}");
        (event.id, serde_json::from_str(&event.data).unwrap())
    }

    async fn end(mut self, name: &str) -> Value {
        let event = self.next().await.expect("an event");
        assert_eq!(event.name, name, "{event:?}");
        assert_eq!(self.next().await, None, "nothing follows");
        serde_json::from_str(&event.data).unwrap()
    }
}

#[tokio::test]
async fn each_message_is_an_event_with_a_number_and_the_end_is_told() {
    let bridge = Running::start(|_| {}).await;
    let mut events = Events::open(&bridge, "/v1/books/three:read").await;
    for number in 1..=3 {
        let (id, book) = events.message().await;
        assert_eq!((id, book["pageCount"].clone()), (number.to_string(), json!(number)));
        assert_eq!(book["lent"], false, "defaults are shown as in every answer");
    }
    assert_eq!(events.end("end").await, json!({}));
}

#[tokio::test]
async fn a_message_arrives_before_the_next_one_is_made() {
    let bridge = Running::start(|_| {}).await;
    let mut events = Events::open(&bridge, "/v1/books/released:read").await;
    for number in 1..=3 {
        bridge.upstream.release.send(json!({"pageCount": number})).unwrap();
        assert_eq!(events.message().await.1["pageCount"], number);
    }
}

#[tokio::test]
async fn an_error_before_the_first_message_is_an_answer_with_its_code() {
    let bridge = Running::start(|_| {}).await;
    let answer = bridge.get("/v1/books/fails-quota:read").await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, "2"));
}

#[tokio::test]
async fn an_error_in_the_middle_is_an_event_with_the_same_json() {
    let bridge = Running::start(|_| {}).await;
    let mut events = Events::open(&bridge, "/v1/books/breaks:read").await;
    events.message().await;
    let error = events.end("error").await;
    let answer = bridge.get("/v1/books/fails-quota").await;
    assert_eq!(error, answer.json());
    assert_eq!(error["error"]["code"], 429);
}

#[tokio::test]
async fn a_silent_stream_carries_comments() {
    let bridge = Running::start(|settings| settings.keep_alive_ms = 5).await;
    let mut events = Events::open(&bridge, "/v1/books/silent:read").await;
    for _ in 0..3 {
        assert_eq!(events.next().await.unwrap().data, ": keep-alive");
    }
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_the_stream() {
    let mut bridge = Running::start(|_| {}).await;
    let mut events = Events::open(&bridge, "/v1/books/endless:read").await;
    events.message().await;
    drop(events);
    bridge.upstream.cancelled("endless").await;
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_the_service_and_reading_lets_it_go_on() {
    let mut bridge = Running::start(|_| {}).await;
    let mut events = Events::open(&bridge, "/v1/books/endless:read").await;
    // The socket's and the windows' room is used up at some time; then the service is asked for nothing more.
    let mut taken = 0;
    while let Ok(seen) = tokio::time::timeout(Duration::from_millis(300), bridge.upstream.seen.recv()).await {
        if let Some(Seen::Taken(number)) = seen {
            taken = number;
        }
        assert!(taken < 10_000, "100 MB are on their way to a client that does not read");
    }
    assert!(taken > 0);
    loop {
        events.message().await;
        match bridge.upstream.seen.try_recv() {
            Ok(Seen::Taken(number)) if number > taken => break,
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_stream_ends_at_its_deadline() {
    let bridge = Running::start(|settings| settings.stream_deadline_ms = 50).await;
    let error = Events::open(&bridge, "/v1/books/silent:read").await.end("error").await;
    assert_eq!(error["error"]["status"], "DEADLINE_EXCEEDED");
}

#[tokio::test]
async fn more_streams_than_may_be_open_are_refused_until_one_ends() {
    let mut bridge = Running::start(|settings| settings.streams_max = 1).await;
    let first = Events::open(&bridge, "/v1/books/silent:read").await;
    let answer = bridge.get("/v1/books/three:read").await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, "1"));
    assert_eq!(bridge.get("/v1/books/b").await.status, 200, "requests have places of their own");
    drop(first);
    bridge.upstream.cancelled("silent").await;
    while bridge.get("/v1/books/three:read").await.status != 200 {}
}

#[tokio::test]
async fn a_stop_lets_what_runs_end() {
    let mut bridge = Running::start(|_| {}).await;
    let mut events = Events::open(&bridge, "/v1/books/released:read").await;
    bridge.upstream.release.send(json!({"pageCount": 1})).unwrap();
    events.message().await;
    bridge.stop.take().unwrap().send(()).unwrap();
    while tokio::net::TcpStream::connect(bridge.address).await.is_ok() {}
    bridge.upstream.release.send(json!({"pageCount": 2})).unwrap();
    assert_eq!(events.message().await.1["pageCount"], 2);
    drop(std::mem::replace(&mut bridge.upstream.release, tokio::sync::mpsc::unbounded_channel().0));
    events.end("end").await;
    bridge.served.await.unwrap();
}

#[tokio::test]
async fn a_stream_that_outlasts_the_drain_is_told_that_the_bridge_goes() {
    let mut bridge = Running::start(|settings| settings.drain_ms = 50).await;
    let events = Events::open(&bridge, "/v1/books/silent:read").await;
    bridge.stop.take().unwrap().send(()).unwrap();
    let error = events.end("error").await;
    assert_eq!(error["error"]["status"], "UNAVAILABLE");
    assert!(error.to_string().contains("DRAINING"), "{error}");
    bridge.served.await.unwrap();
}
