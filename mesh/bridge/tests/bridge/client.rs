//! A bridge on a free port, and a plain HTTP/1.1 client to it.

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use plexus_bridge::{Backends, Bridge, Settings};
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

use crate::{contract::library, upstream::Upstream};

/// A bridge in front of the made-up contract.
pub(crate) struct Running {
    pub(crate) address: std::net::SocketAddr,
    pub(crate) upstream: Upstream,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) served: JoinHandle<()>,
}

/// An answer read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

impl Running {
    /// Starts a bridge with the default settings changed by `change`.
    pub(crate) async fn start(change: impl FnOnce(&mut Settings)) -> Self {
        let upstream = Upstream::start(library()).await;
        let mut settings = Settings::default();
        change(&mut settings);
        let backends = Backends::new().with("library.v1", upstream.channel.clone());
        let bridge = Bridge::new(settings, backends, library()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(bridge.serve(listener, async move { drop(stopped.await) }));
        Self { address, upstream, stop: Some(stop), served }
    }

    /// Sends a request on a connection of its own; dropping the answer's body closes it.
    pub(crate) async fn open(&self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        let (parts, body) = self.open(request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.send(request("GET", target, &[], "")).await
    }

    pub(crate) async fn post(&self, target: &str, body: &str) -> Answer {
        self.send(request("POST", target, &[("content-type", "application/json")], body)).await
    }
}

/// A request with these headers.
pub(crate) fn request(
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri(target).header("host", "bridge.test");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap()
}
