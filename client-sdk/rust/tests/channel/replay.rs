//! Calls whose replica dies in their midst: which are made again elsewhere, and which fail and say where.

use bytes::Bytes;
use http_body_util::{BodyExt as _, StreamBody};
use plexus_client::Channel;
use tokio_stream::{StreamExt as _, wrappers::UnboundedReceiverStream};
use tonic::{Code, Status, body::Body};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tower::Service as _;

use crate::{
    replica::{InOrder, Replica, builder, check, connect, idempotent, serve},
    wire::{Reply, Wire, head, message},
};

/// Preferred, until it dies after the first request; before that it says `last_words` on its stream.
async fn dying(last_words: fn(u32) -> Vec<u8>) -> Wire {
    Wire::start(move |_, stream| Reply::Die(last_words(stream))).await
}

/// Before the head of the response, after it, and between the message and the trailers.
const DEATHS: [fn(u32) -> Vec<u8>; 3] =
    [|_| Vec::new(), head, |stream| [head(stream), message(stream)].concat()];

#[tokio::test]
async fn an_idempotent_call_whose_replica_dies_at_any_moment_is_answered_by_another() {
    for last_words in DEATHS {
        let (dying, healthy) = (dying(last_words).await, Replica::start().await);
        let channel = connect(idempotent().policy(InOrder), &[dying.address, healthy.address]).await;
        check(&channel, "").await.unwrap();
        assert_eq!((dying.requests(), healthy.seen.count()), (1, 1));
        assert_eq!(healthy.seen.header("grpc-previous-rpc-attempts"), ["1"]);
    }
}

#[tokio::test]
async fn a_call_that_must_not_run_twice_fails_and_names_the_replica_that_had_it() {
    for last_words in DEATHS {
        let (dying, healthy) = (dying(last_words).await, Replica::start().await);
        let channel = connect(builder().policy(InOrder), &[dying.address, healthy.address]).await;
        let status = check(&channel, "").await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        assert!(status.message().contains(&dying.address.to_string()), "{status:?}");
        assert_eq!((dying.requests(), healthy.seen.count()), (1, 0));
    }
}

#[tokio::test]
async fn a_retry_policy_does_not_make_a_method_idempotent() {
    let policy = r#"{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 4, "initialBackoff": "0.01s",
        "maxBackoff": "0.01s", "backoffMultiplier": 1, "retryableStatusCodes": ["UNAVAILABLE"]}}]}"#;
    let (dying, healthy) = (dying(DEATHS[0]).await, Replica::start().await);
    let builder = builder().service_config(policy).unwrap().policy(InOrder);
    let channel = connect(builder, &[dying.address, healthy.address]).await;
    assert_eq!(check(&channel, "").await.unwrap_err().code(), Code::Unavailable);
    assert_eq!((dying.requests(), healthy.seen.count()), (1, 0));
}

#[tokio::test]
async fn a_stream_that_has_delivered_a_message_is_not_replayed_and_its_error_reaches_the_caller() {
    let (dying, healthy) = (dying(DEATHS[2]).await, Replica::start().await);
    let channel = connect(idempotent().policy(InOrder), &[dying.address, healthy.address]).await;
    let mut client = HealthClient::new(channel.clone());
    let mut stream = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    let status = stream.message().await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(status.message().contains(&dying.address.to_string()), "{status:?}");
    assert_eq!(healthy.seen.count(), 0);
    assert_eq!(channel.status().iter().map(|at| at.in_flight).sum::<usize>(), 0);
}

#[tokio::test]
async fn a_stream_that_has_delivered_nothing_is_opened_at_another_replica() {
    let (dying, healthy) = (dying(DEATHS[0]).await, Replica::start().await);
    let channel = connect(idempotent().policy(InOrder), &[dying.address, healthy.address]).await;
    let mut client = HealthClient::new(channel);
    let mut stream = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    assert_eq!((dying.requests(), healthy.seen.count()), (1, 1));
}

/// Takes one request; with `chunks_max` it dies after so many chunks, else it answers at the end. Yields
/// what it got.
async fn listening(
    chunks_max: Option<usize>,
) -> (std::net::SocketAddr, tokio::runtime::Runtime, tokio::sync::oneshot::Receiver<Vec<u8>>) {
    let (sender, got) = tokio::sync::oneshot::channel();
    let (address, runtime, _) = serve("127.0.0.1:0".parse().unwrap(), move |listener, _| async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(socket).await.unwrap();
        let (request, mut respond) = connection.accept().await.unwrap().unwrap();
        let mut body = request.into_body();
        let reading = async {
            let mut bytes = Vec::new();
            let mut chunks = 0;
            while chunks_max != Some(chunks)
                && let Some(chunk) = body.data().await
            {
                bytes.extend(chunk.unwrap());
                chunks += 1;
            }
            bytes
        };
        let bytes = tokio::select! {
            bytes = reading => bytes,
            _ = connection.accept() => unreachable!("one request only"),
        };
        sender.send(bytes).unwrap();
        if chunks_max.is_none() {
            let head = http::Response::builder().header("content-type", "application/grpc");
            let head = head.header("grpc-status", "0").body(()).unwrap();
            respond.send_response(head, true).unwrap();
            while connection.accept().await.is_some() {}
        }
    })
    .await;
    (address, runtime, got)
}

#[tokio::test]
async fn a_request_stream_goes_whole_to_another_replica_when_the_first_dies_in_its_midst() {
    let (dying, first_runtime, first_got) = listening(Some(1)).await;
    let (healthy, second_runtime, second_got) = listening(None).await;
    let builder = builder().idempotent("/chat.v1.Chat/Talk").unwrap().policy(InOrder);
    let mut channel: Channel = connect(builder, &[dying, healthy]).await;

    let (sender, chunks) = tokio::sync::mpsc::unbounded_channel::<Bytes>();
    let chunks = UnboundedReceiverStream::new(chunks);
    let frames = chunks.map(|chunk| Ok::<_, Status>(http_body::Frame::data(chunk)));
    let mut request = http::Request::new(Body::new(StreamBody::new(frames)));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = "/chat.v1.Chat/Talk".parse().unwrap();
    let call = tokio::spawn(channel.call(request));
    sender.send(Bytes::from_static(b"first ")).unwrap();
    assert_eq!(first_got.await.unwrap(), b"first ");
    sender.send(Bytes::from_static(b"second")).unwrap();
    drop(sender);

    assert_eq!(second_got.await.unwrap(), b"first second");
    let response = call.await.unwrap().unwrap();
    assert_eq!(response.headers()["grpc-status"], "0");
    assert!(response.into_body().collect().await.unwrap().to_bytes().is_empty());
    first_runtime.shutdown_background();
    second_runtime.shutdown_background();
}
