//! Requests that are repeated with the same id.

use std::time::Duration;

use plexus_ai::Ai;
use plexus_proto::ai::v1::{
    AnalyzeSentimentRequest, ChatRequest, chat_event::Event, chat_service_client::ChatServiceClient,
    language_service_client::LanguageServiceClient,
};
use plexus_runtime::clock::Clock;
use plexus_testkit::Harness;
use tokio::time::timeout;
use tonic::Code;

use crate::{
    PLENTY, alice, ask,
    double::{Double, Step, answer, text},
    fake_quota::{Asked, FakeQuota},
    reason, start, with_providers,
};

/// What has not been forgotten after this time never is.
const PATIENCE: Duration = Duration::from_secs(30);

fn once(request_id: &str, content: &str) -> ChatRequest {
    ChatRequest { request_id: request_id.to_owned(), ..ask(content) }
}

#[tokio::test]
async fn a_whole_answer_is_given_again_and_charged_once() {
    let quota = FakeQuota::granting(PLENTY);
    let double = Double::start(vec![answer(&["only ", "once"], 9, 2)]).await;
    let mesh = start(with_providers(&[&double]), &quota).await;
    let mut client = ChatServiceClient::new(alice(&mesh));
    let first = client.chat(once("r1", "Hello")).await.unwrap().into_inner();
    let second = client.chat(once("r1", "Hello")).await.unwrap().into_inner();
    assert_eq!(first, second);
    assert_eq!(double.seen().len(), 1);
    assert!(matches!(quota.next().await, Asked::Reserve(_)));
    assert_eq!(quota.next().await, Asked::Commit(11));
    assert_eq!(quota.pending().await, None);

    let other = client.chat(once("r1", "Bye")).await.unwrap_err();
    assert_eq!((other.code(), reason(&other).as_str()), (Code::AlreadyExists, "REQUEST_ID_REUSED"));
}

#[tokio::test]
async fn a_stream_that_was_whole_is_given_again_and_one_that_was_not_is_made_anew() {
    let quota = FakeQuota::granting(PLENTY);
    let cut = vec![Step::Head, text("only "), Step::Cut];
    let double = Double::start(vec![cut, answer(&["only ", "once"], 9, 2)]).await;
    let mesh = start(with_providers(&[&double]), &quota).await;
    let mut client = ChatServiceClient::new(alice(&mesh));
    let mut texts = Vec::new();
    for _ in 0..3 {
        let mut stream = client.stream_chat(once("r1", "Hello")).await.unwrap().into_inner();
        let (mut whole, mut finished) = (String::new(), false);
        while let Ok(Some(event)) = stream.message().await {
            match event.event {
                Some(Event::TextDelta(delta)) => whole.push_str(&delta.text),
                Some(Event::Finish(_)) => finished = true,
                _ => {}
            }
        }
        texts.push((whole, finished));
    }
    let whole = || ("only once".to_owned(), true);
    assert_eq!(texts, [("only ".to_owned(), false), whole(), whole()]);
    assert_eq!(double.seen().len(), 2);
}

#[tokio::test]
async fn without_an_id_nothing_is_kept_and_each_call_is_charged() {
    let quota = FakeQuota::granting(PLENTY);
    let double = Double::start(vec![answer(&["one"], 9, 1), answer(&["two"], 9, 1)]).await;
    let mesh = start(with_providers(&[&double]), &quota).await;
    let mut client = ChatServiceClient::new(alice(&mesh));
    for expected in ["one", "two"] {
        let answer = client.chat(ask("Hello")).await.unwrap().into_inner();
        assert_eq!(answer.message.unwrap().content, expected);
    }
    assert_eq!(kept(&mesh).await, 0);
}

#[tokio::test]
async fn an_answer_is_forgotten_when_the_service_starts_after_its_time() {
    let quota = FakeQuota::granting(PLENTY);
    let clock = Clock::manual(1_800_000_000_000_000);
    let harness = || Harness::of::<Ai>().clock(clock.clone()).peer("quota", quota.routes());
    let request = AnalyzeSentimentRequest { request_id: "r1".to_owned(), text: "good".to_owned() };
    let mesh = harness().start().await.unwrap();
    LanguageServiceClient::new(alice(&mesh)).analyze_sentiment(request.clone()).await.unwrap();
    assert_eq!((quota.next().await, quota.next().await), (Asked::Reserve(1), Asked::Commit(1)));
    let folder = mesh.stop().await.unwrap();

    clock.advance(Duration::from_secs(23 * 3600));
    let mesh = harness().start_in(folder).await.unwrap();
    LanguageServiceClient::new(alice(&mesh)).analyze_sentiment(request.clone()).await.unwrap();
    assert_eq!(quota.pending().await, None);
    let folder = mesh.stop().await.unwrap();

    clock.advance(Duration::from_secs(2 * 3600));
    let mesh = harness().start_in(folder).await.unwrap();
    let forgotten = async { while kept(&mesh).await > 0 {} };
    timeout(PATIENCE, forgotten).await.unwrap();
    LanguageServiceClient::new(alice(&mesh)).analyze_sentiment(request).await.unwrap();
    assert_eq!((quota.next().await, quota.next().await), (Asked::Reserve(1), Asked::Commit(1)));
}

/// How many answers are kept.
async fn kept(mesh: &Harness) -> i64 {
    sqlx::query_scalar("select count(*) from requests").fetch_one(mesh.database().reads()).await.unwrap()
}
