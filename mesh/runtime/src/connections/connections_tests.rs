//! Connections over real HTTP/2, with limits of milliseconds.

use std::net::SocketAddr;

use axum::{Extension, body::Body, routing::get};
use http::Request;
use http_body_util::BodyExt as _;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{sync::mpsc, task::JoinHandle};
use tonic::transport::server::TcpConnectInfo;

use super::*;

const LIMITS: Limits = Limits {
    connections_max: 8,
    preface_timeout: Duration::from_secs(10),
    age: None,
    age_grace: Duration::from_secs(3600),
};

/// A server of three pages: one at once, one never, and one that ends when it is told.
struct Server {
    address: SocketAddr,
    ending: Ending,
    ended: JoinHandle<()>,
    /// Says `true` when the page that never comes is asked for, `false` when its handler is dropped.
    inside: mpsc::UnboundedReceiver<bool>,
}

struct Inside(mpsc::UnboundedSender<bool>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.send(false).ok();
    }
}

fn router(inside: mpsc::UnboundedSender<bool>) -> Router {
    let never = move || async move {
        inside.send(true).ok();
        let _inside = Inside(inside);
        std::future::pending::<()>().await;
    };
    let peer = |Extension(peer): Extension<TcpConnectInfo>| async move {
        peer.remote_addr().map(|address| address.to_string()).unwrap_or_default()
    };
    Router::new().route("/peer", get(peer)).route("/never", get(never))
}

impl Server {
    async fn start(limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, inside) = mpsc::unbounded_channel();
        let ending = Ending::default();
        let ended = tokio::spawn(serve(listener, router(sender), limits, ending.clone()));
        Self { address, ending, ended, inside }
    }
}

/// A connection, and its own address.
async fn connect(address: SocketAddr) -> (SendRequest<Body>, SocketAddr) {
    let stream = TcpStream::connect(address).await.unwrap();
    let own = stream.local_addr().unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    (sender, own)
}

async fn get_page(sender: &SendRequest<Body>, path: &str) -> Result<String, hyper::Error> {
    let request = Request::get(format!("http://server{path}")).body(Body::empty()).unwrap();
    let answer = sender.clone().send_request(request).await?;
    let bytes = answer.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test]
async fn a_handler_is_told_who_calls() {
    let server = Server::start(LIMITS).await;
    let (sender, own) = connect(server.address).await;
    assert_eq!(get_page(&sender, "/peer").await.unwrap(), own.to_string());
}

#[tokio::test]
async fn a_cut_drops_calls_that_do_not_end_and_leaves_no_task() {
    let mut server = Server::start(LIMITS).await;
    let (sender, _) = connect(server.address).await;
    let call = tokio::spawn(async move { get_page(&sender, "/never").await });
    assert_eq!(server.inside.recv().await, Some(true));
    server.ending.drain.cancel();
    server.ending.cut.cancel();
    server.ended.await.unwrap();
    assert_eq!(server.inside.try_recv(), Ok(false), "the handler is gone when the server says so");
    call.await.unwrap().unwrap_err();
}

#[tokio::test]
async fn an_old_connection_takes_nothing_new_finishes_nothing_endless_and_is_cut_after_its_grace() {
    let (age, age_grace) = (Some(Duration::from_millis(50)), Duration::from_millis(50));
    let mut server = Server::start(Limits { age, age_grace, ..LIMITS }).await;
    let (sender, _) = connect(server.address).await;
    let endless = tokio::spawn({
        let sender = sender.clone();
        async move { get_page(&sender, "/never").await }
    });
    assert_eq!(server.inside.recv().await, Some(true));
    // Calls are answered until GOAWAY comes.
    while get_page(&sender, "/peer").await.is_ok() {}
    endless.await.unwrap().unwrap_err();
    assert_eq!(server.inside.recv().await, Some(false));
    // The server itself goes on.
    let (sender, own) = connect(server.address).await;
    assert_eq!(get_page(&sender, "/peer").await.unwrap(), own.to_string());
}

#[tokio::test]
async fn whom_the_kernel_let_in_before_the_drain_gets_an_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, own) = connect(address).await;
    let call = tokio::spawn(async move { get_page(&sender, "/peer").await });
    let ending = Ending::default();
    ending.drain.cancel();
    serve(listener, router(mpsc::unbounded_channel().0), LIMITS, ending).await;
    assert_eq!(call.await.unwrap().unwrap(), own.to_string());
}

#[tokio::test]
async fn a_silent_connection_does_not_hold_up_a_drain() {
    let server = Server::start(Limits { preface_timeout: Duration::from_secs(3600), ..LIMITS }).await;
    let silent = TcpStream::connect(server.address).await.unwrap();
    server.ending.drain.cancel();
    server.ended.await.unwrap();
    drop(silent);
}
