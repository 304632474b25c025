//! Deadlines, cancellation and the bound on calls in flight.

use std::time::Duration;

use plexus_client::deadline;
use tokio::time::Instant;
use tonic::{Code, Request, Status, body::Body};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tower::Service as _;

use crate::replica::{Replica, Seen, builder, check, connected, serve, until};

const SHORT: Duration = Duration::from_millis(80);

fn request(service: &str, timeout: Duration) -> Request<HealthCheckRequest> {
    let mut request = Request::new(HealthCheckRequest { service: service.to_owned() });
    request.set_timeout(timeout);
    request
}

fn announced(seen: &Seen) -> Option<Duration> {
    let headers = seen.last().into_headers();
    headers.get(deadline::GRPC_TIMEOUT).and_then(deadline::parse)
}

#[tokio::test]
async fn a_server_that_never_answers_ends_in_deadline_exceeded_and_learns_of_it() {
    let replica = Replica::start().await;
    let channel = connected(&[&replica]).await;
    let status = HealthClient::new(channel.clone()).check(request("hang", SHORT)).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    assert!(status.message().contains("health"), "{status:?}");

    let inherited = deadline::scope(Some(Instant::now() + SHORT), check(&channel, "hang")).await;
    assert_eq!(inherited.unwrap_err().code(), Code::DeadlineExceeded);
    replica.seen.cancelled.acquire_many(2).await.unwrap().forget();
    assert_eq!(channel.status()[0].in_flight, 0);
}

#[tokio::test]
async fn a_deadline_covers_the_body_of_a_stream() {
    let replica = Replica::start().await;
    let channel = connected(&[&replica]).await;
    let mut stream = HealthClient::new(channel.clone())
        .watch(request("", Duration::from_millis(300)))
        .await
        .unwrap()
        .into_inner();
    assert!(stream.message().await.unwrap().is_some());
    assert_eq!(stream.message().await.unwrap_err().code(), Code::DeadlineExceeded);
    drop(stream);
    replica.seen.cancelled.acquire().await.unwrap().forget();
}

#[tokio::test]
async fn the_default_deadline_bounds_the_head_but_not_a_stream() {
    let replica = Replica::start().await;
    let channel = builder().endpoints([replica.address]).default_deadline(SHORT).build();
    channel.ready().await;
    let mut client = HealthClient::new(channel.clone());
    let mut stream = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    assert_eq!(announced(&replica.seen), None);

    // A call that begins later runs into the same default deadline; the stream is still open then.
    assert_eq!(check(&channel, "hang").await.unwrap_err().code(), Code::DeadlineExceeded);
    replica.seen.gate.add_permits(1);
    assert!(stream.message().await.unwrap().is_some());
}

#[tokio::test]
async fn the_remaining_time_is_forwarded_and_shrinks() {
    let replica = Replica::start().await;
    let channel = connected(&[&replica]).await;
    let whole = Duration::from_secs(20);
    deadline::scope(Some(Instant::now() + whole), async {
        check(&channel, "").await.unwrap();
        let first = announced(&replica.seen).unwrap();
        check(&channel, "").await.unwrap();
        let second = announced(&replica.seen).unwrap();
        assert!(whole > first && first > second && second > Duration::ZERO, "{first:?} {second:?}");

        // The smaller of the two deadlines holds.
        HealthClient::new(channel.clone()).check(request("", Duration::from_secs(2))).await.unwrap();
        assert!(announced(&replica.seen).unwrap() <= Duration::from_secs(2));
        HealthClient::new(channel.clone()).check(request("", Duration::from_secs(60))).await.unwrap();
        assert!(announced(&replica.seen).unwrap() < second);
    })
    .await;
}

#[tokio::test]
async fn dropping_a_call_or_a_stream_cancels_it_at_the_server() {
    let replica = Replica::start().await;
    let channel = connected(&[&replica]).await;
    let call = tokio::spawn({
        let channel = channel.clone();
        async move { check(&channel, "hang").await }
    });
    replica.seen.entered.acquire().await.unwrap().forget();
    call.abort();
    replica.seen.cancelled.acquire().await.unwrap().forget();

    let mut client = HealthClient::new(channel.clone());
    let mut stream = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    drop(stream);
    replica.seen.cancelled.acquire().await.unwrap().forget();
    until(|| channel.status()[0].in_flight == 0).await;
}

#[tokio::test]
async fn dropping_a_response_cancels_a_request_stream_that_is_still_open() {
    let (address, runtime, cancelled) =
        serve("127.0.0.1:0".parse().unwrap(), |listener, cancelled| async move {
            let (socket, _) = listener.accept().await.unwrap();
            let mut connection = h2::server::handshake(socket).await.unwrap();
            let (request, mut respond) = connection.accept().await.unwrap().unwrap();
            let _open = respond.send_response(http::Response::new(()), false).unwrap();
            let mut body = request.into_body();
            tokio::spawn(async move {
                let error = body.data().await.unwrap().unwrap_err();
                assert_eq!(error.reason(), Some(h2::Reason::CANCEL));
                cancelled.cancel();
            });
            while connection.accept().await.is_some() {}
        })
        .await;
    let mut channel = builder().endpoints([address]).build();
    let endless = tokio_stream::pending::<Result<http_body::Frame<bytes::Bytes>, Status>>();
    let mut request = http::Request::new(Body::new(http_body_util::StreamBody::new(endless)));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = "/chat.v1.Chat/Talk".parse().unwrap();
    let response = channel.call(request).await.unwrap();
    drop(response);
    cancelled.cancelled().await;
    runtime.shutdown_background();
}

#[tokio::test]
async fn a_channel_that_is_full_refuses_at_once_and_recovers() {
    let replica = Replica::start().await;
    let channel = builder().endpoints([replica.address]).in_flight_max(1).build();
    let mut client = HealthClient::new(channel.clone());
    let stream = client.watch(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(check(&channel, "").await.unwrap_err().code(), Code::ResourceExhausted);
    drop(stream);
    check(&channel, "").await.unwrap();
}
