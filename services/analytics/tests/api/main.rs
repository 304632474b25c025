//! The analytics service from outside, through generated clients.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod durability;
mod events;
mod insights;
mod live;
mod reports;

use std::time::Duration;

use plexus_analytics::{Analytics, config::Settings};
use plexus_client::Channel;
use plexus_proto::analytics::v1::{
    Event, EventType, TrackEventsRequest, TrackEventsResponse, event_service_client::EventServiceClient,
    insight_service_client::InsightServiceClient, metrics_service_client::MetricsServiceClient,
    report_service_client::ReportServiceClient,
};
use plexus_runtime::clock::{self, Clock};
use plexus_testkit::Harness;
use prost_types::{Struct, Value, value::Kind};

/// A day in 2027, at noon.
const NOON_US: i64 = 20_833 * DAY_US + 12 * HOUR_US;
const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;
const MINUTE: Duration = Duration::from_secs(60);

/// What the built-in role "user" holds.
const USER: [&str; 4] = [
    "analytics.events.write",
    "analytics.behavior.read",
    "analytics.messages.read",
    "analytics.recommendations.read",
];

/// A service whose clock stands at noon and whose model of recommendations is always fresh.
async fn service() -> Harness {
    service_with(Settings::default()).await
}

async fn service_with(settings: Settings) -> Harness {
    let settings = Settings { recommendation_age_max_seconds: 0, ..settings };
    Harness::of::<Analytics>().settings(settings).clock(Clock::manual(NOON_US)).start().await.unwrap()
}

fn alice(mesh: &Harness) -> Channel {
    mesh.channel("user:alice", &USER)
}

/// Somebody who may see everybody.
fn operator(mesh: &Harness) -> Channel {
    let permissions = [
        "analytics.metrics.read",
        "analytics.reports.read",
        "analytics.messages.read",
        "analytics.behavior.read",
        "analytics.behavior.read_all",
        "analytics.recommendations.read",
    ];
    mesh.channel("user:olga", &permissions)
}

fn events(channel: Channel) -> EventServiceClient<Channel> {
    EventServiceClient::new(channel)
}

fn insights(channel: Channel) -> InsightServiceClient<Channel> {
    InsightServiceClient::new(channel)
}

fn metrics(channel: Channel) -> MetricsServiceClient<Channel> {
    MetricsServiceClient::new(channel)
}

fn reports(channel: Channel) -> ReportServiceClient<Channel> {
    ReportServiceClient::new(channel)
}

/// A track of `event` with this id.
fn track(message_id: &str, event: &str) -> Event {
    Event {
        message_id: message_id.to_owned(),
        r#type: EventType::Track.into(),
        event: event.to_owned(),
        ..Event::default()
    }
}

/// The same of this user at this time.
fn track_of(user_id: &str, at_us: i64, event: Event) -> Event {
    Event { user_id: user_id.to_owned(), timestamp: Some(clock::timestamp(at_us)), ..event }
}

fn with(properties: &[(&str, Kind)], event: Event) -> Event {
    let value = |kind: &Kind| Value { kind: Some(kind.clone()) };
    let fields = properties.iter().map(|(key, kind)| ((*key).to_owned(), value(kind))).collect();
    Event { properties: Some(Struct { fields }), ..event }
}

fn text(text: &str) -> Kind {
    Kind::StringValue(text.to_owned())
}

/// Tracks events about anybody.
async fn import(mesh: &Harness, batch: Vec<Event>) -> TrackEventsResponse {
    let importer = mesh.channel("user:importer", &["analytics.events.write_any"]);
    let request = TrackEventsRequest { events: batch, sent_at: None };
    events(importer).import_events(request).await.unwrap().into_inner()
}

async fn track_all(channel: Channel, batch: Vec<Event>) -> TrackEventsResponse {
    let request = TrackEventsRequest { events: batch, sent_at: None };
    events(channel).track_events(request).await.unwrap().into_inner()
}
