//! Live metrics: counters of the last sixty minutes in the shared tier, with the store to fall back on.
//!
//! The counters may be lost at any time. A marker beside them says since when they are whole; it is set anew
//! whenever it is missing and whenever an addition failed, and minutes up to it come from the store.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use plexus_runtime::{
    clock::Clock,
    stores::shared::{Shared, SharedError},
};
use tokio::sync::{Mutex as AsyncMutex, Notify};

use crate::{
    behavior::EventCount,
    calendar::{MINUTE_US, minute},
    error::Error,
    live_window::{self, Counters, Window},
    store::Store,
};

/// Events listed.
pub const TOP_EVENTS_MAX: i64 = 10;

/// Counters outlive the window by as much again, so that none goes while it is still asked for.
const COUNTER_TTL: Duration = Duration::from_secs(2 * 60 * 60);
/// The marker outlives anything; when it goes all the same, the store answers for an hour.
const SINCE_TTL: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The key of the marker.
const SINCE_KEY: &str = "analytics:live:since";

/// The live metrics of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The moment, epoch microseconds.
    pub time_us: i64,
    /// The last sixty minutes.
    pub window: Window,
    /// Users with an event in the last 5 minutes.
    pub active_users_5m: i64,
    /// Users with an event in the last 60 minutes.
    pub active_users_60m: i64,
    /// Most frequent first.
    pub top_events: Vec<EventCount>,
}

impl Snapshot {
    /// All events of the window.
    #[must_use]
    pub fn event_count(&self) -> i64 {
        self.window.counts.iter().sum()
    }
}

/// Counts new events and reads the counts back.
pub struct Live {
    shared: Shared,
    store: Store,
    clock: Clock,
    /// Events by minute that have not reached the counters yet; at most a few minutes, since each flush empties it.
    pending: Mutex<BTreeMap<i64, i64>>,
    /// Whether an addition failed since the marker was set; the lock lets one flush finish before the next.
    lost: AsyncMutex<bool>,
    changed: Notify,
}

impl Live {
    /// Live metrics over `store`, counted in `shared`.
    #[must_use]
    pub fn new(shared: Shared, store: Store, clock: Clock) -> Self {
        Self {
            shared,
            store,
            clock,
            pending: Mutex::default(),
            lost: AsyncMutex::new(false),
            changed: Notify::new(),
        }
    }

    /// Counts `events` events received at `receive_us`, which are durable; returns at once.
    pub fn count(&self, receive_us: i64, events: i64) {
        if events > 0 {
            let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            *pending.entry(minute(receive_us)).or_default() += events;
            drop(pending);
            self.changed.notify_one();
        }
    }

    /// Waits until something has been counted.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Brings what has been counted to the shared tier; a failure is remembered and the store asked instead.
    pub async fn flush(&self) {
        let mut lost = self.lost.lock().await;
        let pending = std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        if !pending.is_empty() || *lost {
            // Taken for lost until it has arrived: whoever waits here may go away in between.
            let was_lost = std::mem::replace(&mut *lost, true);
            *lost =
                self.add(&pending, was_lost).await.inspect_err(|error| log_loss(error, was_lost)).is_err();
        }
    }

    /// The live metrics of this moment.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn snapshot(&self) -> Result<Snapshot, Error> {
        self.flush().await;
        let time_us = self.clock.now_us();
        let last = minute(time_us);
        let counters = self.counters(last).await;
        let stored = match live_window::stored_until(counters.as_ref(), last) {
            Some(until) => self.store.minutes(live_window::first(last), until).await?,
            None => BTreeMap::new(),
        };
        Ok(Snapshot {
            time_us,
            window: live_window::window(counters.as_ref(), &stored, last),
            active_users_5m: self.store.users_since(time_us - 5 * MINUTE_US).await?,
            active_users_60m: self.store.users_since(time_us - 60 * MINUTE_US).await?,
            top_events: self
                .store
                .top_events_of_minutes(live_window::first(last), last, TOP_EVENTS_MAX)
                .await?,
        })
    }

    async fn add(&self, pending: &BTreeMap<i64, i64>, lost: bool) -> Result<(), SharedError> {
        let now = Bytes::from(minute(self.clock.now_us()).to_string());
        if lost {
            self.shared.set(SINCE_KEY, now, SINCE_TTL).await?;
        } else {
            self.shared.set_if_absent(SINCE_KEY, now, SINCE_TTL).await?;
        }
        for (minute, events) in pending {
            self.shared.add(&key(*minute), *events, COUNTER_TTL).await?;
        }
        Ok(())
    }

    /// What the counters say; `None` when they do not answer or were lost.
    async fn counters(&self, last: i64) -> Option<Counters> {
        if *self.lost.lock().await {
            return None;
        }
        let keys: Vec<String> =
            std::iter::once(SINCE_KEY.to_owned()).chain((live_window::first(last)..=last).map(key)).collect();
        let values = self.shared.get_many(&keys).await.inspect_err(|error| log_loss(error, true)).ok()?;
        let mut values = values.iter().map(|value| value.as_ref().and_then(number));
        let since = values.next().flatten()?;
        Some(Counters { since, counts: values.map(Option::unwrap_or_default).collect() })
    }
}

fn key(minute: i64) -> String {
    format!("analytics:live:{minute}")
}

fn number(value: &Bytes) -> Option<i64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// The health of the service shows that the tier is gone; the log names only the moment counts were lost.
fn log_loss(error: &SharedError, known: bool) {
    if known {
        tracing::debug!(%error, "live counters do not answer");
    } else {
        tracing::warn!(%error, "live counters were lost; the store answers instead");
    }
}
