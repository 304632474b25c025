//! Connections: more of them when streams run out, fewer when they idle, and none that does not work.

use std::{net::SocketAddr, time::Duration};

use plexus_client::{Channel, ConnectionState};
use tokio::net::TcpListener;
use tonic::{Code, transport::Server};

use crate::{
    replica::{InOrder, Replica, builder, check, connect, in_flight, ready, spawn_check, state_of, until},
    wire::{END_STREAM, GOAWAY, Reply, Wire, answer, block, frame, raw},
};

const ANYWHERE: &str = "127.0.0.1:0";
/// What the client allows itself.
const CONNECTIONS_MAX: usize = 10;

async fn narrow(streams: u32) -> Replica {
    Replica::at(ANYWHERE.parse().unwrap(), Server::builder().max_concurrent_streams(streams)).await
}

fn connections(channel: &Channel) -> usize {
    channel.status()[0].connections
}

#[tokio::test]
async fn when_streams_run_out_connections_are_added_up_to_the_cap_and_leave_when_they_idle() {
    let replica = narrow(2).await;
    let channel = connect(builder(), &[replica.address]).await;
    let mut calls = Vec::new();
    while connections(&channel) < CONNECTIONS_MAX {
        calls.push(spawn_check(&channel, "hang"));
        tokio::task::yield_now().await;
    }
    // All are in use; what comes now waits, and no connection is added for it.
    calls.extend((0..CONNECTIONS_MAX * 4).map(|_| spawn_check(&channel, "hang")));
    replica.seen.entered.acquire_many(2 * CONNECTIONS_MAX as u32).await.unwrap().forget();
    until(|| in_flight(&channel) == calls.len()).await;
    assert_eq!(connections(&channel), CONNECTIONS_MAX);
    assert_eq!(replica.seen.entered.available_permits(), 0);

    calls.iter().for_each(tokio::task::JoinHandle::abort);
    until(|| in_flight(&channel) == 0).await;
    check(&channel, "").await.unwrap();
    while connections(&channel) > 1 {
        // In steps that leave the answers to keepalive PINGs the time to come.
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(3)).await;
        tokio::time::resume();
        check(&channel, "").await.unwrap();
    }
    until(|| connections(&channel) == 1).await;
    check(&channel, "").await.unwrap();
}

/// Says GOAWAY with this last stream.
fn goaway(last_stream: u32) -> Vec<u8> {
    frame(GOAWAY, 0, 0, &[last_stream.to_be_bytes(), [0; 4]].concat())
}

#[tokio::test]
async fn what_was_in_flight_at_a_goaway_is_answered_and_what_lay_beyond_it_goes_elsewhere() {
    type LastWords = fn(u32) -> Vec<u8>;
    let answered: LastWords = |stream| [goaway(stream), answer(stream)].concat();
    let refused: LastWords = |_| goaway(0);
    for (last_words, elsewhere) in [(answered, 0), (refused, 1)] {
        let leaving = Wire::start(move |_, stream| Reply::Die(last_words(stream))).await;
        let staying = Replica::start().await;
        let channel = connect(builder().policy(InOrder), &[leaving.address, staying.address]).await;
        check(&channel, "").await.unwrap();
        assert_eq!((leaving.requests(), staying.seen.count()), (1, elsewhere));
        check(&channel, "").await.unwrap();
        assert_eq!((leaving.requests(), staying.seen.count()), (1, elsewhere + 1));
    }
}

#[tokio::test]
async fn after_a_goaway_no_call_is_made_on_the_connection_and_a_new_one_is_opened_beside_it() {
    // The first request on each connection is answered late, by the request that follows elsewhere.
    let leaving =
        Wire::start(|number, stream| Reply::Bytes(if number == 0 { goaway(stream) } else { answer(stream) }))
            .await;
    let channel = connect(builder(), &[leaving.address]).await;
    let waiting = spawn_check(&channel, "");
    until(|| leaving.requests() == 1).await;
    for _ in 0..10 {
        check(&channel, "").await.unwrap();
    }
    assert_eq!(leaving.seen.connections.load(std::sync::atomic::Ordering::SeqCst), 2);
    assert!(!waiting.is_finished(), "the call in flight goes on");
    waiting.abort();
    until(|| in_flight(&channel) == 0).await;
}

/// Servers that never get as far as HTTP/2, each in its own way.
async fn broken() -> (Vec<SocketAddr>, Vec<Box<dyn std::any::Any>>) {
    let refusing = TcpListener::bind(ANYWHERE).await.unwrap().local_addr().unwrap();
    let never_accepting = TcpListener::bind(ANYWHERE).await.unwrap();
    // Closed with the client's preface unread, which makes it a reset.
    let (resetting, first) = raw(|socket| async move { socket.readable().await.unwrap() }).await;
    let (silent, second) = raw(|socket| async move {
        std::future::pending::<()>().await;
        drop(socket);
    })
    .await;
    let addresses = vec![refusing, never_accepting.local_addr().unwrap(), resetting, silent];
    (
        addresses,
        vec![
            Box::new(never_accepting),
            Box::new(Background(Some(first))),
            Box::new(Background(Some(second))),
        ],
    )
}

/// A runtime that may be dropped inside another.
struct Background(Option<tokio::runtime::Runtime>);

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[tokio::test]
async fn servers_that_refuse_hang_or_reset_get_no_call_and_the_status_says_why() {
    let (mut addresses, _held) = broken().await;
    let healthy = Replica::start().await;
    addresses.push(healthy.address);
    let channel =
        builder().connect_timeout(Duration::from_millis(50)).policy(InOrder).endpoints(addresses).build();
    for _ in 0..50 {
        check(&channel, "").await.unwrap();
    }
    assert_eq!(healthy.seen.count(), 50);
    until(|| channel.status()[..4].iter().all(|at| !at.last_error.is_empty())).await;
    assert_eq!(ready(&channel).len(), 1);
    let errors: Vec<_> = channel.status().into_iter().map(|at| at.last_error).collect();
    for (error, expected) in errors.iter().zip(["refused", "no HTTP/2 preface", "", "no HTTP/2 preface", ""])
    {
        assert!(error.contains(expected), "{errors:?}");
    }
}

#[tokio::test]
async fn only_broken_servers_make_a_call_fail_that_names_each() {
    let (addresses, _held) = broken().await;
    let builder = builder().connect_timeout(Duration::from_millis(50)).ready_wait(Duration::from_millis(300));
    let channel = builder.endpoints(addresses.clone()).build();
    let status = check(&channel, "").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(addresses.iter().all(|address| status.message().contains(&address.to_string())), "{status:?}");
}

#[tokio::test]
async fn a_connection_that_ends_while_it_is_idle_is_replaced_before_a_call_needs_it() {
    let mut replica = Replica::start().await;
    let channel = connect(builder(), &[replica.address]).await;
    replica.kill();
    until(|| state_of(&channel, &replica) != Some(ConnectionState::Ready)).await;
    let replica = Replica::at(replica.address, Server::builder()).await;
    until(|| state_of(&channel, &replica) == Some(ConnectionState::Ready)).await;
    check(&channel, "").await.unwrap();
    assert_eq!(in_flight(&channel), 0);
}

#[tokio::test]
async fn a_server_that_allows_no_stream_at_all_costs_a_call_its_deadline_and_no_more() {
    let none_at_once = [0, 3, 0, 0, 0, 0];
    let server = Wire::with_preface(frame(4, 0, 0, &none_at_once), |_, stream| {
        Reply::Bytes(frame(1, END_STREAM | 4, stream, &block(&[(":status", "200"), ("grpc-status", "0")])))
    })
    .await;
    let channel = connect(builder(), &[server.address]).await;
    let deadline = Some(tokio::time::Instant::now() + Duration::from_millis(100));
    let status = plexus_client::deadline::scope(deadline, check(&channel, "")).await.unwrap_err();
    assert_eq!((status.code(), server.requests()), (Code::DeadlineExceeded, 0));
    assert_eq!(in_flight(&channel), 0);
}
#[tokio::test]
async fn calls_that_come_at_once_do_not_wait_behind_each_other_while_connections_can_be_added() {
    let replica = narrow(2).await;
    let channel = connect(builder(), &[replica.address]).await;
    let calls: Vec<_> = (0..2 * CONNECTIONS_MAX).map(|_| spawn_check(&channel, "hang")).collect();
    replica.seen.entered.acquire_many(calls.len() as u32).await.unwrap().forget();
    calls.iter().for_each(tokio::task::JoinHandle::abort);
}
