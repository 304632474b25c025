//! Providers that fail before their first token.

use plexus_proto::ai::v1::chat_service_client::ChatServiceClient;
use tonic::Code;

use crate::{
    PLENTY, alice, ask,
    double::{Double, Report, Step, answer, stop, text},
    fake_quota::{Asked, FakeQuota},
    metadata, reason, start, with_providers, with_urls,
};

fn refusal(status: u16, code: &str) -> Vec<Step> {
    vec![Step::Answer(status, "", format!(r#"{{"error":{{"code":"{code}","message":"no"}}}}"#))]
}

#[tokio::test]
async fn whatever_happens_before_the_first_token_the_next_provider_answers_and_is_charged_once() {
    for (cause, script) in [
        ("overloaded", refusal(503, "")),
        ("server_error", refusal(500, "")),
        ("rate_limited", refusal(429, "rate_limit_exceeded")),
        ("account", refusal(429, "insufficient_quota")),
        ("account", refusal(401, "invalid_api_key")),
        ("model_missing", refusal(404, "model_not_found")),
        ("context_length", refusal(400, "context_length_exceeded")),
        ("connection", vec![Step::Cut]),
        ("connection", vec![Step::Head, Step::Cut]),
        ("truncated", vec![Step::Head, Step::Raw(": keep-alive\n\n"), Step::End]),
        ("protocol", vec![Step::Head, stop(), Step::Event("[DONE]".to_owned()), Step::End]),
        ("overloaded", vec![Step::Head, Step::Event(r#"{"error":{"code":"1305"}}"#.to_owned()), Step::End]),
    ] {
        let quota = FakeQuota::granting(PLENTY);
        let first = Double::start(vec![script.clone()]).await;
        let second = Double::start(vec![answer(&["whole"], 9, 1)]).await;
        let mesh = start(with_providers(&[&first, &second]), &quota).await;
        let answer = ChatServiceClient::new(alice(&mesh)).chat(ask("Hello")).await.unwrap().into_inner();
        assert_eq!(answer.message.unwrap().content, "whole", "{script:?}");
        let chosen = answer.provider_chosen.unwrap();
        assert_eq!(chosen.provider, "p1");
        assert_eq!(chosen.failed_attempts.len(), 1);
        assert_eq!(
            (chosen.failed_attempts[0].provider.as_str(), chosen.failed_attempts[0].cause.as_str()),
            ("p0", cause)
        );
        assert!(matches!(quota.next().await, Asked::Reserve(_)));
        assert_eq!(quota.next().await, Asked::Commit(10));
        assert_eq!(quota.pending().await, None);
    }
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_or_stays_silent_is_left_for_the_next() {
    let quota = FakeQuota::granting(PLENTY);
    // Nobody listens on port 1.
    let mut silent =
        Double::start(vec![vec![Step::Head, Step::Raw(": keep-alive\n\n"), Step::UntilClosed]]).await;
    let last = Double::start(vec![answer(&["whole"], 9, 1)]).await;
    let mut settings = with_urls(&["http://127.0.0.1:1/v1", &silent.base_url, &last.base_url]);
    settings.first_token_timeout_ms = 200;
    let mesh = start(settings, &quota).await;
    let answer = ChatServiceClient::new(alice(&mesh)).chat(ask("Hello")).await.unwrap().into_inner();
    let chosen = answer.provider_chosen.unwrap();
    let causes: Vec<&str> = chosen.failed_attempts.iter().map(|attempt| attempt.cause.as_str()).collect();
    assert_eq!((chosen.provider.as_str(), causes), ("p2", vec!["connection", "timeout"]));
    assert_eq!(silent.report().await, Report::Closed);
}

#[tokio::test]
async fn what_the_caller_asks_wrongly_is_told_and_asked_nowhere_else() {
    for (code, cause) in [("content_filter", "CONTENT_REFUSED"), ("bad_parameter", "PROVIDER_FAILED")] {
        let quota = FakeQuota::granting(PLENTY);
        let first = Double::start(vec![refusal(400, code)]).await;
        let second = Double::start(vec![answer(&["whole"], 9, 1)]).await;
        let mesh = start(with_providers(&[&first, &second]), &quota).await;
        let status = ChatServiceClient::new(alice(&mesh)).chat(ask("Hello")).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, cause));
        assert_eq!(metadata(&status, "code"), code);
        assert!(second.seen().is_empty());
        assert!(matches!(quota.next().await, Asked::Reserve(_)));
        assert_eq!(quota.next().await, Asked::Release);
    }
}

#[tokio::test]
async fn when_all_fail_the_caller_learns_how_and_all_is_released() {
    let quota = FakeQuota::granting(PLENTY);
    let first = Double::start(vec![refusal(503, "")]).await;
    let second = Double::start(vec![refusal(402, "")]).await;
    let mesh = start(with_providers(&[&first, &second]), &quota).await;
    let status = ChatServiceClient::new(alice(&mesh)).chat(ask("Hello")).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "PROVIDER_FAILED"));
    assert_eq!(
        (metadata(&status, "provider.p0"), metadata(&status, "provider.p1")),
        ("overloaded".into(), "account".into())
    );
    assert!(!status.message().contains("sk-") && !format!("{status:?}").contains("sk-0"));
    assert!(matches!(quota.next().await, Asked::Reserve(_)));
    assert_eq!(quota.next().await, Asked::Release);
}

#[tokio::test]
async fn a_conversation_too_long_for_every_model_is_the_callers_to_shorten() {
    let quota = FakeQuota::granting(PLENTY);
    let double = Double::start(vec![refusal(400, "context_length_exceeded")]).await;
    let mesh = start(with_providers(&[&double]), &quota).await;
    let status = ChatServiceClient::new(alice(&mesh)).chat(ask("Hello")).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "TOO_LARGE"));
}

#[tokio::test]
async fn a_provider_that_failed_rests_while_another_one_can_answer() {
    let quota = FakeQuota::granting(PLENTY);
    let first = Double::start(vec![refusal(503, ""), answer(&["first"], 1, 1)]).await;
    let second =
        Double::start(vec![answer(&["second"], 1, 1), answer(&["second"], 1, 1), refusal(503, "")]).await;
    let mut settings = with_providers(&[&first, &second]);
    settings.rest_ms = 60_000;
    let mesh = start(settings, &quota).await;
    let mut client = ChatServiceClient::new(alice(&mesh));
    for cause in ["overloaded", "resting"] {
        let answer = client.chat(ask("Hello")).await.unwrap().into_inner();
        let chosen = answer.provider_chosen.unwrap();
        assert_eq!((chosen.provider.as_str(), chosen.failed_attempts[0].cause.as_str()), ("p1", cause));
    }
    assert_eq!(first.seen().len(), 1);
    // When the second fails too, nobody is left who does not rest: then all are asked again.
    assert_eq!(client.chat(ask("Hello")).await.unwrap_err().code(), Code::Unavailable);
    let answer = client.chat(ask("Hello")).await.unwrap().into_inner();
    assert_eq!(answer.message.unwrap().content, "first");
}

#[tokio::test]
async fn an_answer_after_which_only_the_end_mark_is_missing_is_whole() {
    let quota = FakeQuota::granting(PLENTY);
    let double = Double::start(vec![vec![Step::Head, text("whole"), stop(), Step::Cut]]).await;
    let mesh = start(with_providers(&[&double]), &quota).await;
    let answer = ChatServiceClient::new(alice(&mesh)).chat(ask("Hello")).await.unwrap().into_inner();
    assert_eq!(answer.message.unwrap().content, "whole");
    // "Hello" is 2 tokens and 4 for the frame; "whole" is 2: nobody else counted.
    assert!(matches!(quota.next().await, Asked::Reserve(_)));
    assert_eq!(quota.next().await, Asked::Commit(8));
}

#[tokio::test]
async fn a_provider_that_forgets_to_end_its_stream_does_not_hold_up_the_answer() {
    let quota = FakeQuota::granting(PLENTY);
    let mut double = Double::start(vec![vec![Step::Head, text("whole"), stop(), Step::UntilClosed]]).await;
    let mesh = start(with_providers(&[&double]), &quota).await;
    let answer = ChatServiceClient::new(alice(&mesh)).chat(ask("Hello")).await.unwrap().into_inner();
    assert_eq!(answer.message.unwrap().content, "whole");
    assert_eq!(double.report().await, Report::Closed);
}
