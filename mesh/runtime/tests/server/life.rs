//! From starting to stopped: health, reflection, drain.

use plexus_proto::auth::v1::{
    GetJwksRequest, ListRolesRequest, WatchTrustRequest, trust_service_client::TrustServiceClient,
};
use plexus_runtime::server::ServerSettings;
use plexus_testkit::Harness;
use tokio::net::TcpStream;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{one_connection::OneConnection, sample::Sample};

async fn health(channel: plexus_client::Channel, service: &str) -> i32 {
    let request = HealthCheckRequest { service: service.to_owned() };
    HealthClient::new(channel).check(request).await.unwrap().into_inner().status
}

#[tokio::test]
async fn a_ready_replica_says_so_for_itself_and_for_its_service() {
    let mesh = Harness::of::<Sample>().start().await.unwrap();
    for service in ["", "sample"] {
        // Health needs no token: probes have none.
        assert_eq!(health(mesh.anonymous_channel(), service).await, ServingStatus::Serving as i32);
    }
}

#[tokio::test]
async fn a_watcher_of_the_health_sees_the_drain_before_the_end() {
    let mesh = Harness::of::<Sample>().start().await.unwrap();
    let request = HealthCheckRequest { service: "sample".to_owned() };
    let mut watch = HealthClient::new(mesh.anonymous_channel()).watch(request).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status, ServingStatus::Serving as i32);
    let stopped = tokio::spawn(mesh.stop());
    assert_eq!(watch.message().await.unwrap().unwrap().status, ServingStatus::NotServing as i32);
    // Neither the watch nor anything else holds the stop up until the drain deadline cuts it off.
    while let Ok(Some(_)) = watch.message().await {}
    stopped.await.unwrap();
}

#[tokio::test]
async fn a_lame_duck_says_so_first_takes_calls_then_and_closes_its_listener_last() {
    let server = ServerSettings { lame_duck_ms: 1_500, ..ServerSettings::default() };
    let mesh = Harness::of::<Sample>().server(server).start().await.unwrap();
    let (address, token) = (mesh.address(), mesh.token("user:alice", &[]));
    let old = OneConnection::open(address, &token).await.unwrap();
    let request = HealthCheckRequest { service: "sample".to_owned() };
    let mut watch = old.health().watch(request).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status, ServingStatus::Serving as i32);

    let stopped = tokio::spawn(mesh.stop());
    assert_eq!(watch.message().await.unwrap().unwrap().status, ServingStatus::NotServing as i32);
    let new = OneConnection::open(address, &token).await.unwrap();
    for connection in [&old, &new] {
        connection.trust().get_jwks(GetJwksRequest {}).await.unwrap();
    }
    // Calls on open connections are answered until GOAWAY comes; after it the listener is closed.
    while new.trust().get_jwks(GetJwksRequest {}).await.is_ok() {}
    TcpStream::connect(address).await.unwrap_err();
    assert!(watch.message().await.unwrap().is_none(), "the watch ended cleanly, not by a cut");
    stopped.await.unwrap();
}

#[tokio::test]
async fn what_does_not_end_is_cut_at_the_drain_deadline() {
    let server = ServerSettings { drain_seconds: 0, lame_duck_ms: 0, ..ServerSettings::default() };
    let mesh = Harness::of::<Sample>().server(server).start().await.unwrap();
    let token = mesh.token("user:alice", &["auth.roles.read"]);
    let connection = OneConnection::open(mesh.address(), &token).await.unwrap();
    let call = tokio::spawn(async move { connection.roles().list_roles(ListRolesRequest::default()).await });
    let is_active = |line: &str| line.starts_with("plexus_server_active_calls") && line.ends_with(" 1");
    while !mesh.metrics().lines().any(is_active) {
        tokio::task::yield_now().await;
    }
    mesh.stop().await;
    call.await.unwrap().unwrap_err();
}

#[tokio::test]
async fn a_stream_without_end_ends_when_the_replica_drains() {
    let mesh = Harness::of::<Sample>().start().await.unwrap();
    let mut trust = TrustServiceClient::new(mesh.service_channel("ai"));
    let mut stream = trust.watch_trust(WatchTrustRequest {}).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    mesh.stop().await;
    assert!(stream.message().await.unwrap().is_none(), "the stream ended cleanly, not by a cut");
}

#[tokio::test]
async fn a_service_starts_again_on_the_data_that_it_left() {
    let mesh = Harness::of::<Sample>().start().await.unwrap();
    let folder = mesh.stop().await.unwrap();
    let mesh = Harness::of::<Sample>().start_in(folder).await.unwrap();
    TrustServiceClient::new(mesh.anonymous_channel()).get_jwks(GetJwksRequest {}).await.unwrap();
}
