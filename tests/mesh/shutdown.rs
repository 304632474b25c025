//! SIGTERM under load: what was begun is finished, and what comes after is refused as a connection, not as an error.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http::Method;
use serde_json::json;

use crate::process::Mesh;

/// Callers at once.
const CALLERS: usize = 8;
/// Answers before the mesh is told to stop.
const ANSWERS_BEFORE_STOP: usize = 50;

#[tokio::test]
async fn sigterm_under_load_drains_without_an_error() {
    let mut mesh = Mesh::up(&[]).await;
    let token = mesh.token().await;
    let answers = Arc::new(AtomicUsize::new(0));
    let chat = json!({"messages": [{"role": "ROLE_USER", "content": "Tell me about the weather"}]});
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let call = mesh.call(Method::POST, "/v1/ai/chat").token(&token).json(&chat);
            let answers = Arc::clone(&answers);
            tokio::spawn(async move {
                loop {
                    // A connection that is refused or closed before the answer's head was never taken on.
                    let Ok(answer) = call.clone().send().await else { return };
                    let status = answer.status;
                    let body = answer.text().await;
                    assert!(body.is_ok(), "an answer was cut off: {body:?}");
                    assert_eq!(status, 200, "{body:?}");
                    answers.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    while answers.load(Ordering::SeqCst) < ANSWERS_BEFORE_STOP {
        tokio::task::yield_now().await;
    }
    mesh.terminate().await;
    for caller in callers {
        caller.await.unwrap();
    }
    assert!(mesh.ended_well().await);

    // quota went after ai, which could therefore end what it had reserved.
    let mesh = Mesh::up_in(mesh.into_folder(), &[]).await;
    let token = mesh.token().await;
    let (_, usage) = mesh.get("/v1/quota/usage", &token).await;
    let usage = usage["usage"].as_array().unwrap().clone();
    let requests = usage.iter().find(|u| u["meter"] == "METER_REQUESTS" && u["window"] == "WINDOW_MONTH");
    let requests = requests.unwrap();
    assert_eq!(requests["pending"], "0", "{requests}");
    let posted: usize = requests["posted"].as_str().unwrap().parse().unwrap();
    assert!(posted >= answers.load(Ordering::SeqCst), "{requests}");
}

#[tokio::test]
async fn a_stream_without_end_does_not_hold_up_the_stop() {
    let mut mesh = Mesh::up(&[]).await;
    let token = mesh.token().await;
    let watch = mesh.call(Method::GET, "/v1/analytics/live:watch").token(&token);
    let mut stream = watch.send().await.unwrap();
    assert_eq!(stream.status, 200);
    assert!(stream.next().await.unwrap().is_some(), "the present state comes at once");
    mesh.terminate().await;
    // The service ends it at once. Held open until the drain deadline, it would end with an error event.
    let rest = stream.text().await.unwrap();
    assert!(rest.contains("event: end"), "{rest}");
    assert!(mesh.ended_well().await);
}
