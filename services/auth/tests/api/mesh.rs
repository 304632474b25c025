//! A running auth with an administrator whose password the tests know, and what they all ask it.

use plexus_auth::{Auth, config::Settings};
use plexus_client::Channel;
use plexus_proto::auth::v1::{
    CreateUserRequest, LoginRequest, LoginResponse, Role, SetRoleRequest, User,
    role_service_client::RoleServiceClient, session_service_client::SessionServiceClient,
    user_service_client::UserServiceClient,
};
use plexus_runtime::{clock::Clock, settings::Secret};
use plexus_testkit::{Harness, HarnessBuilder};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// Long enough, and in no other place than here.
pub(crate) const ADMIN_PASSWORD: &str = "administrator of the tests";
/// The password of every other user.
pub(crate) const PASSWORD: &str = "a user of the tests only";
/// A moment of the manual clock, in epoch microseconds.
pub(crate) const NOW_US: i64 = 1_800_000_000_000_000;

pub(crate) fn settings() -> Settings {
    Settings { admin_password: Secret::new(ADMIN_PASSWORD), ..Settings::default() }
}

pub(crate) fn builder() -> HarnessBuilder<Auth> {
    Harness::of::<Auth>().settings(settings()).clock(Clock::manual(NOW_US))
}

pub(crate) async fn start() -> Harness {
    builder().start().await.unwrap()
}

pub(crate) async fn login(mesh: &Harness, login_name: &str, password: &str) -> Result<LoginResponse, Status> {
    let request = LoginRequest { login_name: login_name.to_owned(), password: password.to_owned() };
    let mut sessions = SessionServiceClient::new(mesh.anonymous_channel());
    sessions.login(request).await.map(tonic::Response::into_inner)
}

/// A channel that carries the access token of a fresh login.
pub(crate) async fn channel_of(mesh: &Harness, login_name: &str, password: &str) -> Channel {
    let tokens = login(mesh, login_name, password).await.unwrap().tokens.unwrap();
    mesh.channel_with_token(&tokens.access_token)
}

pub(crate) async fn admin(mesh: &Harness) -> Channel {
    channel_of(mesh, "admin", ADMIN_PASSWORD).await
}

/// Makes a user who holds `roles`.
pub(crate) async fn make_user(mesh: &Harness, login_name: &str, roles: &[&str]) -> User {
    let mut users = UserServiceClient::new(admin(mesh).await);
    users.create_user(create_user(login_name, login_name, roles)).await.unwrap().into_inner()
}

pub(crate) fn create_user(request_id: &str, login_name: &str, roles: &[&str]) -> CreateUserRequest {
    CreateUserRequest {
        request_id: request_id.to_owned(),
        login_name: login_name.to_owned(),
        display_name: format!("The user {login_name}"),
        password: PASSWORD.to_owned(),
        roles: texts(roles),
    }
}

/// Makes a role that holds `permissions`.
pub(crate) async fn make_role(mesh: &Harness, name: &str, permissions: &[&str]) -> Role {
    let mut roles = RoleServiceClient::new(admin(mesh).await);
    roles.set_role(set_role(&format!("make {name}"), name, permissions)).await.unwrap().into_inner()
}

pub(crate) fn set_role(request_id: &str, name: &str, permissions: &[&str]) -> SetRoleRequest {
    let role = Role { name: name.to_owned(), permissions: texts(permissions), built_in: false };
    SetRoleRequest { request_id: request_id.to_owned(), role: Some(role) }
}

pub(crate) fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

/// The code and the reason of a refusal.
pub(crate) fn refusal<T: std::fmt::Debug>(outcome: Result<T, Status>) -> (Code, String) {
    let status = outcome.unwrap_err();
    let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
    (status.code(), reason)
}

/// The first field that a refusal names.
pub(crate) fn wrong_field<T: std::fmt::Debug>(outcome: Result<T, Status>) -> String {
    let status = outcome.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    status.get_details_bad_request().unwrap().field_violations[0].field.clone()
}

/// A refusal as it should be.
pub(crate) fn is(code: Code, reason: &str) -> (Code, String) {
    (code, reason.to_owned())
}
