//! What other services hold: the keys, the roles, and tokens of their own.

use plexus_proto::auth::v1::{
    GetJwksRequest, IssueServiceTokenRequest, TrustBundle, WatchTrustRequest, WhoAmIRequest,
    role_service_client::RoleServiceClient, session_service_client::SessionServiceClient,
    trust_service_client::TrustServiceClient,
};
use plexus_testkit::{Harness, stores::fresh_postgres};
use tonic::{Code, Streaming};

use crate::mesh::{admin, builder, is, refusal, set_role, start, wrong_field};

async fn service_token(mesh: &Harness, service: &str, secret: &str) -> Result<String, tonic::Status> {
    let request = IssueServiceTokenRequest { service: service.to_owned(), mesh_secret: secret.to_owned() };
    let mut trust = TrustServiceClient::new(mesh.anonymous_channel());
    trust.issue_service_token(request).await.map(|answer| answer.into_inner().access_token)
}

async fn watch(mesh: &Harness) -> Streaming<TrustBundle> {
    let token = service_token(mesh, "ai", mesh.mesh_secret()).await.unwrap();
    let mut trust = TrustServiceClient::new(mesh.channel_with_token(&token));
    trust.watch_trust(WatchTrustRequest {}).await.unwrap().into_inner()
}

async fn next(stream: &mut Streaming<TrustBundle>) -> TrustBundle {
    stream.message().await.unwrap().unwrap()
}

#[tokio::test]
async fn the_key_set_is_public_and_holds_the_key_that_signs() {
    let mesh = start().await;
    let mut trust = TrustServiceClient::new(mesh.anonymous_channel());
    let keys = trust.get_jwks(GetJwksRequest {}).await.unwrap().into_inner().keys;
    assert_eq!(keys.len(), 1);
    let key = &keys[0];
    assert_eq!((&*key.kty, &*key.crv, &*key.r#use, &*key.alg), ("OKP", "Ed25519", "sig", "EdDSA"));
    // RFC 7638: 32 bytes in base64url without padding take 43 characters.
    assert_eq!((key.kid.len(), key.x.len()), (43, 43));
}

#[tokio::test]
async fn a_service_proves_itself_by_the_secret_of_the_mesh() {
    let mesh = start().await;
    let token = service_token(&mesh, "ai", mesh.mesh_secret()).await.unwrap();
    let mut sessions = SessionServiceClient::new(mesh.channel_with_token(&token));
    let me = sessions.who_am_i(WhoAmIRequest {}).await.unwrap().into_inner();
    assert_eq!(me.subject, "service:ai");
    assert!(me.user.is_none() && me.permissions.is_empty());

    let wrong = is(Code::Unauthenticated, "WRONG_CREDENTIALS");
    assert_eq!(refusal(service_token(&mesh, "ai", "a guess").await), wrong);
    assert_eq!(refusal(service_token(&mesh, "ai", "").await), wrong);
    for name in ["", "AI", "a-i", "user:x", &"a".repeat(33)] {
        assert_eq!(wrong_field(service_token(&mesh, name, mesh.mesh_secret()).await), "service");
    }
}

#[tokio::test]
async fn only_services_watch() {
    let mesh = start().await;
    let request = || WatchTrustRequest {};
    let mut people = TrustServiceClient::new(admin(&mesh).await);
    let denied = is(Code::PermissionDenied, "PERMISSION_DENIED");
    assert_eq!(refusal(people.watch_trust(request()).await), denied);
    let mut anybody = TrustServiceClient::new(mesh.anonymous_channel());
    let refused = refusal(anybody.watch_trust(request()).await);
    assert_eq!(refused, is(Code::Unauthenticated, "UNAUTHENTICATED"));
}

#[tokio::test]
async fn a_watcher_gets_the_state_at_once_and_after_every_change() {
    let mesh = start().await;
    let mut stream = watch(&mesh).await;
    let first = next(&mut stream).await;
    assert_eq!(first.keys.len(), 1);
    let names: Vec<_> = first.roles.iter().map(|role| role.name.as_str()).collect();
    assert_eq!(names, ["admin", "user"]);

    let mut roles = RoleServiceClient::new(admin(&mesh).await);
    roles.set_role(set_role("r", "clerk", &["auth.users.read"])).await.unwrap();
    let second = next(&mut stream).await;
    assert!(second.sequence > first.sequence);
    let clerk = second.roles.iter().find(|role| role.name == "clerk").unwrap();
    assert_eq!(clerk.permissions, ["auth.users.read"]);
}

#[tokio::test]
async fn two_services_that_start_at_once_make_one_administrator_and_one_key() {
    let url = fresh_postgres().await.unwrap();
    let silent = || {
        let settings = plexus_auth::config::Settings::default();
        builder().settings(settings).database_url(url.clone()).start()
    };
    let (one, other) = tokio::join!(silent(), silent());
    let (one, other) = (one.unwrap(), other.unwrap());

    let mut keys = Vec::new();
    for mesh in [&one, &other] {
        let mut trust = TrustServiceClient::new(mesh.anonymous_channel());
        keys.push(trust.get_jwks(GetJwksRequest {}).await.unwrap().into_inner().keys);
    }
    assert_eq!(keys[0].len(), 1);
    assert_eq!(keys[0], keys[1]);

    let notices = [one.notices(), other.notices()].concat();
    assert_eq!(notices.len(), 1, "one replica tells a password, and it is the right one");
    let password = notices[0].split_once("the password ").unwrap().1.split_whitespace().next().unwrap();
    assert!(password.len() >= 24);
    // A token of the one is good at the other.
    let tokens = crate::mesh::login(&one, "admin", password).await.unwrap().tokens.unwrap();
    let mut sessions = SessionServiceClient::new(other.channel_with_token(&tokens.access_token));
    let me = sessions.who_am_i(WhoAmIRequest {}).await.unwrap().into_inner();
    assert_eq!(me.user.unwrap().login_name, "admin");
}

#[tokio::test]
async fn a_change_of_roles_reaches_the_watchers_of_every_replica() {
    let url = fresh_postgres().await.unwrap();
    let replica = || builder().database_url(url.clone()).start();
    // Each has a shared tier of its own: what one says there the other never hears.
    let one = replica().await.unwrap();
    let other = replica().await.unwrap();
    let mut stream = watch(&other).await;
    next(&mut stream).await;
    let mut roles = RoleServiceClient::new(admin(&one).await);
    roles.set_role(set_role("r", "clerk", &[])).await.unwrap();
    assert!(next(&mut stream).await.roles.iter().any(|role| role.name == "clerk"));
}

#[tokio::test]
async fn keys_and_administrator_outlive_a_restart() {
    let mesh = start().await;
    let channel_keys = |mesh: &Harness| TrustServiceClient::new(mesh.anonymous_channel());
    let before = channel_keys(&mesh).get_jwks(GetJwksRequest {}).await.unwrap().into_inner();
    let folder = mesh.stop().await.unwrap();
    let mesh = builder().start_in(folder).await.unwrap();
    let after = channel_keys(&mesh).get_jwks(GetJwksRequest {}).await.unwrap().into_inner();
    assert_eq!(before, after);
    assert!(mesh.notices().is_empty());
    admin(&mesh).await;
}
