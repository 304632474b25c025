//! What each layer lets through and what it refuses.

use std::time::Duration;

use plexus_proto::auth::v1::{
    DeleteRoleRequest, GetJwksRequest, GetRoleRequest, ListRolesRequest, SetRoleRequest, WatchTrustRequest,
    role_service_client::RoleServiceClient, trust_service_client::TrustServiceClient,
};
use plexus_runtime::server::ServerSettings;
use plexus_testkit::Harness;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use crate::{one_connection::OneConnection, sample::Sample};

const READ: &str = "auth.roles.read";
const WRITE: &str = "auth.roles.write";

fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

#[tokio::test]
async fn a_public_method_needs_no_token_and_ignores_a_bad_one() {
    let mesh = Harness::of::<Sample>().start().await.unwrap();
    for channel in [mesh.anonymous_channel(), mesh.channel_with_token("no.token.atall")] {
        TrustServiceClient::new(channel).get_jwks(GetJwksRequest {}).await.unwrap();
    }
}

#[tokio::test]
async fn a_method_with_a_permission_takes_only_those_who_hold_it() {
    let mesh = Harness::of::<Sample>().start().await.unwrap();
    let get = |channel| async move {
        RoleServiceClient::new(channel)
            .get_role(GetRoleRequest::default())
            .await
            .map(|answer| answer.into_inner().name)
    };
    assert_eq!(get(mesh.channel("user:alice", &[READ])).await.unwrap(), "user:alice");

    let denied = get(mesh.channel("user:bob", &[WRITE])).await.unwrap_err();
    assert_eq!((denied.code(), reason(&denied).as_str()), (Code::PermissionDenied, "PERMISSION_DENIED"));
    assert_eq!(denied.get_details_error_info().unwrap().metadata["permission"], READ);

    let nobody = get(mesh.anonymous_channel()).await.unwrap_err();
    assert_eq!((nobody.code(), reason(&nobody).as_str()), (Code::Unauthenticated, "UNAUTHENTICATED"));
    let forged = get(mesh.channel_with_token("no.token.atall")).await.unwrap_err();
    assert_eq!(forged.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_method_for_services_takes_no_person() {
    let mesh = Harness::of::<Sample>().start().await.unwrap();
    let watch =
        |channel| async move { TrustServiceClient::new(channel).watch_trust(WatchTrustRequest {}).await };
    assert!(watch(mesh.service_channel("ai")).await.is_ok());
    let denied = watch(mesh.channel("user:alice", &[READ, WRITE])).await.unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_token_that_has_run_out_says_so() {
    let clock = plexus_runtime::clock::Clock::manual(1_800_000_000_000_000);
    let mesh = Harness::of::<Sample>().clock(clock.clone()).start().await.unwrap();
    let channel = mesh.channel("user:alice", &[READ]);
    clock.advance(Duration::from_secs(200 * 365 * 24 * 3600));
    let expired = RoleServiceClient::new(channel).get_role(GetRoleRequest::default()).await.unwrap_err();
    assert_eq!((expired.code(), reason(&expired).as_str()), (Code::Unauthenticated, "TOKEN_EXPIRED"));
}

#[tokio::test]
async fn a_panic_costs_its_own_call_and_no_other() {
    let mesh = Harness::of::<Sample>().start().await.unwrap();
    let mut roles = RoleServiceClient::new(mesh.channel("user:alice", &[READ, WRITE]));
    let failed = roles.set_role(SetRoleRequest::default()).await.unwrap_err();
    assert_eq!((failed.code(), reason(&failed).as_str()), (Code::Internal, "INTERNAL"));
    assert!(!failed.message().contains("bug"), "what failed inside is not told");
    roles.get_role(GetRoleRequest::default()).await.unwrap();
}

#[tokio::test]
async fn a_call_ends_at_its_deadline_and_hands_it_to_the_calls_below() {
    let mesh = Harness::of::<Sample>().start().await.unwrap();
    let mut roles = RoleServiceClient::new(mesh.channel("user:alice", &[READ]));
    let mut request = Request::new(ListRolesRequest::default());
    request.set_timeout(Duration::from_millis(30));
    assert_eq!(roles.list_roles(request).await.unwrap_err().code(), Code::DeadlineExceeded);

    let mut request = Request::new(GetRoleRequest::default());
    request.set_timeout(Duration::from_secs(600));
    assert!(roles.get_role(request).await.unwrap().into_inner().built_in, "the deadline is inherited");
}

#[tokio::test]
async fn a_stream_ends_at_its_deadline_too() {
    let mesh = Harness::of::<Sample>().start().await.unwrap();
    let mut request = Request::new(WatchTrustRequest {});
    request.set_timeout(Duration::from_millis(100));
    let mut trust = TrustServiceClient::new(mesh.service_channel("ai"));
    let mut stream = trust.watch_trust(request).await.unwrap().into_inner();
    assert_eq!(stream.message().await.unwrap().unwrap().sequence, 1);
    assert_eq!(stream.message().await.unwrap_err().code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_unary_call_without_a_deadline_gets_that_of_the_server_and_a_stream_does_not() {
    let server = ServerSettings { unary_deadline_seconds: 1, lame_duck_ms: 0, ..ServerSettings::default() };
    let mesh = Harness::of::<Sample>().server(server).start().await.unwrap();
    let watcher = OneConnection::open(mesh.address(), &mesh.token("service:ai", &[])).await.unwrap();
    let mut stream = watcher.trust().watch_trust(WatchTrustRequest {}).await.unwrap().into_inner();
    assert_eq!(stream.message().await.unwrap().unwrap().sequence, 1);

    let person =
        OneConnection::open(mesh.address(), &mesh.token("user:alice", &[READ, WRITE])).await.unwrap();
    let late = person.roles().list_roles(ListRolesRequest::default()).await.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded);

    // The stream is older than the call was, and still open.
    person.roles().delete_role(DeleteRoleRequest::default()).await.unwrap();
    assert_eq!(stream.message().await.unwrap().unwrap().sequence, 2);
}

#[tokio::test]
async fn every_call_is_measured_by_method_and_outcome() {
    let mesh = Harness::of::<Sample>().start().await.unwrap();
    let mut roles = RoleServiceClient::new(mesh.channel("user:alice", &[READ]));
    roles.get_role(GetRoleRequest::default()).await.unwrap();
    roles.set_role(SetRoleRequest::default()).await.unwrap_err();
    let metrics = mesh.metrics();
    for (method, code) in [("GetRole", "OK"), ("SetRole", "PERMISSION_DENIED")] {
        let series = metrics.lines().find(|line| {
            line.starts_with("rpc_server_call_duration_seconds_count")
                && line.contains(&format!("rpc_method=\"plexus.auth.v1.RoleService/{method}\""))
                && line.contains(&format!("rpc_status_code=\"{code}\""))
        });
        assert!(series.is_some_and(|series| series.ends_with(" 1")), "{method} {code}: {metrics}");
    }
}
