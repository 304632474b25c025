//! Health checks (gRPC's proposal A17): only replicas that say that they serve get calls.

use std::time::Duration;

use plexus_client::{Channel, ChannelBuilder};
use tonic::Code;

use crate::replica::{
    HEALTH, NOT_SERVING, Replica, SERVING, builder, check, connect, ready, spawn_check, until,
};

fn checking() -> ChannelBuilder {
    builder().health_check(HEALTH).ready_wait(Duration::ZERO)
}

fn serving(channel: &Channel) -> usize {
    ready(channel).iter().filter(|at| at.is_serving).count()
}

async fn counted(channel: &Channel, replica: &Replica, calls: usize) -> usize {
    let before = replica.seen.count();
    for _ in 0..calls {
        check(channel, "").await.unwrap();
    }
    replica.seen.count() - before
}

#[tokio::test]
async fn a_replica_that_does_not_serve_gets_no_calls_until_it_says_that_it_does() {
    let (leaving, staying) = (Replica::start().await, Replica::start().await);
    leaving.seen.health.send_replace(NOT_SERVING);
    let channel = connect(checking(), &[leaving.address, staying.address]).await;
    until(|| serving(&channel) == 1).await;
    assert_eq!(counted(&channel, &leaving, 50).await, 0);

    leaving.seen.health.send_replace(SERVING);
    until(|| serving(&channel) == 2).await;
    while leaving.seen.count() == 0 {
        check(&channel, "").await.unwrap();
    }

    leaving.seen.health.send_replace(NOT_SERVING);
    until(|| serving(&channel) == 1).await;
    assert_eq!(counted(&channel, &leaving, 50).await, 0);
}

#[tokio::test]
async fn a_replica_without_a_health_service_counts_as_serving() {
    let replica = Replica::start().await;
    replica.seen.health.send_replace(-1);
    let channel = connect(checking(), &[replica.address]).await;
    channel.ready().await;
    check(&channel, "").await.unwrap();
}

#[tokio::test]
async fn when_none_serves_the_error_says_so_of_each() {
    let replicas = [Replica::start().await, Replica::start().await];
    for replica in &replicas {
        replica.seen.health.send_replace(NOT_SERVING);
    }
    let channel = connect(checking(), &replicas.each_ref().map(|replica| replica.address)).await;
    let status = check(&channel, "").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.message().matches("(NOT_SERVING)").count(), 2, "{status:?}");
    assert!(replicas.iter().all(|replica| replica.seen.count() == 0));

    let waiting = channel.ready();
    replicas[1].seen.health.send_replace(SERVING);
    waiting.await;
    assert_eq!(counted(&channel, &replicas[1], 5).await, 5);
}

#[tokio::test]
async fn a_call_in_flight_at_a_replica_that_stops_serving_is_answered() {
    let replica = Replica::start().await;
    let channel = connect(checking(), &[replica.address]).await;
    channel.ready().await;
    let call = spawn_check(&channel, "gate");
    replica.seen.entered.acquire().await.unwrap().forget();
    replica.seen.health.send_replace(NOT_SERVING);
    until(|| serving(&channel) == 0).await;
    replica.seen.gate.add_permits(1);
    call.await.unwrap().unwrap();
}
