//! A client on one HTTP/2 connection that it does not replace, so that a test sees what happens to it.

use std::{
    net::SocketAddr,
    task::{Context, Poll},
};

use futures_util::{FutureExt as _, future::BoxFuture};
use http::{HeaderValue, Request, Response, Uri, header::AUTHORIZATION};
use hyper::{
    body::Incoming,
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use plexus_proto::auth::v1::{
    role_service_client::RoleServiceClient, trust_service_client::TrustServiceClient,
};
use tokio::net::TcpStream;
use tonic::body::Body;
use tonic_health::pb::health_client::HealthClient;

/// The connection; clones share it.
#[derive(Clone)]
pub(crate) struct OneConnection {
    sender: SendRequest<Body>,
    token: HeaderValue,
}

impl OneConnection {
    /// Connects to `address`; calls carry `token`.
    pub(crate) async fn open(address: SocketAddr, token: &str) -> Result<Self, hyper::Error> {
        let stream = TcpStream::connect(address).await.unwrap();
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, token: HeaderValue::try_from(format!("Bearer {token}")).unwrap() })
    }

    pub(crate) fn trust(&self) -> TrustServiceClient<Self> {
        TrustServiceClient::with_origin(self.clone(), Uri::from_static("http://under-test"))
    }

    pub(crate) fn roles(&self) -> RoleServiceClient<Self> {
        RoleServiceClient::with_origin(self.clone(), Uri::from_static("http://under-test"))
    }

    pub(crate) fn health(&self) -> HealthClient<Self> {
        HealthClient::with_origin(self.clone(), Uri::from_static("http://under-test"))
    }
}

impl tower::Service<Request<Body>> for OneConnection {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = BoxFuture<'static, Result<Response<Incoming>, hyper::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        self.sender.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        request.headers_mut().insert(AUTHORIZATION, self.token.clone());
        self.sender.send_request(request).boxed()
    }
}
