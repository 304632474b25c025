//! Roles: set, found, listed, deleted, and in force at once.

use plexus_client::Channel;
use plexus_proto::auth::v1::{
    DeleteRoleRequest, GetRoleRequest, GetUserRequest, ListRolesRequest, ListUsersRequest, SetRoleRequest,
    role_service_client::RoleServiceClient, user_service_client::UserServiceClient,
};
use plexus_testkit::Harness;
use tonic::Code;

use crate::mesh::{
    PASSWORD, admin, channel_of, is, make_role, make_user, refusal, set_role, start, wrong_field,
};

async fn roles(mesh: &Harness) -> RoleServiceClient<Channel> {
    RoleServiceClient::new(admin(mesh).await)
}

fn delete(request_id: &str, name: &str) -> DeleteRoleRequest {
    DeleteRoleRequest { request_id: request_id.to_owned(), name: name.to_owned() }
}

#[tokio::test]
async fn a_set_role_is_found_replaced_and_deleted() {
    let mesh = start().await;
    let mut roles = roles(&mesh).await;
    let set = roles.set_role(set_role("r1", "clerk", &["auth.users.read"])).await.unwrap().into_inner();
    let get = GetRoleRequest { name: "clerk".to_owned() };
    assert_eq!(roles.get_role(get.clone()).await.unwrap().into_inner(), set);

    let wider = &["auth.users.write", "auth.users.read"];
    let set = roles.set_role(set_role("r2", "clerk", wider)).await.unwrap().into_inner();
    assert_eq!(set.permissions, ["auth.users.read", "auth.users.write"]);
    assert_eq!(roles.get_role(get.clone()).await.unwrap().into_inner(), set);

    for _ in 0..2 {
        roles.delete_role(delete("r3", "clerk")).await.unwrap();
    }
    assert_eq!(refusal(roles.get_role(get).await), is(Code::NotFound, "NOT_FOUND"));
    assert_eq!(refusal(roles.delete_role(delete("r4", "clerk")).await), is(Code::NotFound, "NOT_FOUND"));
}

#[tokio::test]
async fn a_changed_role_holds_for_tokens_that_are_out_already() {
    let mesh = start().await;
    make_role(&mesh, "clerk", &[]).await;
    make_user(&mesh, "clerk", &["clerk"]).await;
    let mut clerk = UserServiceClient::new(channel_of(&mesh, "clerk", PASSWORD).await);
    let list = || ListUsersRequest::default();
    assert_eq!(refusal(clerk.list_users(list()).await), is(Code::PermissionDenied, "PERMISSION_DENIED"));
    let mut roles = roles(&mesh).await;
    roles.set_role(set_role("r2", "clerk", &["auth.users.read"])).await.unwrap();
    clerk.list_users(list()).await.unwrap();
    roles.set_role(set_role("r3", "clerk", &[])).await.unwrap();
    assert_eq!(refusal(clerk.list_users(list()).await), is(Code::PermissionDenied, "PERMISSION_DENIED"));
}

#[tokio::test]
async fn the_built_in_roles_are_listed_and_stay_as_they_are() {
    let mesh = start().await;
    let mut roles = roles(&mesh).await;
    let list = ListRolesRequest::default();
    let listed = roles.list_roles(list).await.unwrap().into_inner().roles;
    assert!(listed.iter().all(|role| role.built_in && !role.permissions.is_empty()));
    let names: Vec<_> = listed.iter().map(|role| role.name.as_str()).collect();
    assert_eq!(names, ["admin", "user"]);
    assert_eq!(listed[0].permissions, plexus_runtime::identity::permissions());

    let wrong_state = is(Code::FailedPrecondition, "WRONG_STATE");
    for name in names {
        assert_eq!(refusal(roles.set_role(set_role(name, name, &[])).await), wrong_state);
        assert_eq!(refusal(roles.delete_role(delete(&format!("d{name}"), name)).await), wrong_state);
    }
}

#[tokio::test]
async fn lists_come_in_pages_by_name() {
    let mesh = start().await;
    let mut roles = roles(&mesh).await;
    for name in ["zz", "b", "a-1"] {
        roles.set_role(set_role(name, name, &[])).await.unwrap();
    }
    let (mut names, mut page_token) = (Vec::new(), String::new());
    loop {
        let page =
            roles.list_roles(ListRolesRequest { page_size: 2, page_token }).await.unwrap().into_inner();
        names.extend(page.roles.into_iter().map(|role| role.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(names, ["a-1", "admin", "b", "user", "zz"]);
}

#[tokio::test]
async fn a_role_that_somebody_holds_is_not_deleted() {
    let mesh = start().await;
    make_role(&mesh, "clerk", &[]).await;
    let user = make_user(&mesh, "clerk", &["clerk"]).await;
    let mut roles = roles(&mesh).await;
    let refused = roles.delete_role(delete("d", "clerk")).await;
    assert_eq!(refusal(refused), is(Code::FailedPrecondition, "WRONG_STATE"));
    let mut users = UserServiceClient::new(admin(&mesh).await);
    let found = users.get_user(GetUserRequest { user_id: user.user_id }).await.unwrap().into_inner();
    assert_eq!(found.roles, ["clerk"]);
}

#[tokio::test]
async fn each_wrong_field_of_a_role_is_named() {
    let mesh = start().await;
    let mut roles = roles(&mesh).await;
    assert_eq!(wrong_field(roles.set_role(set_role("r", "No Name", &[])).await), "role.name");
    let unknown = set_role("r", "x", &["auth.users.read", "auth.users.destroy"]);
    assert_eq!(wrong_field(roles.set_role(unknown).await), "role.permissions[1]");
    let unset = SetRoleRequest { request_id: "r".to_owned(), role: None };
    assert_eq!(wrong_field(roles.set_role(unset).await), "role");
    assert_eq!(wrong_field(roles.set_role(set_role("", "x", &[])).await), "request_id");
}

#[tokio::test]
async fn nobody_makes_or_unmakes_a_role_that_can_do_more_than_they() {
    let mesh = start().await;
    make_role(&mesh, "role-clerk", &["auth.roles.read", "auth.roles.write"]).await;
    make_role(&mesh, "high", &["auth.users.write"]).await;
    make_user(&mesh, "clerk", &["role-clerk"]).await;
    let mut clerk = RoleServiceClient::new(channel_of(&mesh, "clerk", PASSWORD).await);
    let denied = is(Code::PermissionDenied, "PERMISSION_DENIED");
    assert_eq!(refusal(clerk.set_role(set_role("r1", "mine", &["auth.users.write"])).await), denied);
    let raised = set_role("r2", "role-clerk", &["auth.roles.read", "auth.roles.write", "auth.users.write"]);
    assert_eq!(refusal(clerk.set_role(raised).await), denied);
    assert_eq!(refusal(clerk.set_role(set_role("r3", "high", &[])).await), denied);
    assert_eq!(refusal(clerk.delete_role(delete("r4", "high")).await), denied);
    clerk.set_role(set_role("r5", "mine", &["auth.roles.read"])).await.unwrap();
}

#[tokio::test]
async fn without_the_permission_nothing_about_roles_is_told_or_changed() {
    let mesh = start().await;
    make_user(&mesh, "alice", &["user"]).await;
    let mut alice = RoleServiceClient::new(channel_of(&mesh, "alice", PASSWORD).await);
    let denied = is(Code::PermissionDenied, "PERMISSION_DENIED");
    assert_eq!(refusal(alice.get_role(GetRoleRequest { name: "user".to_owned() }).await), denied);
    assert_eq!(refusal(alice.list_roles(ListRolesRequest::default()).await), denied);
    assert_eq!(refusal(alice.set_role(set_role("r", "x", &[])).await), denied);
    assert_eq!(refusal(alice.delete_role(delete("r", "x")).await), denied);
}
