//! The same calls on a fresh SQLite and a fresh PostgreSQL database.

use plexus_proto::auth::v1::{
    CreateApiKeyRequest, DisableUserRequest, ListUsersRequest, LoginWithApiKeyRequest, RefreshRequest,
    api_key_service_client::ApiKeyServiceClient, role_service_client::RoleServiceClient,
    session_service_client::SessionServiceClient, user_service_client::UserServiceClient,
};
use plexus_testkit::{Harness, stores::fresh_postgres};
use tonic::Code;

use crate::mesh::{
    PASSWORD, admin, builder, channel_of, create_user, is, login, make_role, make_user, refusal, set_role,
    start,
};

async fn a_life_with_auth(mesh: Harness) {
    make_role(&mesh, "clerk", &["auth.users.read", "auth.api_keys.write"]).await;
    let user = make_user(&mesh, "Alice", &["clerk"]).await;
    let mut users = UserServiceClient::new(admin(&mesh).await);
    let taken = users.create_user(create_user("r", "aLICE", &[])).await;
    assert_eq!(refusal(taken), is(Code::AlreadyExists, "ALREADY_EXISTS"));

    let channel = channel_of(&mesh, "alice", PASSWORD).await;
    let request =
        CreateApiKeyRequest { request_id: "k".to_owned(), display_name: "k".to_owned(), expire_time: None };
    let mut keys = ApiKeyServiceClient::new(channel);
    let secret = keys.create_api_key(request.clone()).await.unwrap().into_inner().secret;
    assert_eq!(keys.create_api_key(request).await.unwrap().into_inner().secret, secret);
    keys.login_with_api_key(LoginWithApiKeyRequest { secret: secret.clone() }).await.unwrap();
    let listed = users.list_users(ListUsersRequest::default()).await.unwrap().into_inner();
    assert_eq!(
        listed.users.iter().map(|user| user.login_name.as_str()).collect::<Vec<_>>(),
        ["admin", "Alice"]
    );

    let token = login(&mesh, "alice", PASSWORD).await.unwrap().tokens.unwrap().refresh_token;
    let disable = DisableUserRequest { request_id: "d".to_owned(), user_id: user.user_id };
    users.disable_user(disable).await.unwrap();
    let mut sessions = SessionServiceClient::new(mesh.anonymous_channel());
    let over = sessions.refresh(RefreshRequest { refresh_token: token }).await;
    assert_eq!(refusal(over), is(Code::Unauthenticated, "UNAUTHENTICATED"));
    let refused = keys.login_with_api_key(LoginWithApiKeyRequest { secret }).await;
    assert_eq!(refusal(refused), is(Code::Unauthenticated, "WRONG_CREDENTIALS"));
    let mut roles = RoleServiceClient::new(admin(&mesh).await);
    roles.set_role(set_role("again", "clerk", &[])).await.unwrap();
}

async fn one_winner(mesh: Harness) {
    for _ in 0..5 {
        let token = login(&mesh, "admin", crate::mesh::ADMIN_PASSWORD).await.unwrap().tokens.unwrap();
        let tries = (0..8).map(|_| {
            let mut sessions = SessionServiceClient::new(mesh.anonymous_channel());
            let request = RefreshRequest { refresh_token: token.refresh_token.clone() };
            tokio::spawn(async move { sessions.refresh(request).await })
        });
        let mut winners = 0;
        for outcome in tries.collect::<Vec<_>>() {
            winners += usize::from(outcome.await.unwrap().is_ok());
        }
        assert_eq!(winners, 1);
    }
}

async fn on_postgres() -> Harness {
    builder().database_url(fresh_postgres().await.unwrap()).start().await.unwrap()
}

#[tokio::test]
async fn users_keys_and_sessions_live_alike_on_both_engines() {
    a_life_with_auth(start().await).await;
    a_life_with_auth(on_postgres().await).await;
}

#[tokio::test]
async fn of_many_refreshes_at_once_exactly_one_wins_on_both_engines() {
    one_winner(start().await).await;
    one_winner(on_postgres().await).await;
}
