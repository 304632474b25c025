//! The channels of a process: one for each target, alike, and shared.

use plexus_client::{
    ManualResolver, Mesh, MeshBuilder, MeshError, StaticToken, backoff::BackoffPolicy, mesh::CHANNELS_MAX,
};
use tonic::Request;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::replica::{Replica, check, until};

fn quick() -> MeshBuilder {
    let backoff = BackoffPolicy { base: std::time::Duration::from_millis(20), ..BackoffPolicy::default() };
    Mesh::builder().channels(|channel| channel.backoff(backoff))
}

#[tokio::test]
async fn the_text_of_a_target_gives_a_channel_that_balances_over_all_of_it() {
    let replicas = [Replica::start().await, Replica::start().await];
    let mesh = Mesh::builder().build();
    let target = format!("{},{}", replicas[0].address, replicas[1].address);
    let channel = mesh.channel(&target).unwrap();
    assert_eq!(channel.name(), target);
    while replicas.iter().any(|replica| replica.seen.count() == 0) {
        check(&channel, "").await.unwrap();
    }
}

#[tokio::test]
async fn a_target_has_one_channel_whoever_asks_for_it() {
    let replica = Replica::start().await;
    let mesh = quick().build();
    let target = replica.address.to_string();
    let (one, other) = (mesh.channel(&target).unwrap(), mesh.clone().channel(&target).unwrap());
    let call = tokio::spawn(async move { check(&one, "gate").await });
    until(|| other.status().iter().any(|at| at.in_flight == 1)).await;
    replica.seen.gate.add_permits(1);
    call.await.unwrap().unwrap();
    // Another text is another target, though it means the same.
    assert_eq!(mesh.channel(&format!("ipv4:{target}")).unwrap().status()[..].len(), 0);
}

#[tokio::test]
async fn a_registered_name_stands_for_its_resolver_and_only_that_one() {
    let (old, new) = (Replica::start().await, Replica::start().await);
    let resolver = ManualResolver::new([old.address.into()]);
    let mesh = quick().target("health", resolver.clone()).build();
    let channel = mesh.channel("health").unwrap();
    check(&channel, "").await.unwrap();
    assert_eq!((old.seen.count(), channel.name()), (1, "health"));
    resolver.replace([new.address.into()]);
    while new.seen.count() == 0 {
        check(&channel, "").await.unwrap();
    }
    let error = mesh.channel("quota").unwrap_err().to_string();
    assert!(error.contains("\"quota\" is not registered"), "{error}");
    let error = mesh.channel("xds:///quota").unwrap_err().to_string();
    assert!(error.contains("unknown scheme"), "{error}");
}

#[tokio::test]
async fn what_is_said_of_all_channels_holds_for_each() {
    let replicas = [Replica::start().await, Replica::start().await];
    let token = StaticToken::new("a-token").unwrap();
    let mesh = quick().channels(|channel| channel.token(token)).build();
    for replica in &replicas {
        check(&mesh.channel(&replica.address.to_string()).unwrap(), "").await.unwrap();
        assert_eq!(replica.seen.last().get("authorization").unwrap(), "Bearer a-token");
    }
    let refused = Mesh::builder().try_channels(|channel| channel.service_config("{"));
    assert!(refused.is_err());
    assert!(Mesh::builder().try_channels(|channel| channel.service_config("{}")).is_ok());
}

#[tokio::test]
async fn an_interceptor_of_tonic_goes_before_a_channel() {
    let replica = Replica::start().await;
    let channel = quick().build().channel(&replica.address.to_string()).unwrap();
    let mut client = HealthClient::with_interceptor(channel, |mut request: Request<()>| {
        request.metadata_mut().insert("authorization", "Bearer own".parse().unwrap());
        Ok(request)
    });
    client.check(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(replica.seen.last().get("authorization").unwrap(), "Bearer own");
}

#[tokio::test]
async fn the_channels_of_a_mesh_are_bounded() {
    let mesh = Mesh::builder().build();
    // Unix sockets that are not there cost no port.
    for number in 0..CHANNELS_MAX {
        drop(mesh.channel(&format!("unix:/nowhere/{number}")).unwrap());
    }
    assert!(matches!(mesh.channel("unix:/nowhere/else"), Err(MeshError::TooMany)));
    assert!(mesh.channel("unix:/nowhere/0").is_ok());
}

#[cfg(feature = "dns")]
#[tokio::test]
async fn a_name_that_the_files_of_the_system_know_is_found() {
    let replica = Replica::start().await;
    let channel = quick().build().channel(&format!("localhost:{}", replica.address.port())).unwrap();
    check(&channel, "").await.unwrap();
    assert_eq!(channel.status()[0].address.to_string(), replica.address.to_string());
}
