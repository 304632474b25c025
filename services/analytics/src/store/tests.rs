//! The suite of the store, on both engines: everything it counts is compared with a scan of the events themselves.

mod model;

use std::collections::HashSet;

use futures_util::future::join_all;
use plexus_testkit::stores::each_engine;

use super::{Cutoffs, Store};
use crate::{
    Analytics,
    calendar::{DAY_US, Days, HOUR_US, Span, day, hour, minute},
    error::Error,
    event::Event,
    message::Statistics,
    rollup::EVERYBODY,
    sample,
};
use model::{ACTORS, Model, batches, shuffled};

/// Far enough around noon to hold every event of the samples.
fn all_days() -> Days {
    Days { first: day(sample::NOON_US) - 5, end: day(sample::NOON_US) + 5 }
}

async fn compare_counts(store: &Store, model: &Model) {
    let days = all_days();
    let found: Vec<_> =
        store.days(days).await.unwrap().iter().map(|day| (day.day, day.events, day.users)).collect();
    assert_eq!(found, model.days(days), "events and users by day");
    assert_eq!(store.users_in(days).await.unwrap(), model.users(days), "different users");
    let today = Days::last(1, sample::NOON_US);
    assert_eq!(store.users_in(today).await.unwrap(), model.users(today), "different users of one day");
    assert_eq!(store.new_users_in(today).await.unwrap(), model.new_users(today), "users first seen that day");
    let since_us = sample::NOON_US - HOUR_US;
    assert_eq!(store.users_since(since_us).await.unwrap(), model.users_since(since_us), "active users");
    assert_eq!(store.top_events_of_days(days, 100).await.unwrap(), model.top_events(), "events by name");
    let (first, last) = (hour(sample::NOON_US) - 30, hour(sample::NOON_US) + 5);
    assert_eq!(store.hours(first, last).await.unwrap(), model.hours(first, last), "events by hour");
    let (first, last) = (minute(sample::NOON_US), minute(sample::NOON_US) + 2);
    assert_eq!(store.minutes(first, last).await.unwrap(), model.minutes(first, last), "events by minute");
    assert_eq!(
        store.top_events_of_minutes(first, last, 100).await.unwrap(),
        model.top_events(),
        "events just now"
    );
}

async fn compare_users(store: &Store, model: &Model) {
    let listed = store.active_users(None, 10).await.unwrap();
    let listed: Vec<_> = listed.into_iter().map(|user| (user.user_id, user.seen)).collect();
    assert_eq!(listed, model.active_users(), "logged-in users");
    if let Some((user_id, seen)) = listed.first() {
        let rest = store.active_users(Some((seen.last_us, user_id.clone())), 10).await.unwrap();
        assert_eq!(rest.len(), listed.len() - 1, "the users of the next page");
    }
    let span = Span { start_us: sample::NOON_US - DAY_US, end_us: sample::NOON_US + 1 };
    for actor in ACTORS {
        assert_eq!(store.seen(actor).await.unwrap(), model.seen(actor), "{actor} seen");
        assert_eq!(
            store.active_days(actor, span).await.unwrap(),
            model.active_days(actor, span),
            "{actor} by day"
        );
        let moments = store.moments(actor, span).await.unwrap();
        let times: Vec<i64> = moments.iter().map(|moment| moment.timestamp_us).collect();
        assert_eq!(times, model.times(actor, span), "moments of {actor}");
        let mut history = store.history(actor, 100).await.unwrap();
        assert!(history.is_sorted_by_key(|interest| -interest.last_us));
        history.sort_by(|left, right| left.item_id.cmp(&right.item_id));
        let found: Vec<_> =
            history.into_iter().map(|held| (held.item_id, held.weight, held.last_us)).collect();
        assert_eq!(found, model.interests(actor), "interests of {actor}");
    }
}

async fn compare_messages(store: &Store, model: &Model) {
    for actor in [ACTORS[0], ACTORS[1], EVERYBODY] {
        let recorded = store.messages(actor, all_days()).await.unwrap();
        let statistics = Statistics::of(all_days(), recorded);
        assert_eq!(statistics.days, model.message_days(actor, all_days()), "messages of {actor:?} by day");
        assert_eq!(statistics.conversations, model.conversations(actor), "conversations of {actor:?}");
        assert_eq!(statistics.totals.latency_ms, model.latencies(actor, None), "latencies of {actor:?}");
        for (name, totals) in &statistics.models {
            assert_eq!(
                totals.latency_ms,
                model.latencies(actor, Some(name)),
                "latencies of {actor:?} at {name}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rollup_equals_a_scan_of_the_events() {
    each_engine::<Analytics, _, _>(|database| async move {
        let store = Store::new(database);
        let mut model = Model::default();
        for (source, batch) in batches() {
            let written = store.write(source.to_owned(), batch.clone()).await.unwrap();
            assert_eq!(written, model.write(source, batch), "new events of {source}");
        }
        assert!(model.duplicates > 0, "the samples hold repetitions");
        compare_counts(&store, &model).await;
        compare_users(&store, &model).await;
        compare_messages(&store, &model).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_arrive_many_times_at_once_count_once() {
    each_engine::<Analytics, _, _>(|database| async move {
        let store = Store::new(database);
        let events: Vec<Event> = (0..150).map(|number| sample::event(&format!("m{number}"))).collect();
        let writes = (0..8).map(|turn| store.write("user:alice".to_owned(), shuffled(&events, turn)));
        let mut seen = HashSet::new();
        for written in join_all(writes).await {
            for id in written.unwrap() {
                assert!(seen.insert(id.clone()), "{id} was accepted twice");
            }
        }
        assert_eq!(seen.len(), events.len());
        let today = store.days(Days::last(1, sample::NOON_US)).await.unwrap();
        assert_eq!((today[0].events, today[0].users), (150, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_whose_rollups_fail_is_not_kept() {
    each_engine::<Analytics, _, _>(|database| async move {
        let dropped = database.write::<_, Error, _>(move |transaction| {
            Box::pin(async move { Ok(sqlx::query("drop table event_minutes").execute(transaction).await?) })
        });
        dropped.await.unwrap();
        let store = Store::new(database);
        store.write("user:alice".to_owned(), vec![sample::event("1")]).await.unwrap_err();
        assert_eq!(store.seen("user:alice").await.unwrap(), None);
        let span = Span { start_us: 0, end_us: i64::MAX };
        assert!(store.moments("user:alice", span).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_events_go_and_their_rollups_stay() {
    each_engine::<Analytics, _, _>(|database| async move {
        let store = Store::new(database);
        let old_us = sample::NOON_US - 3 * DAY_US;
        let old = |id: String, receive_us| Event { timestamp_us: old_us, receive_us, ..sample::event(&id) };
        // More than one transaction deletes.
        let mut events: Vec<Event> = (0..1_100).map(|number| old(format!("old{number}"), old_us)).collect();
        events.push(old("late".to_owned(), sample::NOON_US));
        events.push(sample::event("new"));
        store.write("user:alice".to_owned(), events).await.unwrap();

        let settings =
            crate::config::Settings { events_kept_days: 2, rollups_kept_days: 9, ..Default::default() };
        let deleted = crate::retention::delete_old(&store, &settings, sample::NOON_US).await.unwrap();

        let minutes = 1;
        assert_eq!(deleted, 1_100 + minutes);
        let span = Span { start_us: 0, end_us: i64::MAX };
        let kept = store.moments("user:alice", span).await.unwrap();
        let kept: Vec<&str> = kept.iter().map(|moment| moment.message_id.as_str()).collect();
        assert_eq!(kept, ["new", "late"]);
        let days = store.days(Days::last(4, sample::NOON_US)).await.unwrap();
        assert_eq!((days[0].events, days[3].events), (1_101, 1));
        // What was received within the day is still told from a new event, however long ago it happened.
        let again = store.write("user:alice".to_owned(), vec![old("late".to_owned(), sample::NOON_US)]).await;
        assert!(again.unwrap().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_what_is_older_than_every_limit() {
    each_engine::<Analytics, _, _>(|database| async move {
        let store = Store::new(database);
        for (source, batch) in batches() {
            store.write(source.to_owned(), batch).await.unwrap();
        }
        let cutoffs = Cutoffs {
            events_us: i64::MAX,
            received_us: i64::MAX,
            rollups_day: i64::MAX,
            rollups_hour: i64::MAX,
            users_us: i64::MAX,
            minute: i64::MAX,
        };
        while store.delete_old(cutoffs).await.unwrap() > 0 {}
        let nothing = Model::default();
        compare_counts(&store, &nothing).await;
        compare_users(&store, &nothing).await;
        compare_messages(&store, &nothing).await;
    })
    .await;
}
