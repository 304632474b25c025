//! What a new user does first, as the README tells it.

use http::Method;
use serde_json::{Value, json};

use crate::process::Mesh;

fn says(text: &str) -> Value {
    json!({"messages": [{"role": "ROLE_USER", "content": text}]})
}

#[tokio::test]
async fn a_user_logs_in_and_uses_every_service() {
    let mesh = Mesh::up(&[]).await;
    let login = mesh.login().await;
    let token = login["tokens"]["accessToken"].as_str().unwrap();
    assert_eq!(login["user"]["roles"], json!(["admin"]));

    let (status, chat) = mesh.post("/v1/ai/chat", token, &says("Hello!")).await;
    assert_eq!(status, 200, "{chat}");
    assert_eq!(
        chat["providerChosen"]["embedded"], true,
        "without a key the embedded provider says who it is"
    );

    let (status, component) =
        mesh.post("/v1/ai/components:generate", token, &json!({"prompt": "a login form"})).await;
    assert_eq!((status, &component["entry"]), (200, &json!("login_form")), "{component}");

    let turns = json!({"turns": [{"text": "Can we meet tomorrow at ten?"}]});
    let (status, replies) = mesh.post("/v1/ai/replies:suggest", token, &turns).await;
    assert_eq!(status, 200, "{replies}");
    assert!(!replies["replies"].as_array().unwrap().is_empty());

    let (status, sentiment) =
        mesh.post("/v1/ai/sentiment:analyze", token, &json!({"text": "What a wonderful day!"})).await;
    assert_eq!((status, &sentiment["label"]), (200, &json!("SENTIMENT_LABEL_POSITIVE")), "{sentiment}");

    let (status, templates) = mesh.get("/v1/cards/templates", token).await;
    assert_eq!(status, 200, "{templates}");
    assert_eq!(templates["templates"].as_array().unwrap().len(), 3, "product, info and custom come built in");
    let (status, component) = mesh.get("/v1/cards/templates/product:export", token).await;
    assert_eq!(status, 200, "{component}");

    let event = json!({"messageId": "m-1", "type": "EVENT_TYPE_TRACK", "event": "signed_up"});
    let (status, tracked) = mesh.post("/v1/analytics/events", token, &event).await;
    assert_eq!((status, &tracked["outcome"]), (200, &json!("EVENT_OUTCOME_ACCEPTED")), "{tracked}");
    let (status, live) = mesh.get("/v1/analytics/live", token).await;
    assert_eq!((status, &live["eventCount"]), (200, &json!("1")), "{live}");
}

#[tokio::test]
async fn a_streamed_answer_arrives_in_pieces_that_join_to_the_plain_one() {
    let mesh = Mesh::up(&[]).await;
    let token = mesh.token().await;
    let (_, plain) = mesh.post("/v1/ai/chat", &token, &says("Hello!")).await;
    let call = mesh.call(Method::POST, "/v1/ai/chat:stream").token(&token).json(&says("Hello!"));
    let answer = call.header("accept", "text/event-stream").send().await.unwrap();
    assert_eq!(answer.header("content-type"), "text/event-stream");
    let text = answer.text().await.unwrap();
    let events = text
        .lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .filter_map(|data| serde_json::from_str(data).ok());
    let events: Vec<Value> = events.collect();
    let joined: String = events.iter().filter_map(|event| event["textDelta"]["text"].as_str()).collect();
    assert_eq!(joined, plain["message"]["content"].as_str().unwrap(), "{text}");
    assert!(events.iter().any(|event| event["finish"]["reason"] == "FINISH_REASON_STOP"), "{text}");
}

#[tokio::test]
async fn tokens_go_down_with_each_chat_until_quota_refuses_and_says_when_to_come_back() {
    let mesh = Mesh::up(&[]).await;
    let login = mesh.login().await;
    let token = login["tokens"]["accessToken"].as_str().unwrap();
    let subject = format!("user:{}", login["user"]["userId"].as_str().unwrap());
    let limit = json!({"requestId": "limit-1", "limit":
        {"subject": subject, "meter": "METER_REQUESTS", "window": "WINDOW_DAY", "amount": "2"}});
    let call = mesh.call(Method::PUT, "/v1/quota/limits").token(token).json(&limit);
    assert_eq!(call.send().await.unwrap().status, 200);

    for remaining in ["1", "0"] {
        let (status, chat) = mesh.post("/v1/ai/chat", token, &says("Hello!")).await;
        assert_eq!(status, 200, "{chat}");
        let (_, usage) = mesh.get("/v1/quota/usage", token).await;
        let usage = usage["usage"].as_array().unwrap().clone();
        let requests = usage.iter().find(|u| u["meter"] == "METER_REQUESTS" && u["window"] == "WINDOW_DAY");
        assert_eq!(requests.unwrap()["remaining"], remaining, "{usage:?}");
    }

    let call = mesh.call(Method::POST, "/v1/ai/chat").token(token).json(&says("Hello!"));
    let answer = call.send().await.unwrap();
    assert_eq!(answer.status, 429);
    assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
    let error = answer.json().await.unwrap();
    assert_eq!(error["error"]["status"], "RESOURCE_EXHAUSTED");
    let details = error["error"]["details"].as_array().unwrap();
    let kinds: Vec<&str> = details.iter().map(|detail| detail["@type"].as_str().unwrap()).collect();
    for kind in ["google.rpc.ErrorInfo", "google.rpc.QuotaFailure", "google.rpc.RetryInfo"] {
        assert!(kinds.contains(&format!("type.googleapis.com/{kind}").as_str()), "{kinds:?}");
    }
}

#[tokio::test]
async fn without_a_token_or_with_a_false_one_nothing_is_told() {
    let mesh = Mesh::up(&[]).await;
    let answer = mesh.call(Method::GET, "/v1/quota/usage").send().await.unwrap();
    assert_eq!(answer.status, 401);
    let token = mesh.token().await;
    let (head, signature) = token.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", signature.chars().rev().collect::<String>());
    assert_eq!(mesh.get("/v1/quota/usage", &forged).await.0, 401);
}
