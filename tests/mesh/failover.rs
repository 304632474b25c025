//! One replica of three stops; nobody who calls through the bridge notices.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use http::Method;
use serde_json::json;

use crate::process::Mesh;

/// Callers at once.
const CALLERS: usize = 8;
/// Answers before and after the replicas are stopped.
const ANSWERS: usize = 100;

#[tokio::test]
async fn calls_go_on_while_one_replica_of_each_service_is_stopped() {
    let mesh = Mesh::up(&["--replicas", "3"]).await;
    let token = mesh.token().await;
    let answers = Arc::new(AtomicUsize::new(0));
    let done = Arc::new(AtomicBool::new(false));
    let chat = json!({"messages": [{"role": "ROLE_USER", "content": "Hello!"}]});
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let call = mesh.call(Method::POST, "/v1/ai/chat").token(&token).json(&chat);
            let (answers, done) = (Arc::clone(&answers), Arc::clone(&done));
            tokio::spawn(async move {
                while !done.load(Ordering::SeqCst) {
                    let answer = call.clone().send().await.unwrap();
                    let status = answer.status;
                    assert_eq!(status, 200, "{:?}", answer.text().await);
                    answers.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    until(&answers, ANSWERS).await;
    for replica in ["ai-1", "quota-1", "auth-1", "ai-0"] {
        let stopped = mesh.admin(Method::POST, &format!("/replicas/{replica}/drain")).await;
        assert_eq!(stopped.status, 200);
        until(&answers, answers.load(Ordering::SeqCst) + ANSWERS).await;
    }
    done.store(true, Ordering::SeqCst);
    for caller in callers {
        caller.await.unwrap();
    }
    let names: Vec<String> =
        mesh.replicas().await.iter().map(|replica| replica["name"].to_string()).collect();
    assert!(!names.iter().any(|name| name.contains("ai-1")), "{names:?}");
    assert_eq!(mesh.admin(Method::POST, "/replicas/ai-1/drain").await.status, 404);
}

async fn until(answers: &AtomicUsize, count: usize) {
    while answers.load(Ordering::SeqCst) < count {
        tokio::task::yield_now().await;
    }
}
