//! The real contract end to end: a login through REST at a server that the contract generated.

use plexus_bridge::{Backends, Bridge, Settings};
use plexus_client::Channel;
use plexus_proto::auth::v1::{
    LoginRequest, LoginResponse, LogoutRequest, LogoutResponse, RefreshRequest, RefreshResponse, TokenPair,
    User, WhoAmIRequest, WhoAmIResponse,
    session_service_server::{SessionService, SessionServiceServer},
};
use plexus_runtime::status::{Code, Problem, Reason};
use prost_reflect::DescriptorPool;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};
use tower::ServiceExt as _;

struct Sessions;

#[tonic::async_trait]
impl SessionService for Sessions {
    async fn login(&self, request: Request<LoginRequest>) -> Result<Response<LoginResponse>, Status> {
        let request = request.into_inner();
        if request.password != "correct horse battery" {
            let problem = Problem::new(
                Code::Unauthenticated,
                Reason::WrongCredentials,
                "the name or password is wrong",
            );
            return Err(problem.into());
        }
        let time = prost_types::Timestamp { seconds: 1_800_000_000, nanos: 0 };
        let tokens = TokenPair {
            access_token: "jwt".to_owned(),
            access_token_expire_time: Some(time),
            ..TokenPair::default()
        };
        let user = User { login_name: request.login_name, ..User::default() };
        Ok(Response::new(LoginResponse { tokens: Some(tokens), user: Some(user) }))
    }

    async fn refresh(&self, _: Request<RefreshRequest>) -> Result<Response<RefreshResponse>, Status> {
        Err(Status::unimplemented("not in this test"))
    }

    async fn logout(&self, _: Request<LogoutRequest>) -> Result<Response<LogoutResponse>, Status> {
        Ok(Response::new(LogoutResponse {}))
    }

    async fn who_am_i(&self, request: Request<WhoAmIRequest>) -> Result<Response<WhoAmIResponse>, Status> {
        let token = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        let subject = token.ok_or_else(|| Status::unauthenticated("no token"))?.to_owned();
        Ok(Response::new(WhoAmIResponse { subject, ..WhoAmIResponse::default() }))
    }
}

/// Sends one request through the bridge as a tower service; the code and the JSON of the answer.
async fn send(bridge: &Bridge, method: &str, path: &str, body: Value) -> (u16, Value) {
    let mut request = http::Request::builder().method(method).uri(path).header("authorization", "Bearer jwt");
    let body = if body.is_null() { String::new() } else { body.to_string() };
    request = request.header("content-type", "application/json");
    let request = request.body(axum::body::Body::from(body)).unwrap();
    let response = bridge.router().oneshot(request).await.unwrap();
    let code = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), 100_000).await.unwrap();
    (code, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn a_login_through_rest_reaches_the_generated_service() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let channel = Channel::builder("auth").endpoints([listener.local_addr().unwrap()]).build();
    let server = Server::builder().add_service(SessionServiceServer::new(Sessions));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    let descriptors = DescriptorPool::decode(plexus_proto::DESCRIPTORS).unwrap();
    let backends = Backends::new().with("plexus.auth.v1", channel);
    let bridge = Bridge::new(Settings::default(), backends, descriptors).unwrap();

    let right = json!({"loginName": "alice", "password": "correct horse battery"});
    let (code, answer) = send(&bridge, "POST", "/v1/auth/login", right).await;
    assert_eq!(code, 200, "{answer}");
    assert_eq!(answer["tokens"]["accessToken"], "jwt");
    assert_eq!(answer["tokens"]["accessTokenExpireTime"], "2027-01-15T08:00:00Z");
    assert_eq!(answer["user"]["loginName"], "alice");
    assert_eq!(answer["user"]["disabled"], false);

    let (code, answer) =
        send(&bridge, "POST", "/v1/auth/login", json!({"loginName": "a", "password": "x"})).await;
    assert_eq!((code, &answer["error"]["status"]), (401, &json!("UNAUTHENTICATED")));
    assert_eq!(answer["error"]["details"][0]["reason"], "WRONG_CREDENTIALS");

    let (code, answer) = send(&bridge, "GET", "/v1/auth/me", Value::Null).await;
    assert_eq!((code, &answer["subject"]), (200, &json!("Bearer jwt")));
    assert_eq!(answer["permissions"], json!([]));
}
