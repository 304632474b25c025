//! The ai service as its callers see it: a real server, a quota that tells what it is asked, providers that follow scripts.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "in a test, what cannot be done is a failure")]

mod audio;
mod chat;
mod component;
mod double;
mod failover;
mod fake_quota;
mod language;
mod repeated;
mod stream;
mod traced;

use double::Double;
use fake_quota::FakeQuota;
use plexus_ai::{Ai, ProviderSettings, Settings};
use plexus_client::Channel;
use plexus_proto::ai::v1::{ChatRequest, Message, Role};
use plexus_runtime::settings::Secret;
use plexus_testkit::Harness;
use tonic::Status;
use tonic_types::StatusExt as _;

/// More tokens than any test uses.
const PLENTY: i64 = 1_000_000_000;
/// What a person needs to use everything.
const USE: [&str; 2] = ["ai.chat.use", "ai.models.read"];

/// A service with these settings on a quota of its own.
async fn start(settings: Settings, quota: &FakeQuota) -> Harness {
    Harness::of::<Ai>().settings(settings).peer("quota", quota.routes()).start().await.unwrap()
}

/// A channel of alice, who may use everything.
fn alice(mesh: &Harness) -> Channel {
    mesh.channel("user:alice", &USE)
}

/// Settings with these doubles as providers `p0`, `p1` ..., each with a model of the same name for all.
fn with_providers(doubles: &[&Double]) -> Settings {
    let urls: Vec<&str> = doubles.iter().map(|double| double.base_url.as_str()).collect();
    with_urls(&urls)
}

fn with_urls(urls: &[&str]) -> Settings {
    let provider = |(at, url): (usize, &&str)| ProviderSettings {
        name: format!("p{at}"),
        base_url: (*url).to_owned(),
        api_key: Secret::new(format!("sk-{at}")),
        models: vec!["m".to_owned(), format!("m{at}")],
        ..ProviderSettings::default()
    };
    Settings { providers: urls.iter().enumerate().map(provider).collect(), ..Settings::default() }
}

/// A conversation that consists of one message.
fn ask(content: &str) -> ChatRequest {
    let message = Message { role: Role::User.into(), content: content.to_owned() };
    ChatRequest { messages: vec![message], ..ChatRequest::default() }
}

/// The reason that a refusal carries.
fn reason(status: &Status) -> String {
    status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default()
}

/// A fact that a refusal carries.
fn metadata(status: &Status, key: &str) -> String {
    let details = status.get_error_details();
    details.error_info().and_then(|info| info.metadata.get(key).cloned()).unwrap_or_default()
}
