//! The data of a dashboard: single numbers and series, over all users.

use crate::{
    behavior::EventCount,
    calendar::{Days, HOUR_US, hour},
    error::Error,
    live::Live,
    message::Counts,
    rollup::EVERYBODY,
    store::{DayCount, Store},
};

/// Days of the daily series.
const DAYS: i64 = 30;
/// Hours of the hourly series.
const HOURS: i64 = 24;
/// Days over which the most frequent events are counted.
const TOP_EVENTS_DAYS: i64 = 7;
/// Events listed.
const TOP_EVENTS_MAX: i64 = 10;

/// Everything that the first page of a dashboard shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dashboard {
    /// As of when, epoch microseconds.
    pub time_us: i64,
    /// Events by (start of the hour in epoch microseconds), oldest first.
    pub hours: Vec<(i64, i64)>,
    /// Oldest first; the last two are yesterday and today.
    pub days: Vec<DayCount>,
    /// Most frequent first.
    pub top_events: Vec<EventCount>,
    /// Different users of the last 7 days.
    pub active_users_7d: i64,
    /// Different users of the last 30 days.
    pub active_users_30d: i64,
    /// Users first seen today.
    pub new_users_today: i64,
    /// Messages of today.
    pub messages_today: Counts,
    /// Events of the last 60 minutes.
    pub events_last_60m: i64,
    /// Users of the last 5 minutes.
    pub active_users_5m: i64,
}

impl Dashboard {
    /// Reads everything.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn read(store: &Store, live: &Live) -> Result<Self, Error> {
        let snapshot = live.snapshot().await?;
        let now_us = snapshot.time_us;
        let today = Days::last(1, now_us);
        let last_hour = hour(now_us);
        let hours = store.hours(last_hour - HOURS + 1, last_hour).await?;
        let messages = store.messages_by_day(EVERYBODY, today).await?;
        Ok(Self {
            time_us: now_us,
            hours: hours.into_iter().map(|(hour, count)| (hour * HOUR_US, count)).collect(),
            days: store.days(Days::last(DAYS, now_us)).await?,
            top_events: store.top_events_of_days(Days::last(TOP_EVENTS_DAYS, now_us), TOP_EVENTS_MAX).await?,
            active_users_7d: store.users_in(Days::last(7, now_us)).await?,
            active_users_30d: store.users_in(Days::last(30, now_us)).await?,
            new_users_today: store.new_users_in(today).await?,
            messages_today: messages.first().map(|(_, counts)| *counts).unwrap_or_default(),
            events_last_60m: snapshot.event_count(),
            active_users_5m: snapshot.active_users_5m,
        })
    }

    /// Today so far.
    #[must_use]
    pub fn today(&self) -> DayCount {
        self.days.last().copied().unwrap_or_default()
    }

    /// The whole day before.
    #[must_use]
    pub fn yesterday(&self) -> DayCount {
        self.days.iter().rev().nth(1).copied().unwrap_or_default()
    }
}
