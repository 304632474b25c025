//! The store as a list of events in memory, and samples to fill both with.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashSet},
};

use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use serde_json::{Value, json};

use crate::{
    behavior::EventCount,
    calendar::{DAY_US, Days, Span, day, hour, minute},
    event::{Event, Kind},
    histogram::{Histogram, bucket},
    interest::Interest,
    message::{Counts, Direction, Message},
    rollup::{EVERYBODY, Seen},
    sample,
};

/// Those who do something in the samples.
pub(super) const ACTORS: [&str; 3] = ["user:alice", "user:bob", "anonymous:d1"];

/// Every event once, as it was written first.
#[derive(Default)]
pub(super) struct Model {
    events: Vec<Event>,
    seen: HashSet<(String, String)>,
    /// How many repetitions came.
    pub(super) duplicates: usize,
}

impl Model {
    pub(super) fn write(&mut self, source: &str, batch: Vec<Event>) -> HashSet<String> {
        let mut written = HashSet::new();
        for event in batch {
            if self.seen.insert((source.to_owned(), event.message_id.clone())) {
                written.insert(event.message_id.clone());
                self.events.push(event);
            } else {
                self.duplicates += 1;
            }
        }
        written
    }

    fn of<'m>(&'m self, actor: &'m str) -> impl Iterator<Item = &'m Event> {
        self.events.iter().filter(move |event| actor == EVERYBODY || event.actor == actor)
    }

    pub(super) fn days(&self, days: Days) -> Vec<(i64, i64, i64)> {
        let of = |wanted: i64| self.events.iter().filter(move |event| day(event.timestamp_us) == wanted);
        let users = |day| of(day).map(|event| &event.actor).collect::<BTreeSet<_>>().len();
        days.each().map(|day| (day, number(of(day).count()), number(users(day)))).collect()
    }

    pub(super) fn users(&self, days: Days) -> i64 {
        let within = |event: &&Event| days.each().any(|wanted| wanted == day(event.timestamp_us));
        number(self.events.iter().filter(within).map(|event| &event.actor).collect::<BTreeSet<_>>().len())
    }

    pub(super) fn new_users(&self, days: Days) -> i64 {
        let first =
            |actor: &&str| self.seen(actor).is_some_and(|seen| days.each().any(|d| d == day(seen.first_us)));
        number(ACTORS.iter().filter(|actor| first(actor)).count())
    }

    pub(super) fn users_since(&self, since_us: i64) -> i64 {
        let active = |actor: &&str| self.seen(actor).is_some_and(|seen| seen.last_us >= since_us);
        number(ACTORS.iter().filter(|actor| active(actor)).count())
    }

    pub(super) fn top_events(&self) -> Vec<EventCount> {
        let mut counts: BTreeMap<(i64, &str), i64> = BTreeMap::new();
        for event in &self.events {
            *counts.entry((event.kind.number(), &event.name)).or_default() += 1;
        }
        let mut top: Vec<EventCount> = counts
            .into_iter()
            .map(|((kind, name), count)| EventCount { kind, name: name.to_owned(), count })
            .collect();
        top.sort_by_key(|count| Reverse(count.count));
        top
    }

    pub(super) fn hours(&self, first: i64, last: i64) -> Vec<(i64, i64)> {
        let of = |wanted| self.events.iter().filter(|event| hour(event.timestamp_us) == wanted).count();
        (first..=last).map(|hour| (hour, number(of(hour)))).collect()
    }

    pub(super) fn minutes(&self, first: i64, last: i64) -> BTreeMap<i64, i64> {
        let mut minutes = BTreeMap::new();
        for minute in self.events.iter().map(|event| minute(event.receive_us)) {
            if (first..=last).contains(&minute) {
                *minutes.entry(minute).or_default() += 1;
            }
        }
        minutes
    }

    pub(super) fn seen(&self, actor: &str) -> Option<Seen> {
        let times: Vec<i64> = self.of(actor).map(|event| event.timestamp_us).collect();
        let (first_us, last_us) = (*times.iter().min()?, *times.iter().max()?);
        Some(Seen { first_us, last_us, count: number(times.len()) })
    }

    pub(super) fn active_users(&self) -> Vec<(String, Seen)> {
        let user = |actor: &&str| Some((actor.strip_prefix("user:")?.to_owned(), self.seen(actor)?));
        let mut users: Vec<_> = ACTORS.iter().filter_map(user).collect();
        users.sort_by_key(|(_, seen)| Reverse(seen.last_us));
        users
    }

    /// Latest first.
    pub(super) fn times(&self, actor: &str, span: Span) -> Vec<i64> {
        let mut times: Vec<i64> = self
            .of(actor)
            .map(|event| event.timestamp_us)
            .filter(|at| (span.start_us..span.end_us).contains(at))
            .collect();
        times.sort_unstable_by_key(|at| Reverse(*at));
        times
    }

    pub(super) fn active_days(&self, actor: &str, span: Span) -> Vec<(i64, i64)> {
        let mut days: BTreeMap<i64, i64> = BTreeMap::new();
        self.times(actor, span).into_iter().for_each(|at| *days.entry(day(at)).or_default() += 1);
        days.into_iter().collect()
    }

    pub(super) fn interests(&self, actor: &str) -> Vec<(String, i64, i64)> {
        let mut held: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        for interest in self.of(actor).filter_map(Interest::of) {
            let entry = held.entry(interest.item_id).or_default();
            *entry = (entry.0.max(interest.weight), entry.1.max(interest.last_us));
        }
        held.into_iter().map(|(item, (weight, last_us))| (item, weight, last_us)).collect()
    }

    fn messages<'m>(&'m self, actor: &'m str) -> impl Iterator<Item = (i64, Message)> + 'm {
        self.of(actor).filter_map(|event| Some((day(event.timestamp_us), Message::of(event)?)))
    }

    pub(super) fn message_days(&self, actor: &str, days: Days) -> Vec<(i64, Counts)> {
        let mut counted: BTreeMap<i64, Counts> = days.each().map(|day| (day, Counts::default())).collect();
        for (day, message) in self.messages(actor) {
            let counts = counted.entry(day).or_default();
            match message.direction {
                Direction::Sent => counts.sent += 1,
                Direction::Received => counts.received += 1,
            }
            counts.tokens += message.tokens;
        }
        counted.into_iter().collect()
    }

    pub(super) fn conversations(&self, actor: &str) -> i64 {
        let ids: BTreeSet<String> =
            self.messages(actor).map(|(_, message)| message.conversation_id).collect();
        number(ids.iter().filter(|id| !id.is_empty()).count())
    }

    pub(super) fn latencies(&self, actor: &str, model: Option<&str>) -> Histogram {
        let mut histogram = Histogram::default();
        for (_, message) in self.messages(actor) {
            if let Some(latency_ms) = message.latency_ms
                && model.is_none_or(|model| model == message.model)
            {
                histogram.add_bucket(bucket(latency_ms), 1, latency_ms);
            }
        }
        histogram
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap()
}

/// Batches of events with their source: many repetitions, some days, all kinds of properties.
pub(super) fn batches() -> Vec<(&'static str, Vec<Event>)> {
    let source = prop_oneof![Just("user:alice"), Just("service:ai")];
    let batch = prop::collection::vec(event(), 1..12);
    let strategy = prop::collection::vec((source, batch), 60);
    let mut runner = TestRunner::deterministic();
    let mut batches = strategy.new_tree(&mut runner).unwrap().current();
    for (_, batch) in &mut batches {
        let mut ids = HashSet::new();
        batch.retain(|event| ids.insert(event.message_id.clone()));
    }
    batches
}

fn event() -> impl Strategy<Value = Event> {
    let names =
        prop::sample::select(vec!["opened", "message_sent", "message_received", "item_viewed", "item_liked"]);
    let kind = prop_oneof![5 => Just(Kind::Track), 1 => Just(Kind::Page)];
    let times = (-4 * DAY_US..DAY_US / 24, 0_i64..3);
    (0..150_u8, kind, names, prop::sample::select(&ACTORS[..]), times, properties()).prop_map(
        |(id, kind, name, actor, (ago_us, minutes), properties)| Event {
            kind,
            actor: actor.to_owned(),
            name: name.to_owned(),
            properties: properties.as_object().cloned().unwrap(),
            timestamp_us: sample::NOON_US + ago_us,
            receive_us: sample::NOON_US + minutes * 60_000_000,
            ..sample::event(&format!("m{id}"))
        },
    )
}

fn properties() -> impl Strategy<Value = Value> {
    (0..6_u8, 0..4_u8, 0..3_u8, 0..1_000_u32, 0..5_000_u32).prop_map(
        |(item, talk, model, tokens, latency_ms)| {
            json!({
                "item_id": format!("i{item}"),
                "conversation_id": if talk == 0 { String::new() } else { format!("c{talk}") },
                "model": if model == 0 { String::new() } else { format!("model-{model}") },
                "tokens": tokens,
                "length": tokens * 4,
                "latency_ms": latency_ms,
            })
        },
    )
}

/// The events in another order.
pub(super) fn shuffled(events: &[Event], turn: usize) -> Vec<Event> {
    let mut events = events.to_vec();
    let places = turn * 17 % events.len();
    events.rotate_left(places);
    if turn % 2 == 1 {
        events.reverse();
    }
    events
}
