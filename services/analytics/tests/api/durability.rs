//! What was acknowledged is there after a crash.

use std::path::Path;

use futures_util::future::join_all;
use plexus_proto::analytics::v1::{
    EventOutcome, GetLiveMetricsRequest, GetReportRequest, GetUserBehaviorRequest, TrackEventRequest,
};
use plexus_testkit::stores::sqlite_url;

use super::*;

/// What a crash leaves behind: the files as they are at this moment, without a last word of the service.
fn copy_files(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

async fn start_on(folder: &tempfile::TempDir) -> Harness {
    let start = Harness::of::<Analytics>().clock(Clock::manual(NOON_US)).database_url(sqlite_url(folder));
    start.start().await.unwrap()
}

async fn track_one(mesh: &Harness, id: usize) -> EventOutcome {
    let request = TrackEventRequest { event: Some(track(&id.to_string(), "opened")) };
    events(alice(mesh)).track_event(request).await.unwrap().into_inner().outcome()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_loses_nothing_that_was_acknowledged() {
    let (folder, after_crash) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mesh = start_on(&folder).await;
    let outcomes = join_all((0..200).map(|id| track_one(&mesh, id))).await;
    assert!(outcomes.iter().all(|outcome| *outcome == EventOutcome::Accepted));
    let batch = (200..300).map(|id| track(&id.to_string(), "opened")).collect();
    assert_eq!(track_all(alice(&mesh), batch).await.accepted_count, 100);
    copy_files(folder.path(), after_crash.path());

    let mesh = start_on(&after_crash).await;
    let report = reports(operator(&mesh)).get_report(GetReportRequest::default()).await.unwrap().into_inner();
    assert_eq!(report.event_count, 300);
    // The live counters died with the process; the store stands in for them.
    let live =
        metrics(operator(&mesh)).get_live_metrics(GetLiveMetricsRequest {}).await.unwrap().into_inner();
    assert_eq!(live.event_count, 300);
    let again = join_all((0..300).map(|id| track_one(&mesh, id))).await;
    assert!(again.iter().all(|outcome| *outcome == EventOutcome::Duplicate));
}

#[tokio::test]
async fn a_service_that_stopped_goes_on_where_it_was() {
    let mesh = service().await;
    track_all(alice(&mesh), vec![track("1", "opened")]).await;
    let folder = mesh.stop().await.unwrap();
    let mesh = Harness::of::<Analytics>().clock(Clock::manual(NOON_US)).start_in(folder).await.unwrap();
    let answer = track_all(alice(&mesh), vec![track("1", "opened"), track("2", "opened")]).await;
    assert_eq!((answer.duplicate_count, answer.accepted_count), (1, 1));
}

#[tokio::test]
async fn old_events_are_thrown_away_and_their_counts_stay() {
    let settings = Settings { events_kept_days: 1, ..Settings::default() };
    let mesh = service_with(settings.clone()).await;
    track_all(alice(&mesh), vec![track("1", "opened")]).await;
    let folder = mesh.stop().await.unwrap();
    let later = Harness::of::<Analytics>().settings(settings).clock(Clock::manual(NOON_US + 3 * DAY_US));
    let mesh = later.start_in(folder).await.unwrap();

    let behavior = async || {
        let request = GetUserBehaviorRequest::default();
        insights(alice(&mesh)).get_user_behavior(request).await.unwrap().into_inner()
    };
    while behavior().await.event_count > 0 {}
    assert_eq!(behavior().await.lifetime_event_count, 1);
    let report = reports(operator(&mesh)).get_report(GetReportRequest::default()).await.unwrap().into_inner();
    assert_eq!(report.event_count, 1);
}
