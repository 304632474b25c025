//! What auth refuses because there is too much of it, and when to try again.

use futures_util::future::join_all;
use plexus_auth::config::Settings;
use plexus_client::Channel;
use plexus_proto::auth::v1::{
    CreateApiKeyRequest, IssueServiceTokenRequest, WatchTrustRequest,
    api_key_service_client::ApiKeyServiceClient, role_service_client::RoleServiceClient,
    trust_service_client::TrustServiceClient,
};
use plexus_testkit::Harness;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::mesh::{
    PASSWORD, admin, builder, channel_of, is, login, make_user, refusal, set_role, settings, start,
};

async fn service(mesh: &Harness) -> Channel {
    let request =
        IssueServiceTokenRequest { service: "ai".to_owned(), mesh_secret: mesh.mesh_secret().to_owned() };
    let mut trust = TrustServiceClient::new(mesh.anonymous_channel());
    mesh.channel_with_token(&trust.issue_service_token(request).await.unwrap().into_inner().access_token)
}

fn says_when_to_come_back(status: &Status) -> bool {
    status.get_details_retry_info().and_then(|info| info.retry_delay).is_some_and(|delay| !delay.is_zero())
}

#[tokio::test]
async fn logins_beyond_the_hashing_queue_are_told_when_to_come_back() {
    let narrow = Settings { hashing_slots: 1, hashing_waiters_max: 0, ..settings() };
    let mesh = builder().settings(narrow).start().await.unwrap();
    let outcomes = join_all((0..16).map(|_| login(&mesh, "nobody", PASSWORD))).await;
    let refused: Vec<Status> = outcomes.into_iter().filter_map(Result::err).collect();
    let busy: Vec<&Status> = refused.iter().filter(|status| status.code() != Code::Unauthenticated).collect();
    assert!(!busy.is_empty() && busy.len() < 16, "{refused:?}");
    for status in busy {
        assert!(says_when_to_come_back(status), "{status:?}");
        assert_eq!(refusal::<()>(Err(status.clone())), is(Code::ResourceExhausted, "OVERLOADED"));
    }
}

#[tokio::test]
async fn watchers_beyond_the_limit_are_refused_until_one_leaves() {
    let mesh = start().await;
    // A few channels, so that the limit of streams per connection is not met first.
    let mut channels = Vec::new();
    for _ in 0..16 {
        channels.push(service(&mesh).await);
    }
    let mut streams = Vec::new();
    for channel in channels.iter().cycle().take(512) {
        let mut trust = TrustServiceClient::new(channel.clone());
        streams.push(trust.watch_trust(WatchTrustRequest {}).await.unwrap().into_inner());
    }
    let mut trust = TrustServiceClient::new(channels[0].clone());
    let refused = trust.watch_trust(WatchTrustRequest {}).await.unwrap_err();
    assert!(says_when_to_come_back(&refused), "{refused:?}");
    assert_eq!(refusal::<()>(Err(refused)), is(Code::ResourceExhausted, "OVERLOADED"));

    streams.pop();
    // The server learns of it a moment later.
    while trust.watch_trust(WatchTrustRequest {}).await.is_err() {}
}

#[tokio::test]
async fn a_user_has_a_hundred_keys_and_no_more() {
    let mesh = start().await;
    make_user(&mesh, "alice", &["user"]).await;
    let keys = ApiKeyServiceClient::new(channel_of(&mesh, "alice", PASSWORD).await);
    let create = |number: usize| {
        let mut keys = keys.clone();
        let (request_id, display_name) = (format!("k{number}"), "key".to_owned());
        async move {
            keys.create_api_key(CreateApiKeyRequest { request_id, display_name, expire_time: None }).await
        }
    };
    for outcome in join_all((0..100).map(create)).await {
        outcome.unwrap();
    }
    assert_eq!(refusal(create(100).await), is(Code::ResourceExhausted, "LIMIT_EXCEEDED"));
}

#[tokio::test]
async fn there_are_256_roles_and_no_more() {
    let mesh = start().await;
    let roles = RoleServiceClient::new(admin(&mesh).await);
    let set = |number: usize| {
        let mut roles = roles.clone();
        let name = format!("role-{number}");
        async move { roles.set_role(set_role(&name, &name, &[])).await }
    };
    // Two are built in.
    for outcome in join_all((2..256).map(set)).await {
        outcome.unwrap();
    }
    assert_eq!(refusal(set(256).await), is(Code::ResourceExhausted, "LIMIT_EXCEEDED"));
    // One that exists may still be replaced.
    let mut again = roles.clone();
    again.set_role(set_role("again", "role-2", &["auth.users.read"])).await.unwrap();
}
