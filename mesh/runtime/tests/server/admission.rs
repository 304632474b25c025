//! What a server takes on, and what it says to those whom it refuses.

use std::sync::Arc;

use futures_util::future::join_all;
use plexus_proto::auth::v1::{
    GetJwksRequest, ListRolesRequest, WatchTrustRequest, trust_service_client::TrustServiceClient,
};
use plexus_runtime::server::ServerSettings;
use plexus_testkit::Harness;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_types::StatusExt as _;

use crate::{one_connection::OneConnection, sample::Sample};

fn settings() -> ServerSettings {
    ServerSettings { lame_duck_ms: 0, ..ServerSettings::default() }
}

#[tokio::test]
async fn a_full_server_refuses_at_once_and_says_when_to_come_back() {
    let mesh = Harness::of::<Sample>().server(ServerSettings { calls_in_flight_max: 1, ..settings() });
    let mesh = mesh.start().await.unwrap();
    let connection = OneConnection::open(mesh.address(), &mesh.token("service:ai", &[])).await.unwrap();
    let stream = connection.trust().watch_trust(WatchTrustRequest {}).await.unwrap();

    let refused = connection.trust().get_jwks(GetJwksRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(refused.get_details_error_info().unwrap().reason, "OVERLOADED");
    let retry_delay = refused.get_details_retry_info().unwrap().retry_delay.unwrap();
    let pushback_ms: u128 =
        refused.metadata().get("grpc-retry-pushback-ms").unwrap().to_str().unwrap().parse().unwrap();
    assert_eq!(pushback_ms, retry_delay.as_millis());

    drop(stream);
    // The place is free once the server has seen the end of the stream.
    while connection.trust().get_jwks(GetJwksRequest {}).await.is_err() {}
}

#[tokio::test]
async fn a_full_server_still_answers_probes_and_watchers_of_its_health() {
    let mesh = Harness::of::<Sample>().server(ServerSettings { calls_in_flight_max: 1, ..settings() });
    let mesh = mesh.start().await.unwrap();
    let mut trust = TrustServiceClient::new(mesh.service_channel("ai"));
    let _stream = trust.watch_trust(WatchTrustRequest {}).await.unwrap();
    let connection = OneConnection::open(mesh.address(), "").await.unwrap();
    connection.health().check(HealthCheckRequest::default()).await.unwrap();
    let mut watch = connection.health().watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert!(watch.message().await.unwrap().is_some());
}

#[tokio::test]
async fn calls_that_become_slow_lower_the_measured_limit() {
    let mesh = Harness::of::<Sample>().server(ServerSettings { adaptive_concurrency: true, ..settings() });
    let mesh = mesh.start().await.unwrap();
    let token = mesh.token("user:alice", &["auth.roles.read"]);
    let connection = Arc::new(OneConnection::open(mesh.address(), &token).await.unwrap());
    // Calls at once that all take so long; how many were let in.
    let burst = |count: usize, latency_ms| {
        let calls = (0..count).map(|_| {
            let mut roles = connection.roles();
            let request = ListRolesRequest { page_size: latency_ms, ..Default::default() };
            async move { roles.list_roles(request).await.is_ok() }
        });
        let calls = join_all(calls);
        async move { calls.await.into_iter().filter(|taken| *taken).count() }
    };
    // Long enough for a window of measurement to close, and fewer than the limit at the start.
    for _ in 0..10 {
        assert_eq!(burst(40, 30).await, 40);
    }
    // However many come, fewer and fewer are let in.
    while burst(150, 900).await >= 40 {}
    // Streams are no part of it.
    let service = OneConnection::open(mesh.address(), &mesh.token("service:ai", &[])).await.unwrap();
    service.trust().watch_trust(WatchTrustRequest {}).await.unwrap();
}
