//! The calendar: in which minute, hour, day and month of UTC a moment lies.
//!
//! Time zones are deliberately absent: a field of the contract comes with them.

/// Microseconds of a minute.
const MINUTE_US: i64 = 60_000_000;
/// Microseconds of an hour.
const HOUR_US: i64 = 60 * MINUTE_US;
/// Microseconds of a day; UTC as computers count it has no leap seconds.
const DAY_US: i64 = 24 * HOUR_US;

/// The time after which a count begins again. The numbers are those of the contract and of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Window {
    /// A minute.
    Minute = 1,
    /// An hour.
    Hour = 2,
    /// A day.
    Day = 3,
    /// A month.
    Month = 4,
}

/// A stretch of time: its start belongs to it, its end does not. Epoch microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period {
    /// The first microsecond.
    pub start_us: i64,
    /// The first microsecond after it.
    pub end_us: i64,
}

impl Window {
    /// All windows, by number.
    pub(crate) const ALL: [Self; 4] = [Self::Minute, Self::Hour, Self::Day, Self::Month];

    /// The window with this number.
    #[must_use]
    pub(crate) fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|window| window.number() == number)
    }

    /// Its number.
    #[must_use]
    pub(crate) fn number(self) -> i64 {
        self as i64
    }

    /// Its name, as people read it.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// The period of this window in which `time_us` (epoch microseconds) lies.
    #[must_use]
    pub(crate) fn period_at(self, time_us: i64) -> Period {
        let length_us = match self {
            Self::Minute => MINUTE_US,
            Self::Hour => HOUR_US,
            Self::Day => DAY_US,
            Self::Month => return month_at(time_us),
        };
        let start_us = time_us.div_euclid(length_us) * length_us;
        Period { start_us, end_us: start_us + length_us }
    }
}

fn month_at(time_us: i64) -> Period {
    let (year, month) = year_and_month(time_us.div_euclid(DAY_US));
    let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    Period {
        start_us: first_day_of(year, month) * DAY_US,
        end_us: first_day_of(next_year, next_month) * DAY_US,
    }
}

/// The year and month (1 to 12) of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
///
/// The algorithm `civil_from_days` of Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms":
/// years begin in March, so that the leap day comes last, in eras of 400 years (146,097 days).
fn year_and_month(day: i64) -> (i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month)
}

/// The day, counted from 1970-01-01, on which a month begins (`days_from_civil` of the same source).
fn first_day_of(year: i64, month: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5;
    year.div_euclid(400) * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year
        - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2026-11-21T04:54:05.5Z.
    const MOMENT_US: i64 = 1_795_236_845_500_000;

    fn is_leap(year: i64) -> bool {
        year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    }

    fn days_of(year: i64, month: i64) -> i64 {
        match month {
            2 => 28 + i64::from(is_leap(year)),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }

    #[test]
    fn a_moment_lies_in_the_minute_hour_day_and_month_of_its_calendar() {
        let start = |window: Window| window.period_at(MOMENT_US).start_us / 1_000_000;
        assert_eq!(start(Window::Minute), 1_795_236_840);
        assert_eq!(start(Window::Hour), 1_795_233_600);
        assert_eq!(start(Window::Day), 1_795_219_200);
        assert_eq!(start(Window::Month), 1_793_491_200);
        assert_eq!(Window::Month.period_at(MOMENT_US).end_us / 1_000_000, 1_796_083_200);
    }

    #[test]
    fn months_are_those_of_a_calendar_that_is_counted_day_by_day() {
        let (mut day, mut year, mut month) = (0, 1970, 1);
        while year < 2405 {
            let expected = Period { start_us: day * DAY_US, end_us: (day + days_of(year, month)) * DAY_US };
            for time_us in [expected.start_us, expected.start_us + 15 * DAY_US, expected.end_us - 1] {
                assert_eq!(Window::Month.period_at(time_us), expected, "{year}-{month}");
            }
            day += days_of(year, month);
            (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        }
    }

    proptest! {
        #[test]
        fn periods_tile_time_without_gap_or_overlap(time_us in -DAY_US * 300_000..DAY_US * 1_000_000) {
            for window in Window::ALL {
                let period = window.period_at(time_us);
                prop_assert!(period.start_us <= time_us && time_us < period.end_us);
                prop_assert_eq!(window.period_at(period.start_us), period);
                prop_assert_eq!(window.period_at(period.end_us - 1), period);
                prop_assert_eq!(window.period_at(period.end_us).start_us, period.end_us);
            }
        }

        #[test]
        fn a_shorter_window_lies_within_the_longer_one(time_us in 0..DAY_US * 1_000_000) {
            for pair in Window::ALL.windows(2) {
                let (inner, outer) = (pair[0].period_at(time_us), pair[1].period_at(time_us));
                prop_assert!(outer.start_us <= inner.start_us && inner.end_us <= outer.end_us);
            }
        }
    }
}
