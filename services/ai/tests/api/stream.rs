//! Conversations whose answer arrives while it is being made.

use std::time::Duration;

use plexus_ai::Settings;
use plexus_proto::ai::v1::{
    ChatEvent, ChatRequest, chat_event::Event, chat_service_client::ChatServiceClient,
};
use plexus_testkit::Harness;
use tokio::time::timeout;
use tonic::{Code, Status, Streaming};

use crate::{
    PLENTY, alice, ask,
    double::{Double, Report, Step, answer, stop, text, usage},
    fake_quota::{Asked, FakeQuota},
    metadata, reason, start, with_providers,
};

/// An event that does not come within this time never comes.
const PATIENCE: Duration = Duration::from_secs(30);

async fn open(mesh: &Harness, request: ChatRequest) -> Streaming<ChatEvent> {
    ChatServiceClient::new(alice(mesh)).stream_chat(request).await.unwrap().into_inner()
}

/// All events, with the error that ends them if there is one.
async fn read(mut stream: Streaming<ChatEvent>) -> (Vec<Event>, Option<Status>) {
    let mut events = Vec::new();
    loop {
        match timeout(PATIENCE, stream.message()).await.unwrap() {
            Ok(Some(event)) => events.push(event.event.unwrap()),
            Ok(None) => return (events, None),
            Err(status) => return (events, Some(status)),
        }
    }
}

fn kinds(events: &[Event]) -> Vec<&'static str> {
    let kind = |event: &Event| match event {
        Event::ProviderChosen(_) => "chosen",
        Event::TextDelta(_) => "text",
        Event::ReasoningDelta(_) => "reasoning",
        Event::Usage(_) => "usage",
        Event::Finish(_) => "finish",
    };
    events.iter().map(kind).collect()
}

fn whole_text(events: &[Event]) -> String {
    let part = |event: &Event| match event {
        Event::TextDelta(delta) => Some(delta.text.clone()),
        _ => None,
    };
    events.iter().filter_map(part).collect()
}

#[tokio::test]
async fn the_events_come_in_order_and_what_is_no_chunk_is_dropped() {
    let quota = FakeQuota::granting(PLENTY);
    let reasoning = r#"{"choices":[{"delta":{"reasoning_content":"Hm."}}]}"#;
    let double = Double::start(vec![vec![
        Step::Head,
        Step::Raw(": keep-alive\n\n"),
        Step::Event(reasoning.to_owned()),
        text("Good "),
        Step::Event("{\"choices\":[{\"delta\":".to_owned()),
        Step::Raw("event: ping\ndata: pong\n\n"),
        text("evening"),
        Step::Raw(": keep-alive\n\n"),
        stop(),
        usage(11, 4),
        Step::Event("[DONE]".to_owned()),
        Step::End,
    ]])
    .await;
    let mesh = start(with_providers(&[&double]), &quota).await;
    let (events, error) = read(open(&mesh, ask("Hello")).await).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(kinds(&events), ["chosen", "reasoning", "text", "text", "usage", "finish"]);
    assert_eq!(whole_text(&events), "Good evening");
    assert!(matches!(quota.next().await, Asked::Reserve(_)));
    assert_eq!(quota.next().await, Asked::Commit(15));
}

#[tokio::test]
async fn the_embedded_model_streams_too() {
    let quota = FakeQuota::granting(PLENTY);
    let mesh = start(Settings::default(), &quota).await;
    let (events, error) = read(open(&mesh, ask("谢谢")).await).await;
    assert!(error.is_none());
    let kinds = kinds(&events);
    assert_eq!(kinds.first(), Some(&"chosen"));
    assert_eq!(kinds[kinds.len() - 2..], ["usage", "finish"]);
    assert!(kinds.iter().filter(|kind| **kind == "text").count() > 5);
    assert!(whole_text(&events).starts_with("不客气。"));
}

#[tokio::test]
async fn an_answer_that_breaks_off_ends_in_an_error_and_is_continued_by_nobody() {
    for (cause, end) in [("connection", Step::Cut), ("truncated", Step::End), ("timeout", Step::UntilClosed)]
    {
        let quota = FakeQuota::granting(PLENTY);
        let first = Double::start(vec![vec![Step::Head, text("Good "), text("eve"), end]]).await;
        let second = Double::start(vec![answer(&["whole"], 9, 1)]).await;
        let mut settings = with_providers(&[&first, &second]);
        settings.idle_timeout_ms = 300;
        let mesh = start(settings, &quota).await;
        let (events, error) = read(open(&mesh, ask("Hello")).await).await;
        assert_eq!(
            (kinds(&events), whole_text(&events)),
            (vec!["chosen", "text", "text"], "Good eve".to_owned())
        );
        let status = error.unwrap();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::DataLoss, "ANSWER_TRUNCATED"));
        assert_eq!((metadata(&status, "provider"), metadata(&status, "cause")), ("p0".into(), cause.into()));
        assert!(second.seen().is_empty());
        // "Hello" is 2 tokens and 4 for the frame, "Good eve" is 2: what arrived is charged, the rest is not.
        assert_eq!(quota.next().await, Asked::Reserve(6 + 512));
        assert_eq!(quota.next().await, Asked::Commit(8));
        assert_eq!(quota.pending().await, None);
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error_in_one_piece_too() {
    let quota = FakeQuota::granting(PLENTY);
    let double = Double::start(vec![vec![Step::Head, text("Good "), Step::Cut]]).await;
    let mesh = start(with_providers(&[&double]), &quota).await;
    let status = ChatServiceClient::new(alice(&mesh)).chat(ask("Hello")).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::DataLoss, "ANSWER_TRUNCATED"));
}

#[tokio::test]
async fn a_caller_who_goes_away_stops_the_provider_and_is_charged_for_what_came() {
    let quota = FakeQuota::granting(PLENTY);
    let mut double = Double::start(vec![vec![Step::Head, text("Good "), Step::UntilClosed]]).await;
    let mesh = start(with_providers(&[&double]), &quota).await;
    let mut stream = open(&mesh, ask("Hello")).await;
    for kind in ["chosen", "text"] {
        let event = stream.message().await.unwrap().unwrap().event.unwrap();
        assert_eq!(kinds(&[event]), [kind]);
    }
    drop(stream);
    assert_eq!(double.report().await, Report::Closed);
    assert_eq!(quota.next().await, Asked::Reserve(6 + 512));
    assert_eq!(quota.next().await, Asked::Commit(6 + 1));
}

#[tokio::test]
async fn a_caller_who_goes_away_before_the_first_token_is_charged_nothing() {
    let quota = FakeQuota::granting(PLENTY);
    let mut double = Double::start(vec![vec![Step::Head, Step::UntilClosed]]).await;
    let mesh = start(with_providers(&[&double]), &quota).await;
    let mut client = ChatServiceClient::new(alice(&mesh));
    let call = tokio::spawn(async move { client.stream_chat(ask("Hello")).await.map(drop) });
    double.asked().await;
    call.abort();
    assert_eq!(double.report().await, Report::Closed);
    assert_eq!(quota.next().await, Asked::Reserve(6 + 512));
    assert_eq!(quota.next().await, Asked::Release);
}

#[tokio::test]
async fn a_slow_caller_slows_the_provider_down() {
    let quota = FakeQuota::granting(PLENTY);
    let mut double = Double::start(vec![vec![Step::Head, Step::Flood]]).await;
    let mesh = start(with_providers(&[&double]), &quota).await;
    let mut stream = open(&mesh, ask("Hello")).await;
    assert!(stream.message().await.unwrap().is_some());
    // The caller reads no further; the provider's writes come to a stop while the connection stands.
    assert_eq!(double.report().await, Report::Stalled);
}

#[tokio::test]
async fn a_reservation_that_is_outgrown_is_extended_while_the_answer_streams() {
    let quota = FakeQuota::granting(PLENTY);
    // Each part is one word of 40 letters: 10 tokens.
    let word = format!("{} ", "a".repeat(40));
    let double = Double::start(vec![answer(&[word.as_str(); 5], 6, 50)]).await;
    let settings = Settings { reserve_output_tokens: 20, ..with_providers(&[&double]) };
    let mesh = start(settings, &quota).await;
    let (events, error) = read(open(&mesh, ask("Hello")).await).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(kinds(&events).len(), 5 + 3);
    assert_eq!(quota.next().await, Asked::Reserve(6 + 20));
    assert_eq!(quota.next().await, Asked::Extend(20));
    assert_eq!(quota.next().await, Asked::Extend(20));
    assert_eq!(quota.next().await, Asked::Commit(56));
    assert_eq!(quota.pending().await, None);
}

#[tokio::test]
async fn an_extension_that_is_refused_ends_the_answer_with_the_refusal_and_stops_the_provider() {
    let quota = FakeQuota::granting(30);
    let word = format!("{} ", "a".repeat(40));
    let script = vec![Step::Head, text(&word), text(&word), text(&word), Step::UntilClosed];
    let mut double = Double::start(vec![script]).await;
    let settings = Settings { reserve_output_tokens: 20, ..with_providers(&[&double]) };
    let mesh = start(settings, &quota).await;
    let (events, error) = read(open(&mesh, ask("Hello")).await).await;
    assert_eq!(kinds(&events), ["chosen", "text", "text"]);
    let status = error.unwrap();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "LIMIT_EXCEEDED"));
    assert_eq!(double.report().await, Report::Closed);
    assert_eq!(quota.next().await, Asked::Reserve(6 + 20));
    assert_eq!(quota.next().await, Asked::Extend(20));
    assert_eq!(quota.next().await, Asked::Commit(6 + 20));
}
