//! Reports as data and as a page.

use plexus_proto::analytics::v1::{GetReportRequest, RenderReportRequest};
use tonic::Code;

use super::*;

async fn some_days(mesh: &Harness) {
    let batch = vec![
        track_of("alice", NOON_US - 9 * DAY_US, track("1", "opened")),
        track_of("alice", NOON_US - DAY_US, track("2", "opened")),
        track_of("bob", NOON_US, track("3", "<b>bold</b>")),
        track_of("bob", NOON_US, track("4", "message_sent")),
    ];
    import(mesh, batch).await;
}

#[tokio::test]
async fn a_report_covers_seven_days_unless_told_otherwise() {
    let mesh = service().await;
    some_days(&mesh).await;
    let mut client = reports(operator(&mesh));
    let week = client.get_report(GetReportRequest::default()).await.unwrap().into_inner();
    assert_eq!((week.event_count, week.user_count, week.new_user_count), (3, 2, 1));
    let days: Vec<_> = week.days.iter().map(|day| (day.event_count, day.user_count)).collect();
    assert_eq!(days, [(0, 0), (0, 0), (0, 0), (0, 0), (0, 0), (1, 1), (2, 1)]);
    assert_eq!(week.messages.unwrap().totals.unwrap().sent_count, 1);
    assert_eq!(week.end_time, Some(clock::timestamp(NOON_US + DAY_US / 2)));

    let longer =
        GetReportRequest { start_time: Some(clock::timestamp(NOON_US - 9 * DAY_US)), end_time: None };
    let longer = client.get_report(longer).await.unwrap().into_inner();
    assert_eq!((longer.event_count, longer.user_count, longer.new_user_count), (4, 2, 2));
    assert_eq!((longer.top_events[0].name.as_str(), longer.top_events[0].event_count), ("opened", 2));
}

#[tokio::test]
async fn a_report_is_rendered_as_one_page_that_holds_names_as_text() {
    let mesh = service().await;
    some_days(&mesh).await;
    let request = RenderReportRequest { title: "Week <1>".to_owned(), ..RenderReportRequest::default() };
    let html = reports(operator(&mesh)).render_report(request).await.unwrap().into_inner().html;
    assert!(html.starts_with("<!doctype html>"));
    assert!(html.contains("<h1>Week &lt;1&gt;</h1>") && html.contains("&lt;b&gt;bold&lt;/b&gt;"));
    assert!(!html.contains("<b>bold") && !html.contains("<script"));
}

#[tokio::test]
async fn reports_have_limits_and_take_a_permission() {
    let mesh = service().await;
    let mut client = reports(operator(&mesh));
    let long =
        GetReportRequest { start_time: Some(clock::timestamp(NOON_US - 400 * DAY_US)), end_time: None };
    assert_eq!(client.get_report(long).await.unwrap_err().code(), Code::InvalidArgument);
    let title = RenderReportRequest { title: "x".repeat(201), ..RenderReportRequest::default() };
    assert_eq!(client.render_report(title).await.unwrap_err().code(), Code::InvalidArgument);
    let status = reports(alice(&mesh)).get_report(GetReportRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
}
