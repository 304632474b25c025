//! Logging in, refreshing, logging out.

use std::time::Duration;

use plexus_client::Channel;
use plexus_proto::auth::v1::{
    DisableUserRequest, LogoutRequest, RefreshRequest, RefreshResponse, WhoAmIRequest,
    session_service_client::SessionServiceClient, user_service_client::UserServiceClient,
};
use plexus_testkit::Harness;
use tonic::{Code, Status};

use crate::mesh::{
    ADMIN_PASSWORD, PASSWORD, admin, channel_of, is, login, make_user, refusal, settings, start, wrong_field,
};

async fn refresh(mesh: &Harness, token: &str) -> Result<RefreshResponse, Status> {
    let mut sessions = SessionServiceClient::new(mesh.anonymous_channel());
    let request = RefreshRequest { refresh_token: token.to_owned() };
    sessions.refresh(request).await.map(tonic::Response::into_inner)
}

async fn refresh_token(mesh: &Harness, login_name: &str, password: &str) -> String {
    login(mesh, login_name, password).await.unwrap().tokens.unwrap().refresh_token
}

async fn who_am_i(channel: Channel) -> Result<plexus_proto::auth::v1::WhoAmIResponse, Status> {
    SessionServiceClient::new(channel).who_am_i(WhoAmIRequest {}).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn a_login_says_who_it_is_and_its_token_lets_in() {
    let mesh = start().await;
    let answer = login(&mesh, "ADMIN", ADMIN_PASSWORD).await.unwrap();
    let user = answer.user.unwrap();
    assert_eq!((user.login_name.as_str(), user.roles.as_slice()), ("admin", &["admin".to_owned()][..]));
    let tokens = answer.tokens.unwrap();
    let now_seconds = mesh.clock().now_us() / 1_000_000;
    assert_eq!(tokens.access_token_expire_time.unwrap().seconds, now_seconds + 600);

    let me = who_am_i(mesh.channel_with_token(&tokens.access_token)).await.unwrap();
    assert_eq!(me.subject, format!("user:{}", user.user_id));
    assert_eq!(me.user.unwrap(), user);
    assert_eq!(me.permissions, plexus_runtime::identity::permissions());
}

#[tokio::test]
async fn unknown_wrong_and_disabled_look_the_same() {
    let mesh = start().await;
    let user = make_user(&mesh, "gone", &[]).await;
    let mut users = UserServiceClient::new(admin(&mesh).await);
    let request = DisableUserRequest { request_id: "d".to_owned(), user_id: user.user_id };
    users.disable_user(request).await.unwrap();

    let mut seen = Vec::new();
    for (name, password) in [("nobody", PASSWORD), ("admin", PASSWORD), ("gone", PASSWORD)] {
        let status = login(&mesh, name, password).await.unwrap_err();
        seen.push((status.code(), status.message().to_owned(), status.details().to_vec()));
    }
    assert_eq!(seen[0].0, Code::Unauthenticated);
    assert_eq!(
        refusal(login(&mesh, "nobody", PASSWORD).await),
        is(Code::Unauthenticated, "WRONG_CREDENTIALS")
    );
    assert!(seen.iter().all(|each| *each == seen[0]), "{seen:?}");
}

#[tokio::test]
async fn passwords_that_cannot_be_any_are_not_hashed() {
    let mesh = start().await;
    assert_eq!(wrong_field(login(&mesh, "admin", "").await), "password");
    assert_eq!(wrong_field(login(&mesh, "admin", &"x".repeat(257)).await), "password");
}

#[tokio::test]
async fn who_am_i_needs_a_token_that_has_not_expired() {
    let mesh = start().await;
    let anonymous = who_am_i(mesh.anonymous_channel()).await;
    assert_eq!(refusal(anonymous), is(Code::Unauthenticated, "UNAUTHENTICATED"));

    let channel = admin(&mesh).await;
    mesh.clock().advance(Duration::from_secs(599));
    who_am_i(channel.clone()).await.unwrap();
    mesh.clock().advance(Duration::from_secs(10));
    assert_eq!(refusal(who_am_i(channel).await), is(Code::Unauthenticated, "TOKEN_EXPIRED"));
}

#[tokio::test]
async fn a_refresh_gives_a_new_pair_that_works() {
    let mesh = start().await;
    let old = refresh_token(&mesh, "admin", ADMIN_PASSWORD).await;
    let first = refresh(&mesh, &old).await.unwrap().tokens.unwrap();
    who_am_i(mesh.channel_with_token(&first.access_token)).await.unwrap();
    assert_ne!(first.refresh_token, old);
    refresh(&mesh, &first.refresh_token).await.unwrap();
}

#[tokio::test]
async fn using_an_old_refresh_token_again_ends_the_session() {
    let mesh = start().await;
    let old = refresh_token(&mesh, "admin", ADMIN_PASSWORD).await;
    let new = refresh(&mesh, &old).await.unwrap().tokens.unwrap().refresh_token;

    let replayed = refresh(&mesh, &old).await;
    assert_eq!(refusal(replayed), is(Code::Unauthenticated, "REFRESH_TOKEN_REUSED"));
    assert_eq!(refusal(refresh(&mesh, &new).await), is(Code::Unauthenticated, "UNAUTHENTICATED"));
}

#[tokio::test]
async fn a_forged_token_with_the_id_of_a_session_does_not_end_it() {
    let mesh = start().await;
    let token = refresh_token(&mesh, "admin", ADMIN_PASSWORD).await;
    // The id stays, the rest is another's: 16 bytes of id are the first 21 characters after the prefix.
    let other = refresh_token(&mesh, "admin", ADMIN_PASSWORD).await;
    let forged = format!("{}{}", &token[..25], &other[25..]);
    assert_eq!(refusal(refresh(&mesh, &forged).await), is(Code::Unauthenticated, "UNAUTHENTICATED"));
    assert_eq!(refusal(refresh(&mesh, "nonsense").await), is(Code::Unauthenticated, "UNAUTHENTICATED"));
    refresh(&mesh, &token).await.unwrap();
}

#[tokio::test]
async fn of_two_refreshes_at_once_exactly_one_wins() {
    let mesh = start().await;
    for _ in 0..10 {
        let token = refresh_token(&mesh, "admin", ADMIN_PASSWORD).await;
        let (one, other) = tokio::join!(refresh(&mesh, &token), refresh(&mesh, &token));
        let (won, lost) = if one.is_ok() { (one, other) } else { (other, one) };
        won.unwrap();
        assert_eq!(refusal(lost), is(Code::Unauthenticated, "REFRESH_TOKEN_REUSED"));
    }
}

#[tokio::test]
async fn a_session_ends_when_it_idles_and_at_its_age_however_lively() {
    let mesh = start().await;
    let settings = settings();
    let idle = refresh_token(&mesh, "admin", ADMIN_PASSWORD).await;
    mesh.clock().advance(Duration::from_secs(settings.session_idle_seconds));
    assert_eq!(refusal(refresh(&mesh, &idle).await), is(Code::Unauthenticated, "UNAUTHENTICATED"));

    let mut lively = refresh_token(&mesh, "admin", ADMIN_PASSWORD).await;
    let step = Duration::from_secs(settings.session_idle_seconds - 1);
    let mut age = 0;
    while age + step.as_secs() < settings.session_seconds_max {
        mesh.clock().advance(step);
        age += step.as_secs();
        lively = refresh(&mesh, &lively).await.unwrap().tokens.unwrap().refresh_token;
    }
    mesh.clock().advance(Duration::from_secs(settings.session_seconds_max - age));
    assert_eq!(refusal(refresh(&mesh, &lively).await), is(Code::Unauthenticated, "UNAUTHENTICATED"));
}

#[tokio::test]
async fn logging_out_ends_the_session_and_may_be_repeated() {
    let mesh = start().await;
    let token = refresh_token(&mesh, "admin", ADMIN_PASSWORD).await;
    let mut sessions = SessionServiceClient::new(mesh.anonymous_channel());
    for _ in 0..2 {
        sessions.logout(LogoutRequest { refresh_token: token.clone() }).await.unwrap();
    }
    sessions.logout(LogoutRequest { refresh_token: "nonsense".to_owned() }).await.unwrap();
    assert_eq!(refusal(refresh(&mesh, &token).await), is(Code::Unauthenticated, "UNAUTHENTICATED"));
}

#[tokio::test]
async fn a_disabled_user_cannot_refresh() {
    let mesh = start().await;
    let user = make_user(&mesh, "leaver", &[]).await;
    let token = refresh_token(&mesh, "leaver", PASSWORD).await;
    let mut users = UserServiceClient::new(admin(&mesh).await);
    let request = DisableUserRequest { request_id: "d".to_owned(), user_id: user.user_id };
    assert!(users.disable_user(request).await.unwrap().into_inner().disabled);
    assert_eq!(refusal(refresh(&mesh, &token).await), is(Code::Unauthenticated, "UNAUTHENTICATED"));
}

#[tokio::test]
async fn a_refreshed_token_holds_the_roles_of_that_moment() {
    let mesh = start().await;
    make_user(&mesh, "riser", &["user"]).await;
    let me = who_am_i(channel_of(&mesh, "riser", PASSWORD).await).await.unwrap();
    assert!(me.permissions.contains(&"auth.api_keys.write".to_owned()));
    assert!(!me.permissions.contains(&"auth.users.read".to_owned()));
}
