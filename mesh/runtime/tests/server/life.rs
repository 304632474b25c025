//! From starting to stopped: health, reflection, drain.

use std::time::Duration;

use plexus_client::{Address, ConnectionState};
use plexus_proto::auth::v1::{
    GetJwksRequest, ListRolesRequest, WatchTrustRequest, trust_service_client::TrustServiceClient,
};
use plexus_runtime::{peers, server::ServerSettings};
use plexus_testkit::Harness;
use tokio::net::TcpStream;
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{one_connection::OneConnection, sample::Sample};

/// Calls that would not all meet the same one of two replicas by chance.
const CALLS: u32 = 50;

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
async fn callers_leave_a_lame_duck_before_it_tells_their_connections_to_go() {
    // Longer than the test takes: no GOAWAY comes.
    let server = ServerSettings { lame_duck_ms: 60_000, ..ServerSettings::default() };
    let leaving = Harness::of::<Sample>().server(server).start().await.unwrap();
    let staying = Harness::of::<Sample>().start().await.unwrap();
    let (left, stays) = (Address::from(leaving.address()), Address::from(staying.address()));
    let channel = peers::builder("sample").endpoints([left.clone(), stays]).build();
    let serving = || channel.status().into_iter().filter(|endpoint| endpoint.is_serving).count();
    let connected = || channel.status().iter().all(|endpoint| endpoint.state == ConnectionState::Ready);
    while !connected() || serving() < 2 {
        tokio::task::yield_now().await;
    }
    let stopped = tokio::spawn(leaving.stop());
    while serving() == 2 {
        tokio::task::yield_now().await;
    }

    for _ in 0..CALLS {
        TrustServiceClient::new(channel.clone()).get_jwks(GetJwksRequest {}).await.unwrap();
    }
    let counted = |line: &str| {
        line.starts_with("rpc_server_call_duration_seconds_count") && line.contains("TrustService/GetJwks")
    };
    let page = staying.metrics();
    let count = page.lines().find(|line| counted(line)).and_then(|line| line.rsplit(' ').next()).unwrap();
    assert_eq!(count.parse(), Ok(CALLS), "{page}");
    let status = channel.status();
    let left = status.iter().find(|endpoint| endpoint.address == left).unwrap();
    assert!(!left.is_serving && left.connections == 1, "its connection is open: {left:?}");
    stopped.abort();
}

#[tokio::test]
async fn an_address_at_which_another_service_listens_takes_no_calls() {
    let mesh = Harness::of::<Sample>().start().await.unwrap();
    let channel = peers::builder("auth").endpoints([mesh.address()]).ready_wait(Duration::ZERO).build();
    while channel.status().iter().all(|endpoint| endpoint.is_serving) {
        tokio::task::yield_now().await;
    }
    let refused = TrustServiceClient::new(channel).get_jwks(GetJwksRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
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
