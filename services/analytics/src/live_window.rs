//! The last sixty minutes, put together from shared counters and the store.

use std::collections::BTreeMap;

/// Minutes that live metrics cover, the running one among them.
pub const MINUTES: i64 = 60;

/// Where the counts of a window come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// All from the shared counters.
    Counters,
    /// Some from the counters, the others from the store.
    Mixed,
    /// All from the store.
    Store,
}

/// Counts of consecutive minutes, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first minute.
    pub first: i64,
    /// One count per minute.
    pub counts: Vec<i64>,
    /// Where they come from.
    pub source: Source,
}

/// What the shared counters say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters {
    /// The minute in which counting began, or began again after a loss; that minute itself is not whole.
    pub since: i64,
    /// One count per minute of the window, oldest first.
    pub counts: Vec<i64>,
}

/// The first minute of the window that ends with `last`.
#[must_use]
pub fn first(last: i64) -> i64 {
    last - MINUTES + 1
}

/// The last minute of the window that ends with `last` for which the store has to be asked, if any.
#[must_use]
pub fn stored_until(counters: Option<&Counters>, last: i64) -> Option<i64> {
    match counters {
        None => Some(last),
        Some(counters) if counters.since >= first(last) => Some(counters.since.min(last)),
        Some(_) => None,
    }
}

/// Takes each minute from the counters where they are whole, else from the store.
#[must_use]
pub fn window(counters: Option<&Counters>, stored: &BTreeMap<i64, i64>, last: i64) -> Window {
    let until = stored_until(counters, last);
    let first = first(last);
    let counts = (first..=last)
        .enumerate()
        .map(|(place, minute)| match counters {
            Some(counters) if minute > counters.since => counters.counts.get(place).copied().unwrap_or(0),
            _ => stored.get(&minute).copied().unwrap_or(0),
        })
        .collect();
    let source = match until {
        None => Source::Counters,
        Some(until) if until < last => Source::Mixed,
        Some(_) => Source::Store,
    };
    Window { first, counts, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAST: i64 = 1_000;

    fn counters(since: i64) -> Counters {
        Counters { since, counts: vec![7; 60] }
    }

    fn stored() -> BTreeMap<i64, i64> {
        (0..=LAST).map(|minute| (minute, 1)).collect()
    }

    #[test]
    fn counters_that_are_whole_need_no_store() {
        let counters = counters(first(LAST) - 1);
        assert_eq!(stored_until(Some(&counters), LAST), None);
        let window = window(Some(&counters), &BTreeMap::new(), LAST);
        assert_eq!((window.counts, window.source), (vec![7; 60], Source::Counters));
    }

    #[test]
    fn minutes_up_to_a_loss_come_from_the_store() {
        let counters = counters(LAST - 2);
        assert_eq!(stored_until(Some(&counters), LAST), Some(LAST - 2));
        let window = window(Some(&counters), &stored(), LAST);
        assert_eq!(window.counts[57..], [1, 7, 7]);
        assert_eq!(window.source, Source::Mixed);
    }

    #[test]
    fn without_counters_everything_comes_from_the_store() {
        assert_eq!(stored_until(None, LAST), Some(LAST));
        assert_eq!(window(None, &stored(), LAST).source, Source::Store);
        let begun_just_now = counters(LAST);
        assert_eq!(window(Some(&begun_just_now), &stored(), LAST).counts, vec![1; 60]);
    }

    #[test]
    fn a_beginning_in_the_future_does_not_ask_for_future_minutes() {
        assert_eq!(stored_until(Some(&counters(LAST + 3)), LAST), Some(LAST));
    }
}
