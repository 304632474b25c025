//! Minutes, hours and days of UTC as whole numbers counted from the epoch, and ranges of them.

use crate::error::Error;

/// Microseconds in a minute.
pub const MINUTE_US: i64 = 60_000_000;
/// Microseconds in an hour.
pub const HOUR_US: i64 = 60 * MINUTE_US;
/// Microseconds in a day of UTC, which has no leap seconds.
pub const DAY_US: i64 = 24 * HOUR_US;
/// The longest range of one question: a leap year, so that a year can be compared with the one before.
pub const RANGE_DAYS_MAX: i64 = 366;

/// The minute that holds `us`.
#[must_use]
pub fn minute(us: i64) -> i64 {
    us.div_euclid(MINUTE_US)
}

/// The hour that holds `us`.
#[must_use]
pub fn hour(us: i64) -> i64 {
    us.div_euclid(HOUR_US)
}

/// The day that holds `us`.
#[must_use]
pub fn day(us: i64) -> i64 {
    us.div_euclid(DAY_US)
}

/// The hour of the day, 0 to 23, of `us`.
#[must_use]
pub fn hour_of_day(us: i64) -> usize {
    usize::try_from(us.rem_euclid(DAY_US) / HOUR_US).unwrap_or(0)
}

/// Whole days: `first` included, `end` not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    /// The first day.
    pub first: i64,
    /// The day after the last one.
    pub end: i64,
}

/// Moments: `start_us` included, `end_us` not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first moment.
    pub start_us: i64,
    /// The moment after the last one.
    pub end_us: i64,
}

/// What a request says about its range, in epoch microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// Its `start_time`.
    pub start_us: Option<i64>,
    /// Its `end_time`.
    pub end_us: Option<i64>,
}

impl Days {
    /// The `count` days that end with the one that holds `now_us`.
    #[must_use]
    pub fn last(count: i64, now_us: i64) -> Self {
        let end = day(now_us) + 1;
        Self { first: end - count, end }
    }

    /// The days that a request asks for; `default_days` when it gives no start.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the range is empty or longer than [`RANGE_DAYS_MAX`].
    pub fn of(asked: Asked, default_days: i64, now_us: i64) -> Result<Self, Error> {
        let end = asked.end_us.map_or(day(now_us) + 1, |us| us.saturating_sub(1).div_euclid(DAY_US) + 1);
        let first = asked.start_us.map_or(end - default_days, day);
        check_range(first < end, end - first)?;
        Ok(Self { first, end })
    }

    /// How many days these are.
    #[must_use]
    pub fn count(self) -> i64 {
        self.end - self.first
    }

    /// Each day, oldest first.
    pub fn each(self) -> impl Iterator<Item = i64> {
        self.first..self.end
    }

    /// From midnight to midnight.
    #[must_use]
    pub fn span(self) -> Span {
        Span { start_us: self.first * DAY_US, end_us: self.end * DAY_US }
    }
}

impl Span {
    /// The span that a request asks for; `default_days` before its end when it gives no start.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the range is empty or longer than [`RANGE_DAYS_MAX`].
    pub fn of(asked: Asked, default_days: i64, now_us: i64) -> Result<Self, Error> {
        // An event of this very microsecond belongs to the past.
        let end_us = asked.end_us.unwrap_or(now_us + 1);
        let start_us = asked.start_us.unwrap_or(end_us - default_days * DAY_US);
        let length_us = end_us.saturating_sub(start_us);
        check_range(length_us > 0, length_us.saturating_add(DAY_US - 1).div_euclid(DAY_US))?;
        Ok(Self { start_us, end_us })
    }
}

fn check_range(begins_before_it_ends: bool, days: i64) -> Result<(), Error> {
    if !begins_before_it_ends {
        return Err(Error::invalid("start_time", "must be before end_time"));
    }
    if days > RANGE_DAYS_MAX {
        return Err(Error::invalid(
            "start_time",
            format!("must be at most {RANGE_DAYS_MAX} days before end_time"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 20_000 * DAY_US + 12 * HOUR_US;

    #[test]
    fn a_range_without_limits_ends_with_today() {
        let days = Days::of(Asked::default(), 7, NOON).unwrap();
        assert_eq!(days, Days { first: 19_994, end: 20_001 });
        assert_eq!(days.count(), 7);
        assert_eq!(days, Days::last(7, NOON));
    }

    #[test]
    fn a_range_is_widened_to_whole_days() {
        let asked = Asked { start_us: Some(NOON), end_us: Some(NOON + DAY_US) };
        assert_eq!(Days::of(asked, 7, NOON).unwrap(), Days { first: 20_000, end: 20_002 });
    }

    #[test]
    fn a_range_that_ends_at_midnight_does_not_take_the_next_day() {
        let asked = Asked { start_us: None, end_us: Some(20_000 * DAY_US) };
        assert_eq!(Days::of(asked, 1, NOON).unwrap(), Days { first: 19_999, end: 20_000 });
    }

    #[test]
    fn empty_and_overlong_ranges_are_refused() {
        let backwards = Asked { start_us: Some(NOON), end_us: Some(NOON - DAY_US) };
        assert!(Days::of(backwards, 7, NOON).is_err());
        assert!(Span::of(backwards, 7, NOON).is_err());
        let long = Asked { start_us: Some(NOON - 366 * DAY_US), end_us: Some(NOON + DAY_US) };
        assert!(Days::of(long, 7, NOON).is_err());
        assert!(Span::of(long, 7, NOON).is_err());
        let year = Asked { start_us: Some(NOON - 366 * DAY_US), end_us: Some(NOON) };
        assert!(Span::of(year, 7, NOON).is_ok());
        let all_of_time = Asked { start_us: Some(i64::MIN / 2), end_us: Some(i64::MAX / 2) };
        assert!(Span::of(all_of_time, 7, NOON).is_err());
    }

    #[test]
    fn the_span_of_now_holds_the_event_of_now() {
        let span = Span::of(Asked::default(), 30, NOON).unwrap();
        assert!(span.start_us < NOON && NOON < span.end_us);
    }

    #[test]
    fn hours_of_the_day_count_from_midnight() {
        assert_eq!(hour_of_day(NOON), 12);
        assert_eq!(hour_of_day(NOON - 12 * HOUR_US), 0);
        assert_eq!(hour_of_day(NOON - 12 * HOUR_US - 1), 23);
    }
}
