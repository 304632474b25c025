//! Calls that are late go to another endpoint, too, as soon as there is one.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use plexus_client::{ChannelBuilder, ConnectionState};
use tonic::transport::Server;

use crate::replica::{Replica, builder, check, serve, state_of, until};

/// Sends a second attempt after a millisecond.
fn hedging() -> ChannelBuilder {
    let json = r#"{"methodConfig": [{"name": [{"service": "grpc.health.v1.Health"}],
        "hedgingPolicy": {"maxAttempts": 3, "hedgingDelay": "0.001s", "nonFatalStatusCodes": ["UNAVAILABLE"]}}]}"#;
    builder().idempotent("/grpc.health.v1.Health/Check").unwrap().service_config(json).unwrap()
}

#[tokio::test]
async fn a_late_call_goes_to_an_endpoint_that_becomes_ready_after_it_was_late() {
    let (frozen, mut starting) = (Replica::start().await, Replica::start().await);
    starting.kill();
    let channel = hedging().endpoints([frozen.address, starting.address]).build();
    until(|| state_of(&channel, &frozen) == Some(ConnectionState::Ready)).await;
    let call = tokio::spawn({
        let channel = channel.clone();
        async move { check(&channel, "gate").await }
    });
    frozen.seen.entered.acquire().await.unwrap().forget();

    let started = Replica::at(starting.address, Server::builder()).await;
    started.seen.gate.add_permits(1);
    call.await.unwrap().unwrap();
    assert_eq!(frozen.seen.count(), 1);
}

#[tokio::test]
async fn a_late_call_goes_back_to_an_endpoint_that_did_not_process_it() {
    let frozen = Replica::start().await;
    let has_refused = Arc::new(AtomicBool::new(false));
    let (address, runtime, _) = serve("127.0.0.1:0".parse().unwrap(), move |listener, _| async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(socket).await.unwrap();
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            if !has_refused.swap(true, Ordering::Relaxed) {
                respond.send_reset(h2::Reason::REFUSED_STREAM);
                continue;
            }
            let head = http::Response::builder().header("content-type", "application/grpc");
            let mut body = respond.send_response(head.body(()).unwrap(), false).unwrap();
            body.send_data(vec![0, 0, 0, 0, 2, 8, 1].into(), false).unwrap();
            let trailers = [("grpc-status".parse().unwrap(), "0".parse().unwrap())];
            body.send_trailers(trailers.into_iter().collect()).unwrap();
        }
    })
    .await;
    let channel = hedging().endpoints([frozen.address, address]).build();
    until(|| channel.status().iter().filter(|at| at.state == ConnectionState::Ready).count() == 2).await;
    check(&channel, "hang").await.unwrap();
    runtime.shutdown_background();
}
