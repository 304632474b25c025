//! What was acknowledged survives `kill -9`.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::json;

use crate::process::Mesh;

/// Writers at once, so that commits carry several writes when the blow falls.
const WRITERS: usize = 16;
/// Acknowledged writes before the process is killed.
const WRITES_BEFORE_KILL: usize = 200;

#[tokio::test]
async fn kill_9_in_the_middle_of_a_write_load_loses_nothing_that_was_acknowledged() {
    let mesh = Arc::new(Mesh::up(&[]).await);
    let token = mesh.token().await;
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let count = Arc::new(AtomicUsize::new(0));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (mesh, token) = (Arc::clone(&mesh), token.clone());
            let (acknowledged, count) = (Arc::clone(&acknowledged), Arc::clone(&count));
            tokio::spawn(async move {
                // Ends when the blow falls: the call then fails, and its write may or may not be there.
                for number in 0.. {
                    let id = format!("event-{writer}-{number}");
                    if !track(&mesh, &token, &id).await {
                        return;
                    }
                    acknowledged.lock().unwrap().push(id);
                    count.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    while count.load(Ordering::SeqCst) < WRITES_BEFORE_KILL {
        tokio::task::yield_now().await;
    }
    mesh.kill_now();
    for writer in writers {
        writer.await.unwrap();
    }
    let folder = Arc::into_inner(mesh).unwrap().kill().await;

    let mesh = Mesh::up_in(folder, &[]).await;
    let token = mesh.token().await;
    let acknowledged = acknowledged.lock().unwrap().clone();
    assert!(acknowledged.len() >= WRITES_BEFORE_KILL);
    for id in acknowledged {
        // An event that is there is answered as a duplicate; one that was lost would be taken as new.
        let (status, answer) = mesh.post("/v1/analytics/events", &token, &event(&id)).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["outcome"], "EVENT_OUTCOME_DUPLICATE", "{id} was acknowledged and lost: {answer}");
    }
}

fn event(id: &str) -> serde_json::Value {
    json!({"messageId": id, "type": "EVENT_TYPE_TRACK", "event": "load_test"})
}

async fn track(mesh: &Mesh, token: &str, id: &str) -> bool {
    let call = mesh.call(http::Method::POST, "/v1/analytics/events").token(token).json(&event(id));
    match call.send().await {
        Ok(answer) => answer.status == 200 && answer.json().await.is_ok(),
        Err(_cut) => false,
    }
}
