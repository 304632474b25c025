//! API keys: shown once, usable until revoked or expired.

use std::time::Duration;

use plexus_client::Channel;
use plexus_proto::auth::v1::{
    CreateApiKeyRequest, CreateApiKeyResponse, DisableUserRequest, ListApiKeysRequest,
    LoginWithApiKeyRequest, LoginWithApiKeyResponse, RevokeApiKeyRequest, WhoAmIRequest,
    api_key_service_client::ApiKeyServiceClient, session_service_client::SessionServiceClient,
    user_service_client::UserServiceClient,
};
use plexus_runtime::clock::timestamp;
use plexus_testkit::Harness;
use tonic::{Code, Status};

use crate::mesh::{NOW_US, PASSWORD, admin, channel_of, is, make_user, refusal, start, wrong_field};

type Client = ApiKeyServiceClient<Channel>;

async fn keys_of(mesh: &Harness, login_name: &str) -> Client {
    ApiKeyServiceClient::new(channel_of(mesh, login_name, PASSWORD).await)
}

fn request(request_id: &str) -> CreateApiKeyRequest {
    CreateApiKeyRequest {
        request_id: request_id.to_owned(),
        display_name: "nightly backup".to_owned(),
        expire_time: None,
    }
}

async fn create(keys: &mut Client, request_id: &str) -> CreateApiKeyResponse {
    keys.create_api_key(request(request_id)).await.unwrap().into_inner()
}

async fn login(mesh: &Harness, secret: &str) -> Result<LoginWithApiKeyResponse, Status> {
    let request = LoginWithApiKeyRequest { secret: secret.to_owned() };
    let mut keys = ApiKeyServiceClient::new(mesh.anonymous_channel());
    keys.login_with_api_key(request).await.map(tonic::Response::into_inner)
}

fn wrong() -> (Code, String) {
    is(Code::Unauthenticated, "WRONG_CREDENTIALS")
}

#[tokio::test]
async fn a_key_logs_in_as_its_owner() {
    let mesh = start().await;
    let user = make_user(&mesh, "alice", &["user"]).await;
    let created = create(&mut keys_of(&mesh, "alice").await, "k").await;
    let token = login(&mesh, &created.secret).await.unwrap();
    assert_eq!(token.access_token_expire_time.unwrap().seconds, NOW_US / 1_000_000 + 600);
    let mut sessions = SessionServiceClient::new(mesh.channel_with_token(&token.access_token));
    let me = sessions.who_am_i(WhoAmIRequest {}).await.unwrap().into_inner();
    assert_eq!(me.subject, format!("user:{}", user.user_id));
    assert!(created.secret.starts_with(&created.api_key.unwrap().prefix));
}

#[tokio::test]
async fn a_repeated_request_gets_the_same_secret_and_another_request_another() {
    let mesh = start().await;
    make_user(&mesh, "alice", &["user"]).await;
    let mut keys = keys_of(&mesh, "alice").await;
    let first = create(&mut keys, "k1").await;
    assert_eq!(create(&mut keys, "k1").await, first);
    assert_ne!(create(&mut keys, "k2").await.secret, first.secret);
    let listed = keys.list_api_keys(ListApiKeysRequest::default()).await.unwrap().into_inner();
    assert_eq!(listed.api_keys.len(), 2);

    let other = CreateApiKeyRequest { display_name: "another".to_owned(), ..request("k1") };
    assert_eq!(refusal(keys.create_api_key(other).await), is(Code::AlreadyExists, "REQUEST_ID_REUSED"));
}

#[tokio::test]
async fn a_revoked_key_refuses_and_its_revocation_may_be_repeated() {
    let mesh = start().await;
    make_user(&mesh, "alice", &["user"]).await;
    let mut keys = keys_of(&mesh, "alice").await;
    let created = create(&mut keys, "k").await;
    let id = created.api_key.unwrap().api_key_id;
    let revoke =
        |request_id: &str| RevokeApiKeyRequest { request_id: request_id.to_owned(), api_key_id: id.clone() };
    let revoked = keys.revoke_api_key(revoke("r1")).await.unwrap().into_inner();
    assert!(revoked.revoke_time.is_some());
    mesh.clock().advance(Duration::from_secs(1));
    assert_eq!(keys.revoke_api_key(revoke("r2")).await.unwrap().into_inner(), revoked);
    assert_eq!(refusal(login(&mesh, &created.secret).await), wrong());
}

#[tokio::test]
async fn a_key_refuses_once_it_has_expired() {
    let mesh = start().await;
    make_user(&mesh, "alice", &["user"]).await;
    let mut keys = keys_of(&mesh, "alice").await;
    let expire_time = Some(timestamp(NOW_US + 60_000_000));
    let created =
        keys.create_api_key(CreateApiKeyRequest { expire_time, ..request("k") }).await.unwrap().into_inner();
    login(&mesh, &created.secret).await.unwrap();
    mesh.clock().advance(Duration::from_secs(60));
    assert_eq!(refusal(login(&mesh, &created.secret).await), wrong());
}

#[tokio::test]
async fn the_keys_of_a_disabled_user_refuse() {
    let mesh = start().await;
    let user = make_user(&mesh, "alice", &["user"]).await;
    let mut keys = keys_of(&mesh, "alice").await;
    let created = create(&mut keys, "k").await;
    let mut users = UserServiceClient::new(admin(&mesh).await);
    let disable = DisableUserRequest { request_id: "d".to_owned(), user_id: user.user_id };
    users.disable_user(disable).await.unwrap();
    assert_eq!(refusal(login(&mesh, &created.secret).await), wrong());
    // The access token still holds for some minutes, but makes no new key.
    let late = keys.create_api_key(request("late")).await;
    assert_eq!(refusal(late), is(Code::FailedPrecondition, "WRONG_STATE"));
}

#[tokio::test]
async fn a_secret_that_is_none_refuses_like_a_wrong_one() {
    let mesh = start().await;
    make_user(&mesh, "alice", &["user"]).await;
    let secret = create(&mut keys_of(&mesh, "alice").await, "k").await.secret;
    for bad in ["", "nonsense", &secret[..secret.len() - 1], &secret.replace("plx_", "plr_")] {
        assert_eq!(refusal(login(&mesh, bad).await), wrong(), "{bad}");
    }
}

#[tokio::test]
async fn people_see_and_revoke_only_their_own_keys_newest_first() {
    let mesh = start().await;
    make_user(&mesh, "alice", &["user"]).await;
    make_user(&mesh, "bob", &["user"]).await;
    let (mut alice, mut bob) = (keys_of(&mesh, "alice").await, keys_of(&mesh, "bob").await);
    let mut made = Vec::new();
    for number in 0..3 {
        made.insert(0, create(&mut alice, &format!("k{number}")).await.api_key.unwrap());
    }
    let page = ListApiKeysRequest { page_size: 2, page_token: String::new() };
    let first = alice.list_api_keys(page).await.unwrap().into_inner();
    let page = ListApiKeysRequest { page_size: 2, page_token: first.next_page_token };
    let second = alice.list_api_keys(page).await.unwrap().into_inner();
    assert_eq!([first.api_keys, second.api_keys].concat(), made);
    assert!(second.next_page_token.is_empty());

    assert!(bob.list_api_keys(ListApiKeysRequest::default()).await.unwrap().into_inner().api_keys.is_empty());
    let theft = RevokeApiKeyRequest { request_id: "r".to_owned(), api_key_id: made[0].api_key_id.clone() };
    assert_eq!(refusal(bob.revoke_api_key(theft).await), is(Code::NotFound, "NOT_FOUND"));
}

#[tokio::test]
async fn each_wrong_field_of_a_key_is_named() {
    let mesh = start().await;
    make_user(&mesh, "alice", &["user"]).await;
    let mut keys = keys_of(&mesh, "alice").await;
    let wrong = CreateApiKeyRequest { display_name: String::new(), ..request("k") };
    assert_eq!(wrong_field(keys.create_api_key(wrong).await), "display_name");
    let wrong = CreateApiKeyRequest { expire_time: Some(timestamp(NOW_US)), ..request("k") };
    assert_eq!(wrong_field(keys.create_api_key(wrong).await), "expire_time");
    assert_eq!(wrong_field(keys.create_api_key(request("")).await), "request_id");
}

#[tokio::test]
async fn without_the_permission_there_are_no_keys() {
    let mesh = start().await;
    make_user(&mesh, "guest", &[]).await;
    let mut keys = keys_of(&mesh, "guest").await;
    let denied = is(Code::PermissionDenied, "PERMISSION_DENIED");
    assert_eq!(refusal(keys.create_api_key(request("k")).await), denied);
    assert_eq!(refusal(keys.list_api_keys(ListApiKeysRequest::default()).await), denied);
    assert_eq!(refusal(keys.revoke_api_key(RevokeApiKeyRequest::default()).await), denied);
}
