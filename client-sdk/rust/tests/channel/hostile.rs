//! Servers that break the rules: their calls fail with a clear status, and nobody else notices.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use plexus_client::{
    ConnectionState, deadline,
    pick::{HashKey, RingHash},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::Instant,
};
use tonic::{Code, Status, body::Body};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tower::Service as _;

use crate::{
    replica::{
        InOrder, Replica, builder, check, connect, idempotent, in_flight, spawn_check, state_of, until,
    },
    wire::{
        DATA, END_HEADERS, END_STREAM, HEADERS, PING, RST_STREAM, Reply, SETTINGS, Wire, answer, block,
        frame, head, message, raw, trailers,
    },
};

/// The status of a call that such an answer meets.
async fn met(reply: impl Fn(u32) -> Vec<u8> + Send + Sync + 'static) -> (Status, SocketAddr) {
    let server = Wire::start(move |_, stream| Reply::Bytes(reply(stream))).await;
    let channel = connect(builder(), &[server.address]).await;
    let status = check(&channel, "").await.unwrap_err();
    until(|| in_flight(&channel) == 0).await;
    (status, server.address)
}

fn page(status: &'static str, content_type: &'static str) -> impl Fn(u32) -> Vec<u8> + Send + Sync {
    move |stream| {
        let fields = [(":status", status), ("content-type", content_type)];
        let head = frame(HEADERS, END_HEADERS, stream, &block(&fields));
        [head, frame(DATA, END_STREAM, stream, b"<html>no gRPC here</html>")].concat()
    }
}

#[tokio::test]
async fn an_answer_that_is_not_grpc_gets_the_code_of_its_http_status_and_names_the_replica() {
    // "HTTP to gRPC Status Code Mapping".
    let table = [
        ("502", "text/html", Code::Unavailable),
        ("503", "text/html", Code::Unavailable),
        ("504", "text/html", Code::Unavailable),
        ("429", "text/html", Code::Unavailable),
        ("400", "text/html", Code::Internal),
        ("401", "text/html", Code::Unauthenticated),
        ("403", "text/html", Code::PermissionDenied),
        ("404", "text/html", Code::Unimplemented),
        ("500", "text/html", Code::Unknown),
        ("200", "text/html", Code::Unknown),
        ("502", "application/grpc", Code::Unavailable),
    ];
    for (http_status, content_type, expected) in table {
        let (status, address) = met(page(http_status, content_type)).await;
        assert_eq!(status.code(), expected, "{http_status} {content_type}: {status:?}");
        assert!(status.message().contains(&address.to_string()), "{status:?}");
        assert!(status.message().contains(http_status), "{status:?}");
    }
}

#[tokio::test]
async fn a_gateway_that_cannot_reach_its_replica_is_passed_over_for_idempotent_calls() {
    let gateway = Wire::start(|_, stream| Reply::Bytes(page("502", "text/html")(stream))).await;
    let healthy = Replica::start().await;
    let channel = connect(idempotent().policy(InOrder), &[gateway.address, healthy.address]).await;
    check(&channel, "").await.unwrap();
    assert_eq!((gateway.requests(), healthy.seen.count()), (1, 1));
}

#[tokio::test]
async fn an_answer_that_ends_without_a_status_is_no_success() {
    let cut: [fn(u32) -> Vec<u8>; 4] = [
        |stream| [head(stream), frame(DATA, END_STREAM, stream, &[0, 0, 0, 0, 2, 8, 1])].concat(),
        |stream| [head(stream), frame(DATA, END_STREAM, stream, &[0, 0, 0, 0, 2, 8])].concat(),
        |stream| {
            let fields = [(":status", "200"), ("content-type", "application/grpc")];
            frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(&fields))
        },
        |stream| {
            let trailers = frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(&[("other", "1")]));
            [head(stream), message(stream), trailers].concat()
        },
    ];
    for (case, reply) in cut.into_iter().enumerate() {
        let (status, address) = met(reply).await;
        assert_eq!(status.code(), Code::Unknown, "{case}: {status:?}");
        assert!(status.message().contains(&address.to_string()), "{case}: {status:?}");
    }
}

#[tokio::test]
async fn a_stream_that_ends_without_a_status_is_no_success() {
    let server = Wire::start(|_, stream| {
        Reply::Bytes([head(stream), message(stream), frame(DATA, END_STREAM, stream, &[])].concat())
    })
    .await;
    let channel = connect(builder(), &[server.address]).await;
    let mut client = HealthClient::new(channel);
    let mut updates = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert!(updates.message().await.unwrap().is_some());
    assert_eq!(updates.message().await.unwrap_err().code(), Code::Unknown);
}

#[tokio::test]
async fn headers_beyond_the_limit_end_the_call_and_not_the_channel() {
    let huge = "x".repeat(16_000);
    let server = Wire::start(move |number, stream| {
        if number > 0 {
            return Reply::Bytes(answer(stream));
        }
        // 80 kB in a row; each part is within the limit of a frame.
        let mut bytes = frame(HEADERS, 0, stream, &block(&[(":status", "200")]));
        for _ in 0..5 {
            bytes.extend(frame(9, 0, stream, &block(&[("huge", &huge)])));
        }
        bytes.extend(frame(9, END_HEADERS, stream, &[]));
        Reply::Bytes(bytes)
    })
    .await;
    let channel = connect(builder(), &[server.address]).await;
    let status = check(&channel, "").await.unwrap_err();
    assert!(status.message().contains(&server.address.to_string()), "{status:?}");
    assert_ne!(status.code(), Code::Unknown, "{status:?}");
    check(&channel, "").await.unwrap();
    assert_eq!(in_flight(&channel), 0);
}

#[tokio::test]
async fn headers_that_never_end_break_the_connection_and_not_the_client() {
    let (endless, runtime) = raw(|mut socket| async move {
        socket.write_all(&frame(SETTINGS, 0, 0, &[])).await.ok();
        // Until the first request has come: preface, settings and its frames.
        socket.read_exact(&mut [0; 100]).await.ok();
        let mut bytes = frame(HEADERS, 0, 1, &block(&[(":status", "200")]));
        while socket.write_all(&bytes).await.is_ok() {
            bytes = frame(9, 0, 1, &block(&[("more", "and more")]));
        }
    })
    .await;
    let healthy = Replica::start().await;
    let channel = connect(builder().policy(InOrder), &[endless, healthy.address]).await;
    let status = check(&channel, "").await.unwrap_err();
    assert!(status.message().contains(&endless.to_string()), "{status:?}");
    assert_eq!(in_flight(&channel), 0);
    runtime.shutdown_background();
}

/// A healthy replica beside this server answers as if it were alone.
async fn others_are_served(talk: fn(TcpStream) -> futures_util::future::BoxFuture<'static, ()>) {
    let (hostile, runtime) = raw(talk).await;
    let healthy = Replica::start().await;
    let channel = builder().endpoints([hostile, healthy.address]).build();
    until(|| state_of(&channel, &healthy) == Some(ConnectionState::Ready)).await;
    let brief = Duration::from_millis(200);
    let mut answered = 0;
    while answered < 100 {
        match deadline::scope(Some(Instant::now() + brief), check(&channel, "")).await {
            Ok(_) => answered += 1,
            // It was sent to the hostile one.
            Err(status) => assert!(
                matches!(status.code(), Code::DeadlineExceeded | Code::Unavailable | Code::Internal),
                "{status:?}"
            ),
        }
    }
    assert!(healthy.seen.count() >= answered);
    until(|| in_flight(&channel) == 0).await;
    runtime.shutdown_background();
}

#[tokio::test]
async fn a_server_that_speaks_another_protocol_is_never_ready() {
    let texts: [&[u8]; 4] = [
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
        b"\x15\x03\x03\x00\x02\x02\x28",
        b"x",
    ];
    for text in texts {
        let (address, runtime) = raw(move |mut socket| async move {
            socket.write_all(text).await.ok();
            socket.read_to_end(&mut Vec::new()).await.ok();
        })
        .await;
        let builder = builder().connect_timeout(Duration::from_millis(100));
        let channel = builder.ready_wait(Duration::from_millis(250)).endpoints([address]).build();
        let status = check(&channel, "").await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        assert!(status.message().contains("no endpoint of health is ready"), "{text:?}: {status:?}");
        runtime.shutdown_background();
    }
}

#[tokio::test]
async fn a_server_that_sends_its_preface_byte_by_byte_is_not_ready_before_its_end() {
    let (address, runtime) = raw(|mut socket| async move {
        let preface = frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 9]);
        for byte in &preface[..preface.len() - 1] {
            socket.write_all(&[*byte]).await.ok();
        }
        std::future::pending::<()>().await;
    })
    .await;
    let builder = builder().connect_timeout(Duration::from_millis(100));
    let channel = builder.ready_wait(Duration::from_millis(250)).endpoints([address]).build();
    let status = check(&channel, "").await.unwrap_err();
    assert!(status.message().contains("no HTTP/2 preface"), "{status:?}");
    runtime.shutdown_background();
}

#[tokio::test]
async fn endless_pings_settings_and_resets_keep_no_other_replica_from_its_calls() {
    let floods: [fn(TcpStream) -> futures_util::future::BoxFuture<'static, ()>; 3] = [
        |socket| Box::pin(flood(socket, frame(PING, 0, 0, &[7; 8]))),
        |socket| Box::pin(flood(socket, frame(SETTINGS, 0, 0, &[]))),
        |socket| Box::pin(flood(socket, frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]))),
    ];
    for talk in floods {
        others_are_served(talk).await;
    }
}

async fn flood(mut socket: TcpStream, bytes: Vec<u8>) {
    socket.write_all(&frame(SETTINGS, 0, 0, &[])).await.ok();
    let many = bytes.repeat(1_000);
    while socket.write_all(&many).await.is_ok() {}
}

#[tokio::test]
async fn a_server_that_resets_every_stream_costs_each_call_itself_alone() {
    let server = Wire::start(|_, stream| Reply::Bytes(frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]))).await;
    let channel = connect(builder().no_ejection(), &[server.address]).await;
    for _ in 0..2_000 {
        assert_eq!(check(&channel, "").await.unwrap_err().code(), Code::Cancelled);
    }
    assert_eq!(in_flight(&channel), 0);
    assert_eq!(server.requests(), 2_000);
}

#[tokio::test]
async fn a_server_that_reads_nothing_leaves_rotation_when_its_pings_are_not_answered() {
    let (mute, runtime) = raw(|mut socket| async move {
        socket.write_all(&frame(SETTINGS, 0, 0, &[])).await.ok();
        std::future::pending().await
    })
    .await;
    let channel = connect(builder(), &[mute]).await;
    let call = spawn_check(&channel, "");
    until(|| in_flight(&channel) == 1).await;
    while channel.status()[0].last_error.is_empty() {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(1)).await;
        tokio::time::resume();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(channel.status()[0].last_error.contains("keep-alive timed out"), "{:?}", channel.status());
    let status = call.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    runtime.shutdown_background();
}

#[tokio::test]
async fn a_request_without_the_field_of_the_ring_is_sent_all_the_same() {
    let server = Wire::start(|_, stream| Reply::Bytes([head(stream), trailers(stream, "0")].concat())).await;
    let ring = RingHash::new(HashKey::Field(1));
    let mut channel = connect(builder().policy(ring), &[server.address]).await;
    let bodies: [&'static [u8]; 9] = [
        b"",
        b"\0",
        b"\0\0\0\0\0",
        b"\x01\0\0\0\x04\x0a\x02ab",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\0\xff\xff\xff\xff\x0a\xff\xff\xff\xff\x0f",
        b"\0\0\0\0\x02\x0a\x7f",
        b"\0\0\0\0\x0b\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
        b"\0\0\0\0\x02\x0b\x0c",
    ];
    for body in bodies {
        let body = Body::new(http_body_util::Full::new(Bytes::from_static(body)));
        let mut request = http::Request::new(body);
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = "/chat.v1.Chat/Talk".parse().unwrap();
        assert!(channel.call(request).await.is_ok());
    }
    assert_eq!(server.requests(), bodies.len());
}

#[tokio::test]
async fn a_request_stream_that_fails_gives_the_caller_its_own_error() {
    let replica = Replica::start().await;
    for builder in [builder(), builder().policy(RingHash::new(HashKey::Field(1)))] {
        let mut channel = connect(builder, &[replica.address]).await;
        let failing = tokio_stream::once(Err::<http_body::Frame<Bytes>, _>(Status::data_loss("mine")));
        let mut request = http::Request::new(Body::new(http_body_util::StreamBody::new(failing)));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = "/chat.v1.Chat/Talk".parse().unwrap();
        let status = channel.call(request).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::DataLoss, "mine"));
    }
}
