//! The service login: one exchange for many calls, replaced in time, and never over a caller's own token.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use plexus_client::{Channel, plexus::ServiceLogin};
use plexus_proto::auth::v1::{
    GetJwksRequest, GetJwksResponse, IssueServiceTokenRequest, IssueServiceTokenResponse, TrustBundle,
    WatchTrustRequest,
    trust_service_server::{TrustService, TrustServiceServer},
};
use tokio::runtime::Runtime;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Code, Request, Response, Status, transport::Server};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::replica::{Replica, builder, check, serve};

const LIFE: Duration = Duration::from_secs(600);

#[derive(Default)]
struct State {
    issued: AtomicUsize,
    is_down: AtomicBool,
}

struct Auth(Arc<State>);

#[tonic::async_trait]
impl TrustService for Auth {
    type WatchTrustStream = tokio_stream::Empty<Result<TrustBundle, Status>>;

    async fn get_jwks(&self, _: Request<GetJwksRequest>) -> Result<Response<GetJwksResponse>, Status> {
        Ok(Response::new(GetJwksResponse::default()))
    }

    async fn watch_trust(
        &self,
        _: Request<WatchTrustRequest>,
    ) -> Result<Response<Self::WatchTrustStream>, Status> {
        Ok(Response::new(tokio_stream::empty()))
    }

    async fn issue_service_token(
        &self,
        request: Request<IssueServiceTokenRequest>,
    ) -> Result<Response<IssueServiceTokenResponse>, Status> {
        if self.0.is_down.load(Ordering::SeqCst) {
            return Err(Status::unavailable("down"));
        }
        let request = request.into_inner();
        if request.mesh_secret != "secret" {
            return Err(Status::unauthenticated("wrong secret"));
        }
        let number = self.0.issued.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(Response::new(IssueServiceTokenResponse {
            access_token: format!("{}-{number}", request.service),
            access_token_expire_time: Some((SystemTime::now() + LIFE).into()),
        }))
    }
}

struct Fixture {
    state: Arc<State>,
    address: SocketAddr,
    replica: Replica,
    runtime: Option<Runtime>,
}

impl Fixture {
    async fn start() -> Self {
        let state = Arc::new(State::default());
        let service = TrustServiceServer::new(Auth(Arc::clone(&state)));
        let (address, runtime, _) = serve("127.0.0.1:0".parse().unwrap(), move |listener, _| {
            Server::builder().add_service(service).serve_with_incoming(TcpListenerStream::new(listener))
        })
        .await;
        Self { state, address, replica: Replica::start().await, runtime: Some(runtime) }
    }

    fn channel(&self, secret: &str) -> Channel {
        let auth = builder().endpoints([self.address]).build();
        builder().endpoints([self.replica.address]).token(ServiceLogin::new("ai", secret, auth)).build()
    }

    fn issued(&self) -> usize {
        self.state.issued.load(Ordering::SeqCst)
    }

    fn seen(&self) -> String {
        self.replica.seen.last().get("authorization").unwrap().to_str().unwrap().to_owned()
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Lets time pass here, not at the servers: they run in runtimes of their own.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn many_calls_at_once_log_in_once() {
    let fixture = Fixture::start().await;
    let channel = fixture.channel("secret");
    let calls = (0..20).map(|_| {
        let channel = channel.clone();
        tokio::spawn(async move { check(&channel, "").await })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap().unwrap();
    }
    assert_eq!(fixture.issued(), 1);
    assert_eq!(fixture.seen(), "Bearer ai-1");
}

#[tokio::test]
async fn a_token_is_replaced_when_less_than_a_third_of_its_life_remains() {
    let fixture = Fixture::start().await;
    let channel = fixture.channel("secret");
    check(&channel, "").await.unwrap();
    pass(LIFE / 2).await;
    check(&channel, "").await.unwrap();
    assert_eq!(fixture.seen(), "Bearer ai-1");
    pass(LIFE / 5).await;
    check(&channel, "").await.unwrap();
    assert_eq!(fixture.seen(), "Bearer ai-2");
}

#[tokio::test]
async fn while_auth_is_down_a_token_serves_until_it_expires() {
    let fixture = Fixture::start().await;
    let channel = fixture.channel("secret");
    check(&channel, "").await.unwrap();
    fixture.state.is_down.store(true, Ordering::SeqCst);
    pass(LIFE * 9 / 10).await;
    check(&channel, "").await.unwrap();
    assert_eq!(fixture.seen(), "Bearer ai-1");
    pass(LIFE / 5).await;
    assert_eq!(check(&channel, "").await.unwrap_err().code(), Code::Unavailable);
    fixture.state.is_down.store(false, Ordering::SeqCst);
    check(&channel, "").await.unwrap();
    assert_eq!(fixture.seen(), "Bearer ai-2");
}

#[tokio::test]
async fn a_request_keeps_the_token_that_it_carries_and_a_wrong_secret_ends_the_call() {
    let fixture = Fixture::start().await;
    let mut request = Request::new(HealthCheckRequest::default());
    request.metadata_mut().insert("authorization", "Bearer of-a-user".parse().unwrap());
    HealthClient::new(fixture.channel("wrong")).check(request).await.unwrap();
    assert_eq!(fixture.seen(), "Bearer of-a-user");
    let status = check(&fixture.channel("wrong"), "").await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
}
