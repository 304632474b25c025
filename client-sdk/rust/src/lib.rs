//! TEMPORARY signatures, so that others can type-check; the author of the SDK replaces this whole file.
#![allow(missing_docs, unused, clippy::all)]
use std::{sync::Arc, time::Duration, task::{Context, Poll}, future::Future, pin::Pin};
use tonic::body::Body;
#[derive(Clone)]
pub struct Channel;
pub struct ChannelBuilder;
pub trait TokenSource: Send + Sync + 'static {}
pub struct StaticToken;
impl StaticToken { pub fn new(_: impl Into<String>) -> Self { Self } }
impl TokenSource for StaticToken {}
impl Channel {
    pub fn builder(_: &str) -> ChannelBuilder { ChannelBuilder }
    pub fn is_ready(&self) -> bool { false }
}
impl ChannelBuilder {
    pub fn endpoints<I: IntoIterator>(self, _: I) -> Self where I::Item: Into<String> { self }
    pub fn token(self, _: Arc<dyn TokenSource>) -> Self { self }
    pub fn default_deadline(self, _: Duration) -> Self { self }
    pub fn build(self) -> Channel { Channel }
}
impl tower::Service<http::Request<Body>> for Channel {
    type Response = http::Response<Body>;
    type Error = tonic::Status;
    type Future = Pin<Box<dyn Future<Output = Result<http::Response<Body>, tonic::Status>> + Send>>;
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), tonic::Status>> { Poll::Ready(Ok(())) }
    fn call(&mut self, _: http::Request<Body>) -> Self::Future { Box::pin(async { Err(tonic::Status::unavailable("signatures only")) }) }
}
pub mod deadline {
    use std::{future::Future, time::Duration};
    pub async fn scope<F: Future>(_: Option<tokio::time::Instant>, f: F) -> F::Output { f.await }
    pub fn current() -> Option<tokio::time::Instant> { None }
    pub fn parse(_: &str) -> Option<Duration> { None }
}
#[cfg(feature = "plexus")]
pub mod plexus {
    pub struct ServiceLogin;
    impl ServiceLogin { pub fn new(_: super::Channel, _: &str, _: &str) -> Self { Self } }
    impl super::TokenSource for ServiceLogin {}
}
