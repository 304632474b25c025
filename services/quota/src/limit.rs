//! Counts and their limits: what is left, what fits, and how near the limit is.

use std::time::Duration;

use crate::{
    meter::{Amounts, Meter},
    window::{Period, Window},
};

/// The largest limit; a period's count can be compared with it without overflow.
pub(crate) const LIMIT_MAX: i64 = 1_000_000_000_000_000;

/// How much a subject may spend of a meter in each period of a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    /// `user:ID`.
    pub subject: String,
    /// What is limited.
    pub meter: Meter,
    /// In which time.
    pub window: Window,
    /// In the unit of the meter.
    pub amount: i64,
    /// When it was first set, epoch microseconds.
    pub create_time_us: i64,
    /// When it was last set, epoch microseconds.
    pub update_time_us: i64,
}

/// The limits of subjects for whom none was set; `None` limits nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DefaultLimits([[Option<i64>; Window::ALL.len()]; Meter::ALL.len()]);

impl DefaultLimits {
    /// These limits, by meter and window; an amount of 0 stands for none.
    #[must_use]
    pub(crate) fn of(named: &[(Meter, Window, i64)]) -> Self {
        let mut defaults = Self::default();
        for (meter, window, amount) in named {
            defaults.0[*meter as usize - 1][*window as usize - 1] = (*amount > 0).then_some(*amount);
        }
        defaults
    }

    /// The limit of `meter` in `window`.
    #[must_use]
    pub(crate) fn get(&self, meter: Meter, window: Window) -> Option<i64> {
        self.0[meter as usize - 1][window as usize - 1]
    }
}

/// How near to its limit a count is. The numbers are those of the contract and of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AlertLevel {
    /// More than 20 % are left, or there is no limit.
    None = 1,
    /// 20 % or less are left.
    Warning = 2,
    /// 10 % or less are left.
    Critical = 3,
}

impl AlertLevel {
    /// The levels that are recorded.
    pub(crate) const RECORDED: [Self; 2] = [Self::Warning, Self::Critical];

    /// The level with this number.
    #[must_use]
    pub(crate) fn from_number(number: i64) -> Option<Self> {
        [Self::None, Self::Warning, Self::Critical].into_iter().find(|level| *level as i64 == number)
    }
}

/// What was spent and reserved of a meter in one period, and its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count {
    /// What is counted.
    pub meter: Meter,
    /// In which kind of time.
    pub window: Window,
    /// In which time.
    pub period: Period,
    /// The limit in force.
    pub limit: Option<i64>,
    /// Whether the limit is the default for all users.
    pub limit_is_default: bool,
    /// Spent.
    pub posted: i64,
    /// Reserved, and neither spent nor given back.
    pub pending: i64,
}

impl Count {
    /// A count of nothing in the period at `time_us`.
    #[must_use]
    pub(crate) fn zero(meter: Meter, window: Window, time_us: i64) -> Self {
        let period = window.period_at(time_us);
        Self { meter, window, period, limit: None, limit_is_default: false, posted: 0, pending: 0 }
    }

    /// The count under `set`, the limit that was set for its subject, or else the default.
    #[must_use]
    pub(crate) fn limited(mut self, set: Option<i64>, defaults: &DefaultLimits) -> Self {
        let default = defaults.get(self.meter, self.window);
        self.limit = set.or(default);
        self.limit_is_default = set.is_none() && default.is_some();
        self
    }

    /// What is left of the limit, at least 0.
    #[must_use]
    pub(crate) fn remaining(&self) -> Option<i64> {
        self.limit.map(|limit| limit.saturating_sub(self.taken()).max(0))
    }

    /// Whether `amount` more fits. The store's statement asks the same question of the row itself.
    #[must_use]
    pub(crate) fn admits(&self, amount: i64) -> bool {
        self.limit.is_none_or(|limit| self.taken().saturating_add(amount) <= limit)
    }

    /// How near to the limit the spending is; what is merely reserved may come back and does not count.
    #[must_use]
    pub(crate) fn alert_level(&self) -> AlertLevel {
        let Some(limit) = self.limit.map(i128::from) else { return AlertLevel::None };
        let left = limit - i128::from(self.posted);
        if left * 10 <= limit {
            AlertLevel::Critical
        } else if left * 5 <= limit {
            AlertLevel::Warning
        } else {
            AlertLevel::None
        }
    }

    /// Whether there is anything to tell about it.
    #[must_use]
    pub(crate) fn is_of_interest(&self) -> bool {
        self.limit.is_some() || self.posted != 0 || self.pending != 0
    }

    fn taken(&self) -> i64 {
        self.posted.saturating_add(self.pending)
    }
}

/// Why amounts do not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Each count that is in the way, with what was asked of it; never empty.
    pub binding: Vec<(Count, i64)>,
    /// When the last of their periods ends; `None` when an amount is larger than its limit.
    pub retry_after: Option<Duration>,
}

/// What of `counts` is in the way of `amounts` at `now_us`; `None` if all of them fit.
#[must_use]
pub(crate) fn refusal(counts: &[Count], amounts: &Amounts, now_us: i64) -> Option<Refusal> {
    let asked = counts.iter().map(|count| (*count, amounts.get(count.meter)));
    let binding: Vec<(Count, i64)> =
        asked.filter(|(count, amount)| *amount > 0 && !count.admits(*amount)).collect();
    if binding.is_empty() {
        return None;
    }
    let is_hopeless = binding.iter().any(|(count, amount)| count.limit.is_some_and(|limit| *amount > limit));
    let last_end_us = binding.iter().map(|(count, _)| count.period.end_us).max().unwrap_or(now_us);
    let delay_us = u64::try_from(last_end_us - now_us).unwrap_or(0);
    Some(Refusal { binding, retry_after: (!is_hopeless).then(|| Duration::from_micros(delay_us)) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn count(limit: Option<i64>, posted: i64, pending: i64) -> Count {
        Count { limit, posted, pending, ..Count::zero(Meter::Tokens, Window::Day, 0) }
    }

    #[test]
    fn the_alert_levels_begin_at_exactly_20_and_10_percent_left() {
        let level = |posted| count(Some(1000), posted, 0).alert_level();
        assert_eq!(level(799), AlertLevel::None);
        assert_eq!(level(800), AlertLevel::Warning);
        assert_eq!(level(899), AlertLevel::Warning);
        assert_eq!(level(900), AlertLevel::Critical);
        assert_eq!(level(5000), AlertLevel::Critical);
        assert_eq!(count(None, i64::MAX, 0).alert_level(), AlertLevel::None);
        assert_eq!(count(Some(1000), 0, 1000).alert_level(), AlertLevel::None);
    }

    #[test]
    fn a_limit_that_was_set_goes_before_the_default() {
        let defaults =
            DefaultLimits::of(&[(Meter::Tokens, Window::Day, 10), (Meter::Tokens, Window::Hour, 0)]);
        let day = Count::zero(Meter::Tokens, Window::Day, 0);
        let under = |set| (day.limited(set, &defaults).limit, day.limited(set, &defaults).limit_is_default);
        assert_eq!(under(Some(3)), (Some(3), false));
        assert_eq!(under(None), (Some(10), true));
        assert_eq!(Count::zero(Meter::Tokens, Window::Hour, 0).limited(None, &defaults).limit, None);
    }

    #[test]
    fn a_refusal_names_every_binding_limit_and_the_end_of_the_last_period() {
        let minute = Count { limit: Some(10), posted: 8, ..Count::zero(Meter::Tokens, Window::Minute, 0) };
        let day = Count { limit: Some(100), posted: 98, ..Count::zero(Meter::Tokens, Window::Day, 0) };
        let month = Count { limit: Some(1000), posted: 98, ..Count::zero(Meter::Tokens, Window::Month, 0) };
        let refusal = refusal(&[minute, day, month], &Amounts::of(&[(Meter::Tokens, 5)]), 3_000_000).unwrap();
        assert_eq!(refusal.binding, [(minute, 5), (day, 5)]);
        assert_eq!(refusal.retry_after, Some(Duration::from_secs(24 * 3600 - 3)));
    }

    #[test]
    fn waiting_does_not_help_an_amount_that_is_larger_than_the_limit() {
        let refusal = refusal(&[count(Some(10), 0, 0)], &Amounts::of(&[(Meter::Tokens, 11)]), 0).unwrap();
        assert_eq!(refusal.retry_after, None);
    }

    proptest! {
        #[test]
        fn what_is_admitted_is_exactly_what_remains(
            limit in 0..=LIMIT_MAX, posted in 0..=LIMIT_MAX, pending in 0..=LIMIT_MAX, amount in 1..=LIMIT_MAX,
        ) {
            let count = count(Some(limit), posted, pending);
            prop_assert_eq!(count.admits(amount), amount <= limit - posted - pending);
            prop_assert_eq!(count.admits(amount), count.remaining() >= Some(amount));
            prop_assert!(count.remaining() >= Some(0));
        }

        #[test]
        fn a_refusal_says_exactly_what_does_not_fit(
            rows in proptest::collection::vec((0usize..3, 0usize..4, proptest::option::of(0i64..50), 0i64..50), 0..12),
            tokens in 0i64..30, requests in 0i64..30,
        ) {
            let amounts = Amounts::of(&[(Meter::Tokens, tokens), (Meter::Requests, requests)]);
            let counts: Vec<Count> = rows
                .iter()
                .map(|(meter, window, limit, posted)| Count {
                    limit: *limit, posted: *posted, ..Count::zero(Meter::ALL[*meter], Window::ALL[*window], 0)
                })
                .collect();
            let in_the_way: Vec<Count> = counts.iter().copied()
                .filter(|c| amounts.get(c.meter) > 0 && c.limit.is_some_and(|l| c.posted + amounts.get(c.meter) > l))
                .collect();
            let named: Vec<Count> = refusal(&counts, &amounts, 0)
                .map(|refusal| refusal.binding.into_iter().map(|(count, _)| count).collect())
                .unwrap_or_default();
            prop_assert_eq!(named, in_the_way);
        }
    }
}
