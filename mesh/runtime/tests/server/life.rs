//! From starting to stopped: health, reflection, drain.

use plexus_proto::auth::v1::{GetJwksRequest, WatchTrustRequest, trust_service_client::TrustServiceClient};
use plexus_testkit::Harness;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::sample::Sample;

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
