//! Which events are taken.

use super::*;
use crate::event::Times;

const NOW: Now = Now { receive_us: 1_800_000_000_000_000, kept_days: 90 };

fn alice() -> Author {
    Author { source: "user:alice".to_owned(), only: Some("alice".to_owned()) }
}

fn service() -> Author {
    Author { source: "service:ai".to_owned(), only: None }
}

fn track(message_id: &str) -> Draft {
    Draft {
        message_id: message_id.to_owned(),
        kind: Some(Kind::Track),
        event: "opened".to_owned(),
        ..Draft::default()
    }
}

fn rejected_field(draft: Draft, author: &Author) -> &'static str {
    admit(draft, author, NOW).unwrap_err().field
}

#[test]
fn an_event_without_a_user_belongs_to_the_caller() {
    let event = admit(track("1"), &alice(), NOW).unwrap();
    assert_eq!((event.user_id.as_str(), event.actor.as_str()), ("alice", "user:alice"));
}

#[test]
fn an_event_about_somebody_else_is_forbidden() {
    let draft = Draft { user_id: "bob".to_owned(), ..track("1") };
    let rejection = admit(draft, &alice(), NOW).unwrap_err();
    assert_eq!(rejection.field, "user_id");
    assert!(rejection.forbidden);
}

#[test]
fn a_user_cannot_hide_behind_an_anonymous_id() {
    let draft = Draft { anonymous_id: "device".to_owned(), ..track("1") };
    assert_eq!(admit(draft, &alice(), NOW).unwrap().actor, "user:alice");
}

#[test]
fn a_service_tracks_for_anybody_but_has_to_say_for_whom() {
    let about_bob = Draft { user_id: "bob".to_owned(), ..track("1") };
    assert_eq!(admit(about_bob, &service(), NOW).unwrap().actor, "user:bob");
    let anonymous = Draft { anonymous_id: "device".to_owned(), ..track("1") };
    assert_eq!(admit(anonymous, &service(), NOW).unwrap().actor, "anonymous:device");
    assert_eq!(rejected_field(track("1"), &service()), "user_id");
}

#[test]
fn each_kind_needs_what_it_is_about() {
    let of = |kind| Draft { kind: Some(kind), event: String::new(), ..track("1") };
    assert_eq!(rejected_field(of(Kind::Track), &alice()), "event");
    assert_eq!(rejected_field(of(Kind::Group), &alice()), "group_id");
    assert_eq!(rejected_field(of(Kind::Alias), &alice()), "previous_id");
    for kind in [Kind::Identify, Kind::Page, Kind::Screen] {
        assert!(admit(of(kind), &alice(), NOW).is_ok());
    }
    assert_eq!(rejected_field(Draft { kind: None, ..track("1") }, &alice()), "type");
}

#[test]
fn a_page_counts_under_its_name() {
    let draft = Draft { kind: Some(Kind::Page), name: "Home".to_owned(), ..track("1") };
    assert_eq!(admit(draft, &alice(), NOW).unwrap().name, "Home");
}

#[test]
fn texts_that_are_too_long_or_hold_control_characters_are_named() {
    assert_eq!(rejected_field(track(""), &alice()), "message_id");
    assert_eq!(rejected_field(track(&"x".repeat(101)), &alice()), "message_id");
    assert_eq!(rejected_field(Draft { event: "a\0b".to_owned(), ..track("1") }, &alice()), "event");
    assert_eq!(rejected_field(Draft { name: "ä".repeat(129), ..track("1") }, &alice()), "name");
    assert!(admit(Draft { name: "ä".repeat(128), ..track("1") }, &alice(), NOW).is_ok());
}

#[test]
fn times_that_are_too_early_or_too_late_are_refused_after_correction() {
    let at = |timestamp_us| Draft {
        times: Times { timestamp_us: Some(timestamp_us), ..Times::default() },
        ..track("1")
    };
    assert!(admit(at(NOW.receive_us + HOUR_US), &alice(), NOW).is_ok());
    assert_eq!(rejected_field(at(NOW.receive_us + HOUR_US + 1), &alice()), "timestamp");
    assert!(admit(at(NOW.receive_us - 90 * DAY_US), &alice(), NOW).is_ok());
    assert_eq!(rejected_field(at(NOW.receive_us - 90 * DAY_US - 1), &alice()), "timestamp");

    // A device whose clock stands at 1970 sends an event ten seconds after it happened.
    let wrong_clock = Times { timestamp_us: None, original_us: Some(5_000_000), sent_us: Some(15_000_000) };
    let event = admit(Draft { times: wrong_clock, ..track("1") }, &alice(), NOW).unwrap();
    assert_eq!(event.timestamp_us, NOW.receive_us - 10_000_000);
}

#[test]
fn of_events_with_the_same_id_only_the_first_valid_one_counts() {
    let invalid = Draft { event: String::new(), ..track("a") };
    let batch: Vec<Admitted> = [invalid, track("a"), track("b"), track("a")]
        .into_iter()
        .map(|draft| admit(draft, &alice(), NOW))
        .collect();
    assert_eq!(first_of_each_id(&batch), [false, true, true, false]);
}
