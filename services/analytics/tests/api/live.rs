//! Live metrics and the dashboard.

use plexus_proto::analytics::v1::{
    GetDashboardRequest, GetLiveMetricsRequest, LiveMetrics, LiveSource, WatchLiveMetricsRequest,
};
use plexus_runtime::stores::shared::Shared;
use plexus_testkit::{Proxy, RedisServer};
use tonic::{Code, Streaming};

use super::*;

async fn live(mesh: &Harness) -> LiveMetrics {
    metrics(operator(mesh)).get_live_metrics(GetLiveMetricsRequest {}).await.unwrap().into_inner()
}

async fn watch(mesh: &Harness) -> Result<Streaming<LiveMetrics>, tonic::Status> {
    metrics(operator(mesh))
        .watch_live_metrics(WatchLiveMetricsRequest {})
        .await
        .map(tonic::Response::into_inner)
}

async fn track_some(mesh: &Harness, prefix: &str, count: usize) {
    let batch = (0..count).map(|number| track(&format!("{prefix}{number}"), "opened")).collect();
    track_all(alice(mesh), batch).await;
}

#[tokio::test]
async fn the_last_sixty_minutes_are_counted_by_minute() {
    let mesh = service().await;
    track_some(&mesh, "a", 3).await;
    assert_eq!(live(&mesh).await.source(), LiveSource::Store, "counting began in this very minute");
    mesh.clock().advance(5 * MINUTE);
    track_all(mesh.channel("user:bob", &USER), vec![track("1", "closed")]).await;

    let now = live(&mesh).await;
    let counts: Vec<i64> = now.minutes.iter().map(|minute| minute.event_count).collect();
    assert_eq!((counts.len(), counts[54], counts[59], now.event_count), (60, 3, 1, 4));
    assert_eq!(now.minutes[59].start_time, Some(clock::timestamp(NOON_US + HOUR_US / 12)));
    assert_eq!((now.active_users_5m, now.active_users_60m), (2, 2));
    let top: Vec<_> = now.top_events.iter().map(|top| (top.name.as_str(), top.event_count)).collect();
    assert_eq!(top, [("opened", 3), ("closed", 1)]);

    mesh.clock().advance(58 * MINUTE);
    let later = live(&mesh).await;
    assert_eq!((later.event_count, later.active_users_60m), (1, 1));
    assert_eq!(later.source(), LiveSource::Counters);
}

#[tokio::test]
async fn live_metrics_are_for_those_who_may_see_everybody() {
    let mesh = service().await;
    let status = metrics(alice(&mesh)).get_live_metrics(GetLiveMetricsRequest {}).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_watcher_sees_the_present_at_once_and_a_change_without_waiting_for_the_interval() {
    let mesh = service_with(Settings { live_interval_ms: 3_600_000, ..Settings::default() }).await;
    let mut watching = watch(&mesh).await.unwrap();
    assert_eq!(watching.message().await.unwrap().unwrap().event_count, 0);
    track_some(&mesh, "a", 2).await;
    while watching.message().await.unwrap().unwrap().event_count < 2 {}
}

#[tokio::test]
async fn a_watcher_hears_from_the_service_when_nothing_changes() {
    let mesh = service_with(Settings { live_interval_ms: 100, ..Settings::default() }).await;
    let mut watching = watch(&mesh).await.unwrap();
    for _ in 0..3 {
        assert_eq!(watching.message().await.unwrap().unwrap().event_count, 0);
    }
}

#[tokio::test]
async fn watchers_beyond_the_limit_are_refused_until_one_goes() {
    let mesh = service_with(Settings { watchers_max: 1, ..Settings::default() }).await;
    let first = watch(&mesh).await.unwrap();
    assert_eq!(watch(&mesh).await.unwrap_err().code(), Code::ResourceExhausted);
    drop(first);
    while watch(&mesh).await.is_err() {}
}

#[tokio::test]
async fn streams_end_when_the_service_stops() {
    let mesh = service().await;
    let mut watching = watch(&mesh).await.unwrap();
    watching.message().await.unwrap().unwrap();
    let stopped = tokio::spawn(mesh.stop());
    while watching.message().await.unwrap().is_some() {}
    stopped.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_stay_exact_while_the_shared_tier_is_out_of_reach_and_afterwards() {
    let redis = RedisServer::start().await.unwrap();
    let target = redis.url().trim_start_matches("redis://").trim_end_matches('/').parse().unwrap();
    let network = Proxy::start(target).await.unwrap();
    let shared = Shared::redis(&format!("redis://{}/", network.address())).unwrap();
    let start = Harness::of::<Analytics>().clock(Clock::manual(NOON_US)).shared(shared.clone());
    let mesh = start.start().await.unwrap();
    let counted = async || {
        let now = live(&mesh).await;
        (now.event_count, now.source())
    };
    track_some(&mesh, "before", 1).await;
    assert_eq!(counted().await, (1, LiveSource::Store), "the minute in which counting began is not whole");
    mesh.clock().advance(61 * MINUTE);
    track_some(&mesh, "counted", 2).await;
    assert_eq!(counted().await, (2, LiveSource::Counters));

    network.cut(true);
    track_some(&mesh, "lost", 3).await;
    assert_eq!(counted().await, (5, LiveSource::Store));

    // The counters kept what they had, but lack what came meanwhile.
    network.cut(false);
    while counted().await.1 == LiveSource::Store {
        while shared.check().await.is_err() {}
        mesh.clock().advance(MINUTE);
    }
    track_some(&mesh, "back", 4).await;
    assert_eq!(counted().await, (9, LiveSource::Mixed));
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_that_were_emptied_unseen_are_not_taken_for_whole() {
    let mut redis = RedisServer::start().await.unwrap();
    let mesh = Harness::of::<Analytics>()
        .clock(Clock::manual(NOON_US))
        .shared(Shared::redis(&redis.url()).unwrap())
        .start()
        .await
        .unwrap();
    track_some(&mesh, "before", 1).await;
    mesh.clock().advance(61 * MINUTE);
    track_some(&mesh, "counted", 2).await;
    redis.stop().await;
    redis.resume().await.unwrap();
    mesh.clock().advance(MINUTE);
    track_some(&mesh, "after", 4).await;
    assert_eq!(live(&mesh).await.event_count, 6);
}

#[tokio::test]
async fn the_dashboard_holds_every_tile_and_series() {
    let mesh = service().await;
    let yesterday = NOON_US - DAY_US;
    let message = with(&[("tokens", Kind::NumberValue(30.0))], track("4", "message_received"));
    let batch = vec![
        track_of("alice", yesterday, track("1", "opened")),
        track_of("alice", NOON_US, track("2", "opened")),
        track_of("bob", NOON_US - 3 * HOUR_US, track("3", "opened")),
        track_of("bob", NOON_US, message),
    ];
    import(&mesh, batch).await;

    let dashboard =
        metrics(operator(&mesh)).get_dashboard(GetDashboardRequest {}).await.unwrap().into_inner();
    let tiles = dashboard.tiles.unwrap();
    assert_eq!((tiles.events_today, tiles.events_yesterday), (3, 1));
    assert_eq!((tiles.active_users_today, tiles.active_users_yesterday), (2, 1));
    assert_eq!((tiles.active_users_7d, tiles.active_users_30d, tiles.new_users_today), (2, 2, 1));
    assert_eq!((tiles.messages_today, tiles.tokens_today), (1, 30));
    assert_eq!((tiles.events_last_60m, tiles.active_users_5m), (4, 2));
    let hours: Vec<i64> = dashboard.hours.iter().map(|hour| hour.event_count).collect();
    assert_eq!((hours.len(), hours[23], hours[20]), (24, 2, 1));
    assert_eq!(
        (dashboard.days.len(), dashboard.days[29].event_count, dashboard.days[28].user_count),
        (30, 3, 1)
    );
    assert_eq!((dashboard.top_events[0].name.as_str(), dashboard.top_events[0].event_count), ("opened", 3));
}
