//! Calls that find no ready replica, or no free stream: how long they wait, and what they are told.

use std::time::Duration;

use plexus_client::{Channel, deadline};
use tokio::time::Instant;
use tonic::{Code, Status, transport::Server};

use crate::replica::{Replica, builder, check, connect, in_flight, ready, spawn_check, until};

const SHORT: Duration = Duration::from_millis(150);

async fn within(channel: &Channel, time: Duration) -> Result<(), Status> {
    deadline::scope(Some(Instant::now() + time), check(channel, "")).await.map(|_| ())
}

/// An address at which nothing listens any more.
async fn gone() -> std::net::SocketAddr {
    let mut replica = Replica::start().await;
    replica.kill();
    until(|| std::net::TcpStream::connect(replica.address).is_err()).await;
    replica.address
}

#[tokio::test]
async fn a_call_that_waits_for_ready_waits_until_its_deadline() {
    let address = gone().await;
    let by_config = r#"{"methodConfig": [{"name": [{}], "waitForReady": true}]}"#;
    let builders = [builder().wait_for_ready(), builder().service_config(by_config).unwrap()];
    for builder in builders {
        let channel = builder.ready_wait(Duration::ZERO).endpoints([address]).build();
        let begun = Instant::now();
        let status = within(&channel, SHORT).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert!(status.message().contains(&address.to_string()), "{status:?}");
        assert!(begun.elapsed() >= SHORT, "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn a_call_that_waits_for_ready_is_answered_by_a_replica_that_comes_late() {
    let address = gone().await;
    let channel = builder().wait_for_ready().ready_wait(Duration::ZERO).endpoints([address]).build();
    let call = spawn_check(&channel, "");
    until(|| channel.status().iter().any(|at| !at.last_error.is_empty())).await;
    assert!(!call.is_finished());
    let _late = Replica::at(address, Server::builder()).await;
    call.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_call_waits_by_default_and_not_where_it_is_told_so() {
    let address = gone().await;
    let channel = builder().endpoints([address]).build();
    assert_eq!(within(&channel, SHORT).await.unwrap_err().code(), Code::DeadlineExceeded);

    let never = r#"{"methodConfig": [{"name": [{}], "waitForReady": false}]}"#;
    let builder = builder().service_config(never).unwrap().wait_for_ready().ready_wait(SHORT);
    let channel = builder.endpoints([address]).build();
    let begun = Instant::now();
    assert_eq!(check(&channel, "").await.unwrap_err().code(), Code::Unavailable);
    assert!(begun.elapsed() >= SHORT, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_deadline_covers_the_wait_for_a_free_stream() {
    let narrow = Server::builder().max_concurrent_streams(1);
    let replica = Replica::at("127.0.0.1:0".parse().unwrap(), narrow).await;
    let channel = connect(builder(), &[replica.address]).await;
    let mut held = Vec::new();
    while channel.status()[0].connections < 10 {
        held.push(spawn_check(&channel, "hang"));
        tokio::task::yield_now().await;
    }
    held.extend((0..10).map(|_| spawn_check(&channel, "hang")));
    replica.seen.entered.acquire_many(10).await.unwrap().forget();
    let before = replica.seen.count();
    assert_eq!(within(&channel, SHORT).await.unwrap_err().code(), Code::DeadlineExceeded);
    assert_eq!(replica.seen.count(), before, "it was never sent");
    held.iter().for_each(tokio::task::JoinHandle::abort);
    until(|| in_flight(&channel) == 0).await;
    check(&channel, "").await.unwrap();
}

#[tokio::test]
async fn a_timeout_of_the_service_config_bounds_a_call_and_is_told_to_the_server() {
    let replica = Replica::start().await;
    let json = r#"{"methodConfig": [{"name": [{}], "timeout": "0.15s"}]}"#;
    let channel = connect(builder().service_config(json).unwrap(), &[replica.address]).await;
    assert_eq!(check(&channel, "hang").await.unwrap_err().code(), Code::DeadlineExceeded);
    let announced = replica.seen.last().into_headers();
    assert!(deadline::parse(&announced[deadline::GRPC_TIMEOUT]).unwrap() <= SHORT);
    assert_eq!(ready(&channel).len(), 1);
}

#[tokio::test]
async fn a_deadline_that_has_passed_sends_nothing() {
    let replica = Replica::start().await;
    let channel = connect(builder(), &[replica.address]).await;
    assert_eq!(within(&channel, Duration::ZERO).await.unwrap_err().code(), Code::DeadlineExceeded);
    check(&channel, "").await.unwrap();
    assert_eq!(replica.seen.count(), 1);
}
