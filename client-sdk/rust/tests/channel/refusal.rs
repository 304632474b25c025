//! Requests that no server processed are sent again; why none could be sent is said by name.

use std::{net::SocketAddr, time::Duration};

use plexus_client::ConnectionState;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tonic::{Code, transport::Server};

use crate::replica::{InOrder, Replica, builder, check, serve, until};

const ANYWHERE: &str = "127.0.0.1:0";

/// A server that resets every stream with this reason, once its head has come.
async fn resetting(reason: h2::Reason) -> (SocketAddr, tokio::runtime::Runtime) {
    let (address, runtime, _) = serve(ANYWHERE.parse().unwrap(), move |listener, _| async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(socket).await.unwrap();
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    respond.send_reset(reason);
                }
            });
        }
    })
    .await;
    (address, runtime)
}

/// A server that accepts connections and, at the head of a request, says GOAWAY: nothing was processed.
async fn leaving() -> (SocketAddr, tokio::runtime::Runtime) {
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    const HEADERS: u8 = 1;
    let (address, runtime, _) = serve(ANYWHERE.parse().unwrap(), |listener, _| async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                socket.write_all(&SETTINGS).await.unwrap();
                socket.read_exact(&mut [0; b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len()]).await.unwrap();
                let mut head = [0; 9];
                while socket.read_exact(&mut head).await.is_ok() {
                    let length = usize::from(head[1]) << 8 | usize::from(head[2]);
                    socket.read_exact(&mut vec![0; length]).await.unwrap();
                    if head[3] == HEADERS {
                        socket.write_all(&GOAWAY).await.unwrap();
                    }
                }
            });
        }
    })
    .await;
    (address, runtime)
}

async fn preferring(first: SocketAddr, second: &Replica) -> plexus_client::Channel {
    let resolver = plexus_client::ManualResolver::new([first.into()]);
    let channel = builder().resolver(resolver.clone()).policy(InOrder).build();
    channel.ready().await;
    resolver.replace([first.into(), second.address.into()]);
    until(|| channel.status().iter().filter(|at| at.state == ConnectionState::Ready).count() == 2).await;
    channel
}

#[tokio::test]
async fn a_refused_request_goes_whole_to_another_replica() {
    let (refusing, runtime) = resetting(h2::Reason::REFUSED_STREAM).await;
    let healthy = Replica::start().await;
    let channel = preferring(refusing, &healthy).await;
    // The answer depends on the request's body, so the body was sent again, too.
    let status = check(&channel, "missing").await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert_eq!(healthy.seen.count(), 1);
    runtime.shutdown_background();
}

#[tokio::test]
async fn a_request_beyond_the_last_stream_of_a_goaway_goes_to_another_replica() {
    let (leaving, runtime) = leaving().await;
    let healthy = Replica::start().await;
    let channel = preferring(leaving, &healthy).await;
    check(&channel, "").await.unwrap();
    assert_eq!(healthy.seen.count(), 1);
    runtime.shutdown_background();
}

#[tokio::test]
async fn a_request_that_a_server_may_have_processed_is_not_sent_again() {
    let (failing, runtime) = resetting(h2::Reason::INTERNAL_ERROR).await;
    let healthy = Replica::start().await;
    let channel = preferring(failing, &healthy).await;
    let status = check(&channel, "").await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(status.message().contains(&failing.to_string()), "{status:?}");
    assert_eq!(healthy.seen.count(), 0);
    runtime.shutdown_background();
}

#[tokio::test]
async fn a_request_that_all_replicas_refuse_fails_after_a_bounded_number_of_attempts() {
    let (refusing, runtime) = resetting(h2::Reason::REFUSED_STREAM).await;
    let channel = builder().endpoints([refusing]).build();
    let status = check(&channel, "").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains(&refusing.to_string()), "{status:?}");
    runtime.shutdown_background();
}

#[tokio::test]
async fn calls_go_elsewhere_while_all_streams_of_a_replica_are_taken() {
    let narrow = Server::builder().max_concurrent_streams(1);
    let mut narrow = Replica::at(ANYWHERE.parse().unwrap(), narrow).await;
    let other = Replica::start().await;
    let channel = preferring(narrow.address, &other).await;

    let spawn = |service: &'static str| {
        let channel = channel.clone();
        tokio::spawn(async move { check(&channel, service).await })
    };
    let sent = spawn("hang");
    narrow.seen.entered.acquire().await.unwrap().forget();
    check(&channel, "").await.unwrap();
    assert_eq!(other.seen.count(), 1);
    narrow.kill();
    assert_eq!(sent.await.unwrap().unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn without_a_ready_replica_the_error_names_each_one_and_its_last_error() {
    let mut gone = [Replica::start().await, Replica::start().await];
    gone.iter_mut().for_each(Replica::kill);
    let addresses = [gone[0].address, gone[1].address];
    until(|| addresses.iter().all(|address| std::net::TcpStream::connect(address).is_err())).await;
    let channel = builder().endpoints(addresses).build();
    until(|| channel.status().len() == 2 && channel.status().iter().all(|at| !at.last_error.is_empty()))
        .await;

    let impatient = plexus_client::deadline::scope(
        Some(tokio::time::Instant::now() + Duration::from_millis(50)),
        check(&channel, ""),
    );
    let status = impatient.await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    for address in addresses {
        assert!(status.message().contains(&address.to_string()), "{status:?}");
    }
    assert!(status.message().contains("refused"), "{status:?}");
}

#[tokio::test]
async fn a_process_that_accepts_and_says_nothing_is_not_ready() {
    let listener = TcpListener::bind(ANYWHERE).await.unwrap();
    let channel = builder()
        .endpoints([listener.local_addr().unwrap()])
        .connect_timeout(Duration::from_millis(30))
        .ready_wait(Duration::from_millis(200))
        .build();
    let status = check(&channel, "").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("no HTTP/2 preface"), "{status:?}");
}
