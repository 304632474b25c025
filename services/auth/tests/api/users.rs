//! Users: made, found, listed, changed, disabled; and their passwords.

use plexus_client::Channel;
use plexus_proto::auth::v1::{
    ChangePasswordRequest, DisableUserRequest, GetUserRequest, ListUsersRequest, RefreshRequest,
    UpdateUserRequest, User, session_service_client::SessionServiceClient,
    user_service_client::UserServiceClient,
};
use plexus_testkit::Harness;
use prost_types::FieldMask;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::mesh::{
    ADMIN_PASSWORD, PASSWORD, admin, channel_of, create_user, is, login, make_role, make_user, refusal,
    start, texts, wrong_field,
};

async fn users(mesh: &Harness) -> UserServiceClient<Channel> {
    UserServiceClient::new(admin(mesh).await)
}

fn update(request_id: &str, user: User, paths: &[&str]) -> UpdateUserRequest {
    let update_mask = Some(FieldMask { paths: texts(paths) });
    UpdateUserRequest { request_id: request_id.to_owned(), user: Some(user), update_mask }
}

#[tokio::test]
async fn a_created_user_is_found_and_can_log_in() {
    let mesh = start().await;
    let mut users = users(&mesh).await;
    let created =
        users.create_user(create_user("r", "Alice@example.com", &["user"])).await.unwrap().into_inner();
    let found =
        users.get_user(GetUserRequest { user_id: created.user_id.clone() }).await.unwrap().into_inner();
    assert_eq!(found, created);
    assert_eq!(created.display_name, "The user Alice@example.com");
    login(&mesh, "alice@EXAMPLE.com", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn the_same_request_makes_one_user_and_another_body_is_refused() {
    let mesh = start().await;
    let mut users = users(&mesh).await;
    let first = users.create_user(create_user("r", "alice", &[])).await.unwrap().into_inner();
    let again = users.create_user(create_user("r", "alice", &[])).await.unwrap().into_inner();
    assert_eq!(first, again);

    let mut other = create_user("r", "alice", &[]);
    other.password.push('!');
    assert_eq!(refusal(users.create_user(other).await), is(Code::AlreadyExists, "REQUEST_ID_REUSED"));
}

#[tokio::test]
async fn a_login_name_is_taken_whatever_its_case() {
    let mesh = start().await;
    let mut users = users(&mesh).await;
    users.create_user(create_user("r1", "alice", &[])).await.unwrap();
    let taken = users.create_user(create_user("r2", "ALICE", &[])).await.unwrap_err();
    assert_eq!(taken.get_details_resource_info().unwrap().resource_name, "ALICE");
    assert_eq!(refusal::<()>(Err(taken)), is(Code::AlreadyExists, "ALREADY_EXISTS"));
}

#[tokio::test]
async fn each_wrong_field_of_a_new_user_is_named() {
    let mesh = start().await;
    let mut users = users(&mesh).await;
    let good = create_user("r", "alice", &[]);

    let mut wrong = good.clone();
    wrong.login_name = "with space".to_owned();
    assert_eq!(wrong_field(users.create_user(wrong).await), "login_name");
    let mut wrong = good.clone();
    wrong.display_name = "x".repeat(129);
    assert_eq!(wrong_field(users.create_user(wrong).await), "display_name");
    let mut wrong = good.clone();
    wrong.roles = (0..65).map(|number| format!("role-{number}")).collect();
    assert_eq!(wrong_field(users.create_user(wrong).await), "roles");
    let mut wrong = good.clone();
    wrong.request_id = String::new();
    assert_eq!(wrong_field(users.create_user(wrong).await), "request_id");
    let mut wrong = good.clone();
    wrong.roles = texts(&["unheard-of"]);
    assert_eq!(refusal(users.create_user(wrong).await), is(Code::NotFound, "NOT_FOUND"));

    for weak in ["short".to_owned(), "x".repeat(257)] {
        let wrong = plexus_proto::auth::v1::CreateUserRequest { password: weak, ..good.clone() };
        assert_eq!(refusal(users.create_user(wrong).await), is(Code::InvalidArgument, "WEAK_PASSWORD"));
    }
    let mut wrong = create_user("r", "a-rather-long-name", &[]);
    wrong.password = "A-Rather-Long-Name".to_owned();
    assert_eq!(wrong_field(users.create_user(wrong).await), "password");
}

#[tokio::test]
async fn lists_come_in_pages_by_login_name() {
    let mesh = start().await;
    let mut users = users(&mesh).await;
    for name in ["b-user", "C-user", "a-user"] {
        users.create_user(create_user(name, name, &["user"])).await.unwrap();
    }
    let (mut names, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListUsersRequest { page_size: 2, page_token };
        let page = users.list_users(request).await.unwrap().into_inner();
        assert!(page.users.len() <= 2);
        names.extend(page.users.into_iter().map(|user| user.login_name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(names, ["a-user", "admin", "b-user", "C-user"]);

    let request = ListUsersRequest { page_size: 201, page_token: String::new() };
    assert_eq!(wrong_field(users.list_users(request).await), "page_size");
    let request = ListUsersRequest { page_size: 0, page_token: "?".to_owned() };
    assert_eq!(wrong_field(users.list_users(request).await), "page_token");
}

#[tokio::test]
async fn an_update_changes_what_its_mask_names_and_nothing_else() {
    let mesh = start().await;
    let user = make_user(&mesh, "alice", &["user"]).await;
    let mut users = users(&mesh).await;
    let mut wanted = user.clone();
    wanted.display_name = "Alice".to_owned();
    wanted.roles = Vec::new();
    wanted.login_name = "other".to_owned();
    let updated =
        users.update_user(update("u1", wanted.clone(), &["display_name"])).await.unwrap().into_inner();
    assert_eq!(updated, User { display_name: "Alice".to_owned(), update_time: updated.update_time, ..user });
    let updated = users.update_user(update("u2", wanted.clone(), &["roles"])).await.unwrap().into_inner();
    assert!(updated.roles.is_empty());

    let unknown =
        users.update_user(update("u3", wanted.clone(), &["roles", "login_name"])).await.unwrap_err();
    assert!(unknown.message().contains("login_name"), "{unknown:?}");
    assert_eq!(wrong_field::<()>(Err(unknown)), "update_mask");
    assert_eq!(wrong_field(users.update_user(update("u4", wanted.clone(), &[])).await), "update_mask");
    let nobody = User { user_id: "nobody".to_owned(), ..wanted };
    let refused = users.update_user(update("u5", nobody, &["display_name"])).await;
    assert_eq!(refusal(refused), is(Code::NotFound, "NOT_FOUND"));
    let unset = UpdateUserRequest { request_id: "u6".to_owned(), user: None, update_mask: None };
    assert_eq!(wrong_field(users.update_user(unset).await), "user");
}

#[tokio::test]
async fn nobody_gives_takes_or_stops_more_than_they_hold() {
    let mesh = start().await;
    make_role(&mesh, "clerk", &["auth.users.read", "auth.users.write"]).await;
    make_user(&mesh, "clerk", &["clerk"]).await;
    let boss = make_user(&mesh, "boss", &["admin"]).await;
    let mut clerk = UserServiceClient::new(channel_of(&mesh, "clerk", PASSWORD).await);
    let denied = is(Code::PermissionDenied, "PERMISSION_DENIED");

    assert_eq!(refusal(clerk.create_user(create_user("r1", "puppet", &["admin"])).await), denied);
    let puppet = clerk.create_user(create_user("r2", "puppet", &["clerk"])).await.unwrap().into_inner();
    let raised = User { roles: texts(&["admin"]), ..puppet.clone() };
    assert_eq!(refusal(clerk.update_user(update("r3", raised, &["roles"])).await), denied);
    let stripped = User { roles: Vec::new(), ..boss.clone() };
    assert_eq!(refusal(clerk.update_user(update("r4", stripped, &["roles"])).await), denied);
    let request = DisableUserRequest { request_id: "r5".to_owned(), user_id: boss.user_id };
    assert_eq!(refusal(clerk.disable_user(request).await), denied);
    let request = DisableUserRequest { request_id: "r6".to_owned(), user_id: puppet.user_id };
    clerk.disable_user(request).await.unwrap();
    login(&mesh, "boss", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn administrators_do_not_lock_themselves_out() {
    let mesh = start().await;
    let me = login(&mesh, "admin", ADMIN_PASSWORD).await.unwrap().user.unwrap();
    let mut users = users(&mesh).await;
    let wrong_state = is(Code::FailedPrecondition, "WRONG_STATE");
    let request = DisableUserRequest { request_id: "d".to_owned(), user_id: me.user_id.clone() };
    assert_eq!(refusal(users.disable_user(request).await), wrong_state);
    let stripped = User { roles: Vec::new(), ..me };
    assert_eq!(refusal(users.update_user(update("u", stripped, &["roles"])).await), wrong_state);
}

#[tokio::test]
async fn without_the_permission_nothing_about_users_is_told_or_changed() {
    let mesh = start().await;
    let user = make_user(&mesh, "alice", &["user"]).await;
    let mut alice = UserServiceClient::new(channel_of(&mesh, "alice", PASSWORD).await);
    let denied = is(Code::PermissionDenied, "PERMISSION_DENIED");
    let id = user.user_id.clone();
    assert_eq!(refusal(alice.get_user(GetUserRequest { user_id: id.clone() }).await), denied);
    assert_eq!(refusal(alice.list_users(ListUsersRequest::default()).await), denied);
    assert_eq!(refusal(alice.create_user(create_user("r", "x", &[])).await), denied);
    assert_eq!(refusal(alice.update_user(update("r", user, &["roles"])).await), denied);
    let request = DisableUserRequest { request_id: "r".to_owned(), user_id: id };
    assert_eq!(refusal(alice.disable_user(request).await), denied);
}

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let mesh = start().await;
    let mut users = users(&mesh).await;
    let found = users.get_user(GetUserRequest { user_id: "nobody".to_owned() }).await;
    assert_eq!(refusal(found), is(Code::NotFound, "NOT_FOUND"));
    let request = DisableUserRequest { request_id: "d".to_owned(), user_id: "nobody".to_owned() };
    assert_eq!(refusal(users.disable_user(request).await), is(Code::NotFound, "NOT_FOUND"));
}

async fn change(
    channel: Channel,
    request_id: &str,
    passwords: (&str, &str),
) -> Result<tonic::Response<plexus_proto::auth::v1::ChangePasswordResponse>, Status> {
    let (old, new) = passwords;
    let request = ChangePasswordRequest {
        request_id: request_id.to_owned(),
        old_password: old.to_owned(),
        new_password: new.to_owned(),
    };
    UserServiceClient::new(channel).change_password(request).await
}

#[tokio::test]
async fn a_changed_password_ends_the_other_sessions_and_keeps_this_one() {
    let mesh = start().await;
    make_user(&mesh, "alice", &[]).await;
    let elsewhere = login(&mesh, "alice", PASSWORD).await.unwrap().tokens.unwrap();
    let here = login(&mesh, "alice", PASSWORD).await.unwrap().tokens.unwrap();
    let channel = mesh.channel_with_token(&here.access_token);
    let new = "another password entirely";
    change(channel.clone(), "c", (PASSWORD, new)).await.unwrap();
    // Repeated, as when the answer was lost.
    change(channel, "c", (PASSWORD, new)).await.unwrap();

    let mut sessions = SessionServiceClient::new(mesh.anonymous_channel());
    let ended = sessions.refresh(RefreshRequest { refresh_token: elsewhere.refresh_token }).await;
    assert_eq!(refusal(ended), is(Code::Unauthenticated, "UNAUTHENTICATED"));
    sessions.refresh(RefreshRequest { refresh_token: here.refresh_token }).await.unwrap();
    assert_eq!(
        refusal(login(&mesh, "alice", PASSWORD).await),
        is(Code::Unauthenticated, "WRONG_CREDENTIALS")
    );
    login(&mesh, "alice", new).await.unwrap();
}

#[tokio::test]
async fn a_password_changes_only_for_who_knows_the_old_one_and_only_to_a_good_one() {
    let mesh = start().await;
    make_user(&mesh, "alice", &[]).await;
    let channel = channel_of(&mesh, "alice", PASSWORD).await;
    let wrong = change(channel.clone(), "c1", ("not the password", "another password")).await;
    assert_eq!(refusal(wrong), is(Code::Unauthenticated, "WRONG_CREDENTIALS"));
    let weak = change(channel.clone(), "c2", (PASSWORD, "short")).await;
    assert_eq!(refusal(weak), is(Code::InvalidArgument, "WEAK_PASSWORD"));
    assert_eq!(wrong_field(change(channel, "c3", ("", "another password")).await), "old_password");
    login(&mesh, "alice", PASSWORD).await.unwrap();
}
