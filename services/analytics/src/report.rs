//! A report over whole days: what both its forms, data and page, are made of.

use crate::{
    behavior::EventCount,
    calendar::{Asked, Days},
    error::Error,
    message::Statistics,
    rollup::EVERYBODY,
    store::{DayCount, Store},
};

/// Days when the request gives no start.
const DAYS_DEFAULT: i64 = 7;
/// Events listed.
const TOP_EVENTS_MAX: i64 = 20;

/// What happened in a range of days.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The range.
    pub days: Days,
    /// When it was computed, epoch microseconds.
    pub create_us: i64,
    /// Different users over the whole range.
    pub user_count: i64,
    /// Users first seen in the range.
    pub new_user_count: i64,
    /// Each day, oldest first.
    pub daily: Vec<DayCount>,
    /// Most frequent first.
    pub top_events: Vec<EventCount>,
    /// Of everybody.
    pub messages: Statistics,
}

impl Report {
    /// Computes the report for the range that a request asks for.
    ///
    /// # Errors
    /// When the range makes no sense, and those of the store.
    pub async fn read(store: &Store, asked: Asked, now_us: i64) -> Result<Self, Error> {
        let days = Days::of(asked, DAYS_DEFAULT, now_us)?;
        Ok(Self {
            days,
            create_us: now_us,
            user_count: store.users_in(days).await?,
            new_user_count: store.new_users_in(days).await?,
            daily: store.days(days).await?,
            top_events: store.top_events_of_days(days, TOP_EVENTS_MAX).await?,
            messages: Statistics::of(days, store.messages(EVERYBODY, days).await?),
        })
    }

    /// All events of the range.
    #[must_use]
    pub fn event_count(&self) -> i64 {
        self.daily.iter().map(|day| day.events).sum()
    }
}
