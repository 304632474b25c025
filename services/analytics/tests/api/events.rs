//! Taking events.

use plexus_proto::analytics::v1::{EventOutcome, TrackEventRequest};
use plexus_runtime::clock::timestamp;
use tonic::Code;

use super::*;

fn one(event: Event) -> TrackEventRequest {
    TrackEventRequest { event: Some(event) }
}

#[tokio::test]
async fn an_event_is_taken_once() {
    let mesh = service().await;
    let mut client = events(alice(&mesh));
    let first = client.track_event(one(track("1", "opened"))).await.unwrap().into_inner();
    assert_eq!(first.outcome(), EventOutcome::Accepted);
    assert_eq!(first.timestamp, Some(timestamp(NOON_US)));
    let again = client.track_event(one(track("1", "opened"))).await.unwrap().into_inner();
    assert_eq!((again.outcome(), again.timestamp), (EventOutcome::Duplicate, None));
}

#[tokio::test]
async fn the_same_message_id_from_another_caller_is_another_event() {
    let mesh = service().await;
    events(alice(&mesh)).track_event(one(track("1", "opened"))).await.unwrap();
    let mut bob = events(mesh.channel("user:bob", &USER));
    let of_bob = bob.track_event(one(track("1", "opened"))).await.unwrap().into_inner();
    assert_eq!(of_bob.outcome(), EventOutcome::Accepted);
}

#[tokio::test]
async fn a_wrong_device_clock_is_corrected() {
    let mesh = service().await;
    let event = Event {
        original_timestamp: Some(timestamp(1_000_000)),
        sent_at: Some(timestamp(31_000_000)),
        ..track("1", "opened")
    };
    let answer = events(alice(&mesh)).track_event(one(event)).await.unwrap().into_inner();
    assert_eq!(answer.timestamp, Some(timestamp(NOON_US - 30_000_000)));
}

#[tokio::test]
async fn an_event_that_is_not_valid_is_refused_with_its_field() {
    let mesh = service().await;
    let mut client = events(alice(&mesh));
    for (event, field) in [
        (track("", "opened"), "event.message_id"),
        (track("1", ""), "event.event"),
        (Event { r#type: 99, ..track("1", "opened") }, "event.type"),
        (track_of("", NOON_US - 91 * DAY_US, track("1", "opened")), "event.timestamp"),
    ] {
        let status = client.track_event(one(event)).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().starts_with(field), "{}", status.message());
    }
    let status = client.track_event(TrackEventRequest { event: None }).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_user_tracks_for_themself_and_for_nobody_else() {
    let mesh = service().await;
    let about_bob = one(track_of("bob", NOON_US, track("1", "opened")));
    let status = events(alice(&mesh)).track_event(about_bob).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn imports_are_about_anybody_and_take_a_permission_of_their_own() {
    let mesh = service().await;
    let anonymous = Event { anonymous_id: "device".to_owned(), ..track("2", "opened") };
    let batch = vec![track_of("bob", NOON_US, track("1", "opened")), anonymous, track("3", "opened")];
    let request = TrackEventsRequest { events: batch.clone(), sent_at: None };
    let status = events(alice(&mesh)).import_events(request).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    let answer = import(&mesh, batch).await;
    assert_eq!((answer.accepted_count, answer.rejected_count), (2, 1));
    assert_eq!(answer.results[2].field, "user_id", "an event is about somebody");
}

#[tokio::test]
async fn services_record_events_about_anybody() {
    let mesh = service().await;
    let batch = vec![track_of("bob", NOON_US, track("1", "message_received"))];
    let request = TrackEventsRequest { events: batch, sent_at: None };
    let status = events(alice(&mesh)).record_events(request.clone()).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    let answer = events(mesh.service_channel("ai")).record_events(request).await.unwrap().into_inner();
    assert_eq!(answer.accepted_count, 1);
}

#[tokio::test]
async fn tracking_takes_a_token_and_a_permission() {
    let mesh = service().await;
    let status = events(mesh.anonymous_channel()).track_event(one(track("1", "a"))).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    let reader = mesh.channel("user:alice", &["analytics.behavior.read"]);
    let status = events(reader).track_event(one(track("1", "a"))).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_batch_says_of_each_event_what_became_of_it() {
    let mesh = service().await;
    track_all(alice(&mesh), vec![track("known", "opened")]).await;
    let answer = track_all(
        alice(&mesh),
        vec![
            track("new", "opened"),
            track("known", "opened"),
            track("new", "opened"),
            track("bad", ""),
            track_of("bob", NOON_US, track("others", "opened")),
        ],
    )
    .await;
    let outcomes: Vec<_> = answer
        .results
        .iter()
        .map(|result| (result.message_id.as_str(), result.outcome(), result.field.as_str()))
        .collect();
    assert_eq!(
        outcomes,
        [
            ("new", EventOutcome::Accepted, ""),
            ("known", EventOutcome::Duplicate, ""),
            ("new", EventOutcome::Duplicate, ""),
            ("bad", EventOutcome::Rejected, "event"),
            ("others", EventOutcome::Rejected, "user_id"),
        ]
    );
    assert!(!answer.results[3].reason.is_empty());
    assert_eq!((answer.accepted_count, answer.duplicate_count, answer.rejected_count), (1, 2, 2));
}

#[tokio::test]
async fn the_sending_time_of_a_batch_corrects_its_events() {
    let mesh = service().await;
    let event = Event { original_timestamp: Some(timestamp(1_000_000)), ..track("1", "opened") };
    let batch = TrackEventsRequest { events: vec![event], sent_at: Some(timestamp(2_000_000)) };
    let answer = events(alice(&mesh)).track_events(batch).await.unwrap().into_inner();
    assert_eq!(answer.results[0].timestamp, Some(timestamp(NOON_US - 1_000_000)));
}

#[tokio::test]
async fn a_full_batch_is_taken_and_a_larger_one_refused() {
    let mesh = service().await;
    let batch = |count: usize| (0..count).map(|number| track(&number.to_string(), "opened")).collect();
    let answer = track_all(alice(&mesh), batch(2_500)).await;
    assert_eq!((answer.accepted_count, answer.results.len()), (2_500, 2_500));

    let mut client = events(alice(&mesh));
    for wrong in [batch(0), batch(2_501)] {
        let request = TrackEventsRequest { events: wrong, sent_at: None };
        assert_eq!(client.track_events(request).await.unwrap_err().code(), Code::InvalidArgument);
    }
}

#[tokio::test]
async fn bytes_are_limited_per_event_and_per_batch() {
    let mesh = service().await;
    let heavy = |id: &str, bytes: usize| with(&[("note", text(&"x".repeat(bytes)))], track(id, "opened"));
    let answer = track_all(alice(&mesh), vec![heavy("large", 33_000), heavy("small", 30_000)]).await;
    assert_eq!(answer.results[0].outcome(), EventOutcome::Rejected);
    assert!(answer.results[0].reason.contains("32768"), "{}", answer.results[0].reason);
    assert_eq!(answer.results[1].outcome(), EventOutcome::Accepted);

    let batch = (0..18).map(|number| heavy(&number.to_string(), 30_000)).collect();
    let request = TrackEventsRequest { events: batch, sent_at: None };
    let status = events(alice(&mesh)).track_events(request).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("512000"), "{}", status.message());
}
