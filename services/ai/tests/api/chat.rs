//! Models, and conversations in one piece.

use plexus_proto::ai::v1::{
    Capability, ChatRequest, FinishReason, ListModelsRequest, Message, Role, UsageSource,
    chat_service_client::ChatServiceClient,
};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::{
    PLENTY, alice, ask,
    double::{Double, answer},
    fake_quota::{Asked, FakeQuota},
    metadata, reason, start, with_providers,
};

#[tokio::test]
async fn without_a_provider_the_embedded_model_answers_and_says_so() {
    let quota = FakeQuota::granting(PLENTY);
    let mesh = start(plexus_ai::Settings::default(), &quota).await;
    let mut client = ChatServiceClient::new(alice(&mesh));

    let answer = client.chat(ask("Who are you?")).await.unwrap().into_inner();
    let content = answer.message.unwrap().content;
    assert!(content.contains("plexus-embedded-1") && content.contains("not a language model"), "{content}");
    let chosen = answer.provider_chosen.unwrap();
    assert!(chosen.embedded);
    assert_eq!((chosen.provider.as_str(), chosen.model.as_str()), ("embedded", "plexus-embedded-1"));
    let usage = answer.usage.unwrap();
    assert_eq!(usage.source(), UsageSource::Estimate);

    // "Who are you?" is 1 + 1 + 1 tokens, and 4 for the frame; 512 of the answer are reserved at first.
    assert_eq!(usage.input_tokens, 7);
    assert_eq!(quota.next().await, Asked::Reserve(7 + 512));
    assert_eq!(quota.next().await, Asked::Commit(7 + usage.output_tokens));
    assert_eq!(quota.pending().await, None);

    let chinese = client.chat(ask("你好")).await.unwrap().into_inner().message.unwrap().content;
    assert!(chinese.starts_with("你好。") && chinese.contains("plexus-embedded-1"), "{chinese}");
}

#[tokio::test]
async fn a_short_answer_that_was_asked_for_is_cut_and_says_so() {
    let quota = FakeQuota::granting(PLENTY);
    let mesh = start(plexus_ai::Settings::default(), &quota).await;
    let request = ChatRequest { max_output_tokens: 3, ..ask("Hello") };
    let answer = ChatServiceClient::new(alice(&mesh)).chat(request).await.unwrap().into_inner();
    assert_eq!(answer.finish_reason(), FinishReason::Length);
    assert!(answer.usage.unwrap().output_tokens <= 3);
    assert_eq!(quota.next().await, Asked::Reserve(2 + 4 + 3));
}

#[tokio::test]
async fn models_are_listed_in_the_order_in_which_they_are_tried_page_by_page() {
    let quota = FakeQuota::granting(PLENTY);
    let doubles = [Double::start(vec![]).await, Double::start(vec![]).await];
    let mut settings = with_providers(&[&doubles[0], &doubles[1]]);
    settings.providers[1].transcription_models = vec!["ear".to_owned()];
    let mesh = start(settings, &quota).await;
    let mut client = ChatServiceClient::new(alice(&mesh));
    let (mut names, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListModelsRequest { page_size: 2, page_token: page_token.clone() };
        let page = client.list_models(request).await.unwrap().into_inner();
        assert!(page.models.len() <= 2);
        assert!(page.models.iter().all(|model| !model.embedded));
        names.extend(page.models.iter().map(|model| (model.name.clone(), model.capability())));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let chat = |name: &str| (name.to_owned(), Capability::Chat);
    let ear = ("p1/ear".to_owned(), Capability::Transcription);
    assert_eq!(names, [chat("p0/m"), chat("p0/m0"), chat("p1/m"), chat("p1/m1"), ear]);

    let embedded = start(plexus_ai::Settings::default(), &quota).await;
    let list =
        ChatServiceClient::new(alice(&embedded)).list_models(ListModelsRequest::default()).await.unwrap();
    assert_eq!(list.get_ref().models.len(), 1);
    assert!(list.get_ref().models[0].embedded);
    assert_eq!(quota.pending().await, None);
}

#[tokio::test]
async fn a_provider_is_asked_in_its_protocol_and_its_count_is_charged() {
    let quota = FakeQuota::granting(PLENTY);
    let double = Double::start(vec![answer(&["Bon", "jour"], 21, 2)]).await;
    let mesh = start(with_providers(&[&double]), &quota).await;
    let mut request = ask("Say hello in French");
    request.messages.insert(0, Message { role: Role::System.into(), content: "Be brief".to_owned() });
    request.temperature = Some(0.5);
    request.max_output_tokens = 100;
    let answer = ChatServiceClient::new(alice(&mesh)).chat(request).await.unwrap().into_inner();
    assert_eq!(answer.message.unwrap().content, "Bonjour");
    assert_eq!(answer.finish_reason, i32::from(FinishReason::Stop));
    let usage = answer.usage.unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens, usage.source()), (21, 2, UsageSource::Provider));
    assert!(matches!(quota.next().await, Asked::Reserve(_)));
    assert_eq!(quota.next().await, Asked::Commit(23));

    let seen = &double.seen()[0];
    assert!(seen.head.starts_with("POST /v1/chat/completions HTTP/1.1"), "{}", seen.head);
    assert!(seen.head.to_lowercase().contains("authorization: bearer sk-0"));
    let body: serde_json::Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!(
        body,
        serde_json::json!({
            "model": "m", "stream": true, "stream_options": {"include_usage": true},
            "max_tokens": 100, "temperature": 0.5,
            "messages": [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Say hello in French"}],
        })
    );
}

#[tokio::test]
async fn a_refusal_of_quota_comes_through_with_its_details_and_nobody_is_asked() {
    let quota = FakeQuota::granting(100);
    let double = Double::start(vec![]).await;
    let mesh = start(with_providers(&[&double]), &quota).await;
    let status = ChatServiceClient::new(alice(&mesh)).chat(ask("Hello")).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "LIMIT_EXCEEDED"));
    let details = status.get_error_details();
    assert_eq!(details.quota_failure().unwrap().violations[0].description, "100 tokens a day");
    assert_eq!(details.retry_info().unwrap().retry_delay.unwrap().as_secs(), 3600);
    assert!(double.seen().is_empty());
    assert_eq!(quota.next().await, Asked::Reserve(6 + 512));
    assert_eq!(quota.pending().await, None);
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_named_before_anything_is_reserved() {
    let quota = FakeQuota::granting(PLENTY);
    let mesh = start(plexus_ai::Settings::default(), &quota).await;
    let mut client = ChatServiceClient::new(alice(&mesh));
    let message = |role: Role, content: &str| Message { role: role.into(), content: content.to_owned() };
    let long = "x".repeat(200_001);
    for (field, request) in [
        ("messages", ChatRequest::default()),
        ("messages", ChatRequest { messages: vec![message(Role::User, "a"); 257], ..ChatRequest::default() }),
        ("messages", ask(&long)),
        ("messages", ChatRequest { messages: vec![message(Role::Assistant, "a")], ..ChatRequest::default() }),
        ("messages[0].role", ChatRequest { messages: vec![message(Role::Unspecified, "a")], ..ask("") }),
        ("messages[0].content", ask(" ")),
        ("max_output_tokens", ChatRequest { max_output_tokens: 32_769, ..ask("a") }),
        ("max_output_tokens", ChatRequest { max_output_tokens: -1, ..ask("a") }),
        ("temperature", ChatRequest { temperature: Some(2.1), ..ask("a") }),
        ("temperature", ChatRequest { temperature: Some(f64::NAN), ..ask("a") }),
        ("model", ChatRequest { model: "m".repeat(129), ..ask("a") }),
        ("request_id", ChatRequest { request_id: "r".repeat(65), ..ask("a") }),
    ] {
        let status = client.chat(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{field}");
        assert_eq!(status.get_error_details().bad_request().unwrap().field_violations[0].field, field);
    }
    let unknown = client.chat(ChatRequest { model: "gpt-9".to_owned(), ..ask("a") }).await.unwrap_err();
    assert_eq!((unknown.code(), reason(&unknown).as_str()), (Code::NotFound, "NOT_FOUND"));
    assert_eq!(quota.pending().await, None);
}

#[tokio::test]
async fn only_people_with_the_permission_are_answered() {
    let quota = FakeQuota::granting(PLENTY);
    let mesh = start(plexus_ai::Settings::default(), &quota).await;
    let refused =
        |channel| async move { ChatServiceClient::new(channel).chat(ask("a")).await.unwrap_err().code() };
    assert_eq!(refused(mesh.anonymous_channel()).await, Code::Unauthenticated);
    assert_eq!(refused(mesh.channel("user:bob", &[])).await, Code::PermissionDenied);
    assert_eq!(refused(mesh.channel("service:card", &["ai.chat.use"])).await, Code::PermissionDenied);
    assert_eq!(quota.pending().await, None);
}

#[tokio::test]
async fn a_commit_that_quota_misses_is_repeated_and_the_answer_is_given_all_the_same() {
    let quota = FakeQuota::granting(PLENTY);
    let double = Double::start(vec![answer(&["ok"], 5, 1)]).await;
    let mesh = start(with_providers(&[&double]), &quota).await;
    quota.fail_commits(2);
    let given = ChatServiceClient::new(alice(&mesh)).chat(ask("Hello")).await;
    assert_eq!(given.unwrap().into_inner().message.unwrap().content, "ok");
    assert!(matches!(quota.next().await, Asked::Reserve(_)));
    for _ in 0..3 {
        assert_eq!(quota.next().await, Asked::Commit(6));
    }
}

#[tokio::test]
async fn a_model_can_be_asked_for_by_name_and_by_provider() {
    let quota = FakeQuota::granting(PLENTY);
    let first = Double::start(vec![answer(&["first"], 1, 1)]).await;
    let second = Double::start(vec![answer(&["second"], 1, 1), answer(&["again"], 1, 1)]).await;
    let mesh = start(with_providers(&[&first, &second]), &quota).await;
    let mut client = ChatServiceClient::new(alice(&mesh));
    for (model, expected) in [("p1/m", "second"), ("m1", "again"), ("m", "first")] {
        let request = ChatRequest { model: model.to_owned(), ..ask("Hello") };
        let answer = client.chat(request).await.unwrap().into_inner();
        assert_eq!(answer.message.unwrap().content, expected, "{model}");
    }
    let status = client.chat(ChatRequest { model: "p0/m1".to_owned(), ..ask("Hello") }).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert_eq!(metadata(&status, "provider"), "");
}
