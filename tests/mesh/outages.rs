//! Redis and PostgreSQL go away and come back under a running mesh.

use http::Method;
use plexus_testkit::{PostgresServer, RedisServer, stores::fresh_database};
use serde_json::{Value, json};

use crate::process::Mesh;

/// Whether every service has noticed that `dependency` is gone, or that it is back.
fn all_notice(replicas: &[Value], dependency: &str, gone: bool) -> bool {
    let services = replicas.iter().filter(|replica| replica["service"] != "bridge");
    let mut dependencies = services.map(|replica| replica["dependencies"].as_array().unwrap());
    dependencies
        .all(|all| all.iter().any(|one| one["name"] == dependency && one["error"].is_string() == gone))
}

fn all_are(replicas: &[Value], state: &str) -> bool {
    replicas.iter().filter(|replica| replica["service"] != "bridge").all(|replica| replica["state"] == state)
}

async fn chat(mesh: &Mesh, token: &str) -> u16 {
    let body = json!({"messages": [{"role": "ROLE_USER", "content": "Hello!"}]});
    mesh.post("/v1/ai/chat", token, &body).await.0
}

#[tokio::test]
async fn without_redis_the_mesh_is_degraded_and_goes_on_and_recovers() {
    let mut redis = RedisServer::start().await.unwrap();
    let mesh = Mesh::up(&["--set", &format!("shared_url={}", redis.url())]).await;
    let token = mesh.token().await;
    assert_eq!(chat(&mesh, &token).await, 200);

    redis.stop().await;
    mesh.until(|replicas| all_notice(replicas, "shared tier", true)).await;
    assert!(all_are(&mesh.replicas().await, "degraded"));
    assert_eq!(mesh.admin(Method::GET, "/readyz").await.status, 200);
    assert_eq!(chat(&mesh, &token).await, 200);
    let (status, live) = mesh.get("/v1/analytics/live", &token).await;
    assert_eq!(status, 200, "{live}");

    redis.resume().await.unwrap();
    mesh.until(|replicas| all_notice(replicas, "shared tier", false)).await;
    assert!(all_are(&mesh.replicas().await, "ready"));
    assert_eq!(chat(&mesh, &token).await, 200);
}

#[tokio::test]
async fn without_postgres_the_mesh_is_not_ready_until_it_is_back() {
    let mut postgres = PostgresServer::start().await.unwrap();
    let url = fresh_database(&postgres.url()).await.unwrap();
    let mut mesh = Mesh::up(&["--set", &format!("database_url={url}")]).await;
    let token = mesh.token().await;
    assert_eq!(chat(&mesh, &token).await, 200);

    postgres.stop().await;
    mesh.until(|replicas| all_notice(replicas, "database", true)).await;
    assert_eq!(mesh.admin(Method::GET, "/readyz").await.status, 503);
    let (status, error) = mesh.get("/v1/quota/usage", &token).await;
    assert_eq!(status, 503, "{error}");
    assert_eq!(error["error"]["status"], "UNAVAILABLE");

    postgres.resume().await.unwrap();
    mesh.until_ready().await;
    assert_eq!(chat(&mesh, &token).await, 200);
    assert_eq!(mesh.get("/v1/quota/usage", &token).await.0, 200);
}
