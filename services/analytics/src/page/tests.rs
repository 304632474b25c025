//! The page of a report.

use super::*;
use crate::{
    behavior::EventCount,
    calendar::Days,
    message::{Counts, Recorded, Statistics},
    store::DayCount,
};

fn report() -> Report {
    let days = Days { first: 20_778, end: 20_780 };
    let counts = Counts { sent: 2, received: 1, tokens: 1_234 };
    let recorded = Recorded {
        days: vec![(20_778, counts)],
        models: vec![("<script>alert(1)</script>".to_owned(), counts)],
        conversations: 1,
        ..Recorded::default()
    };
    Report {
        days,
        create_us: 0,
        user_count: 2,
        new_user_count: 1,
        daily: vec![
            DayCount { day: 20_778, events: 3, users: 2 },
            DayCount { day: 20_779, events: 4, users: 1 },
        ],
        top_events: vec![EventCount {
            kind: 1,
            name: "\"><img src=x onerror=alert(1)>".to_owned(),
            count: 7,
        }],
        messages: Statistics::of(days, recorded),
    }
}

#[test]
fn the_page_shows_totals_days_and_names() {
    let html = page("November", &report());
    assert!(html.starts_with("<!doctype html>\n<html lang=\"en\">"));
    for expected in ["<h1>November</h1>", "2026-11-21 to 2026-11-22", "<dd>7</dd>", "1\u{202f}234", "<svg"] {
        assert!(html.contains(expected), "{expected} is missing");
    }
}

#[test]
fn names_from_events_are_text_and_never_markup() {
    let html = page("</title><script>", &report());
    assert!(!html.contains("<script") && !html.contains("<img"));
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
}

#[test]
fn the_page_loads_nothing_from_anywhere() {
    let html = page(TITLE_DEFAULT, &report());
    assert!(!html.contains(" src=\"") && !html.contains(" href=\"") && !html.contains("url("));
    assert!(html.contains("default-src &#39;none&#39;"));
}

#[test]
fn days_without_events_make_a_page_too() {
    let days = Days { first: 20_778, end: 20_779 };
    let empty = Report {
        days,
        create_us: 0,
        user_count: 0,
        new_user_count: 0,
        daily: vec![DayCount { day: 20_778, ..DayCount::default() }],
        top_events: Vec::new(),
        messages: Statistics::of(days, Recorded::default()),
    };
    let html = page(TITLE_DEFAULT, &empty);
    assert!(html.contains("No events in these days.") && html.contains("No messages in these days."));
}
