//! What the channels of a mesh measure is on its page for Prometheus.

use http::Method;
use serde_json::json;

use crate::process::Mesh;

#[tokio::test]
async fn the_metrics_page_counts_the_attempts_of_the_bridge_and_of_the_services() {
    let mesh = Mesh::up(&[]).await;
    let token = mesh.token().await;
    let chat = json!({"messages": [{"role": "ROLE_USER", "content": "Hello!"}]});
    assert_eq!(mesh.post("/v1/ai/chat", &token, &chat).await.0, 200);
    let page = mesh.admin(Method::GET, "/metrics").await.text().await.unwrap();
    // The bridge calls ai, and ai quota.
    for (target, method) in
        [("ai", "plexus.ai.v1.ChatService/Chat"), ("quota", "plexus.quota.v1.ReservationService/Reserve")]
    {
        let labels = [format!("grpc_method=\"{method}\""), format!("grpc_target=\"{target}\"")];
        let counts = |line: &str| {
            line.starts_with("grpc_client_attempt_started") && labels.iter().all(|label| line.contains(label))
        };
        assert!(page.lines().any(counts), "{target} {method} is not in:\n{page}");
    }
}
