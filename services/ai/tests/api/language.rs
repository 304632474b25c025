//! Suggested replies and sentiment.

use plexus_proto::ai::v1::{
    AnalyzeSentimentRequest, Language, SentimentLabel, Silence, SuggestRepliesRequest, Turn, UsageSource,
    language_service_client::LanguageServiceClient,
};
use tonic::Code;

use crate::{
    PLENTY, alice,
    fake_quota::{Asked, FakeQuota},
    start,
};

fn other(text: &str) -> Turn {
    Turn { from_self: false, text: text.to_owned() }
}

#[tokio::test]
async fn replies_are_suggested_in_the_language_of_the_last_message() {
    let quota = FakeQuota::granting(PLENTY);
    let mesh = start(plexus_ai::Settings::default(), &quota).await;
    let mut client = LanguageServiceClient::new(alice(&mesh));
    let suggest = |turns: Vec<Turn>| {
        let mut client = client.clone();
        async move {
            let request = SuggestRepliesRequest { request_id: String::new(), turns };
            client.suggest_replies(request).await.unwrap().into_inner()
        }
    };
    let english = suggest(vec![other("Are you free for lunch tomorrow?")]).await;
    let intents: Vec<&str> = english.replies.iter().map(|reply| reply.intent.as_str()).collect();
    assert_eq!(intents, ["accept", "decline", "ask_time"]);
    assert_eq!((english.language(), english.silence()), (Language::English, Silence::Unspecified));
    assert_eq!(english.usage.unwrap().source(), UsageSource::Estimate);
    let chinese = suggest(vec![other("周末一起吃饭吧")]).await;
    assert_eq!((chinese.replies.len(), chinese.language()), (3, Language::Chinese));

    let sensitive = suggest(vec![other("My father passed away"), other("Are you there?")]).await;
    assert_eq!((sensitive.replies.len(), sensitive.silence()), (0, Silence::Sensitive));
    let own = suggest(vec![Turn { from_self: true, text: "Hi".to_owned() }]).await;
    assert_eq!(own.silence(), Silence::NothingToAnswer);

    let none = SuggestRepliesRequest::default();
    assert_eq!(client.suggest_replies(none).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn sentiment_is_that_of_the_published_rules_and_is_charged() {
    let quota = FakeQuota::granting(PLENTY);
    let mesh = start(plexus_ai::Settings::default(), &quota).await;
    let mut client = LanguageServiceClient::new(alice(&mesh));
    let request = |text: &str| AnalyzeSentimentRequest { request_id: String::new(), text: text.to_owned() };
    let found =
        client.analyze_sentiment(request("VADER is smart, handsome, and funny!")).await.unwrap().into_inner();
    assert_eq!(
        (found.label(), found.compound, found.method.as_str()),
        (SentimentLabel::Positive, 0.8439, "vader")
    );
    assert_eq!((found.negative, found.neutral, found.positive), (0.0, 0.248, 0.752));
    let usage = found.usage.unwrap();
    assert_eq!(quota.next().await, Asked::Reserve(usage.input_tokens));
    assert_eq!(quota.next().await, Asked::Commit(usage.input_tokens));

    let chinese = client.analyze_sentiment(request("服务太差了，很失望")).await.unwrap().into_inner();
    assert_eq!((chinese.label(), chinese.language()), (SentimentLabel::Negative, Language::Chinese));
    let long = "x".repeat(20_001);
    assert_eq!(client.analyze_sentiment(request(&long)).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(client.analyze_sentiment(request("  ")).await.unwrap_err().code(), Code::InvalidArgument);
}
