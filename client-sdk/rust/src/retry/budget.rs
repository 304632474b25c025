//! A retry budget: further attempts are a share of the calls of the last seconds, and a minimum.
//!
//! After Finagle's `RetryBudget` and linkerd's retry budgets (20 % of calls, 10 s). Each call makes
//! a deposit, each further attempt that is a retry or a hedge a withdrawal.
//!
//! What holds, for a window of `W` seconds: in the `W` seconds up to any withdrawal,
//! `withdrawals <= percent/100 x calls + minimum x W`, so `attempts <= 1.2 x calls + minimum x W` with
//! the defaults. Since the time of a channel can be cut into such windows, it holds for its whole
//! life too, with one `minimum x W` for each `W` seconds or part of them. Finagle's token bucket
//! holds less: what was saved up in one window may be spent at the end of the next.
//!
//! # Buckets
//! The window is cut into [`BUCKETS`] equal buckets; a ring of one more holds the counts of each.
//! With the bucket of now, `n`, a withdrawal sees the withdrawals of buckets `n - BUCKETS` to `n`,
//! which is the window and up to a bucket more, and the deposits of `n - BUCKETS + 1` to `n`, which is
//! the window or up to a bucket less. So rounding only ever refuses: up to a tenth of the window.
//!
//! # Threads
//! Each count is one atomic word with the number of its bucket, so that it is reset and counted up in
//! one step. A withdrawal counts itself first, then looks at the sums, and takes itself back when they
//! are too large: of several at once the last to count itself sees all the others, and the bound holds
//! strictly. When they meet at the limit, one too many may be refused, never one too many granted.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

/// Into how many parts the window is cut (as in linkerd and Finagle). More would round less, and make
/// a withdrawal look at more counts.
pub const BUCKETS: u32 = 10;

/// The bounds of the window, those of Finagle: less forgets the calls that a failure is measured by,
/// more lets an hour of health pay for a storm.
const WINDOW_MIN: Duration = Duration::from_secs(1);
const WINDOW_MAX: Duration = Duration::from_secs(60);

/// One more than the window has, so that a bucket that is partly in it counts.
const SLOTS: usize = BUCKETS as usize + 1;

/// The number of the first bucket. Fresh slots have number 0, which never is in a window then.
const FIRST_BUCKET: u32 = BUCKETS + 1;

/// How many further attempts calls may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetPolicy {
    /// Further attempts per hundred calls. Default: 20.
    pub percent: u32,
    /// Further attempts per second that need no calls. Default: 3.
    ///
    /// They are there for clients with few calls, and before the first ones have been counted. When
    /// one replica of three dies, a third of the calls in flight need a second attempt, and 20 % of
    /// as many calls pays for the most of it; 3 per second over 10 s pay for the rest of up to 225
    /// calls at once. Finagle and linkerd give 10, which lets each client with less than 50 calls per
    /// second more than double the 20 %; a fleet of a thousand clients adds 10,000 attempts per second
    /// to a server in trouble.
    pub min_per_second: u32,
    /// The time over which both are counted, 1 s to 60 s; what lies outside is brought inside.
    /// Default: 10 s.
    pub window: Duration,
}

impl Default for BudgetPolicy {
    fn default() -> Self {
        Self { percent: 20, min_per_second: 3, window: Duration::from_secs(10) }
    }
}

/// The budget of one channel, shared by its calls. It takes no lock and allocates nothing.
#[derive(Debug)]
pub struct RetryBudget {
    percent: u64,
    /// What needs no calls, in one window.
    reserve: u64,
    bucket: Duration,
    started: Instant,
    /// The latest bucket that any thread has seen, so that time never goes back.
    latest: AtomicU32,
    deposits: [Slot; SLOTS],
    withdrawals: [Slot; SLOTS],
}

impl RetryBudget {
    /// No calls yet; time begins now.
    #[must_use]
    pub fn new(policy: BudgetPolicy, now: Instant) -> Self {
        let window = policy.window.clamp(WINDOW_MIN, WINDOW_MAX);
        // At most 60,000 ms.
        let window_ms = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
        Self {
            percent: u64::from(policy.percent),
            reserve: u64::from(policy.min_per_second) * window_ms / 1000,
            bucket: window / BUCKETS,
            started: now,
            latest: AtomicU32::new(FIRST_BUCKET),
            deposits: Default::default(),
            withdrawals: Default::default(),
        }
    }

    /// Counts a call. Once for each, whatever becomes of it.
    pub fn deposit(&self, now: Instant) {
        let bucket = self.advance(now);
        // One that comes a whole window late is forgotten, as it would be by now.
        self.deposits[slot(bucket)].add(bucket);
    }

    /// Takes one further attempt, a retry or a hedge, if the budget has it.
    ///
    /// Attempts that no server application saw (transparent retries) take none.
    #[must_use]
    pub fn withdraw(&self, now: Instant) -> bool {
        let bucket = self.advance(now);
        let own = &self.withdrawals[slot(bucket)];
        // While the budget is spent, refusals only read.
        if self.withdrawn(bucket) >= self.limit(bucket) || !own.add(bucket) {
            return false;
        }
        // A thread in a later bucket may not have seen this withdrawal: it is not made, then.
        if self.withdrawn(bucket) <= self.limit(bucket) && self.latest.load(Ordering::SeqCst) == bucket {
            return true;
        }
        own.take_back(bucket);
        false
    }

    fn limit(&self, bucket: u32) -> u64 {
        let calls = sum(&self.deposits, bucket - BUCKETS + 1, bucket);
        calls * self.percent / 100 + self.reserve
    }

    fn withdrawn(&self, bucket: u32) -> u64 {
        sum(&self.withdrawals, bucket - BUCKETS, bucket)
    }

    /// The bucket of this time, or the latest that was seen.
    fn advance(&self, now: Instant) -> u32 {
        let elapsed = now.saturating_duration_since(self.started).as_nanos() / self.bucket.as_nanos();
        // 2^32 buckets of at least 0.1 s are 13 years.
        let bucket = u32::try_from(elapsed).map_or(u32::MAX, |elapsed| elapsed.saturating_add(FIRST_BUCKET));
        let latest = self.latest.load(Ordering::SeqCst);
        if bucket <= latest { latest } else { self.latest.fetch_max(bucket, Ordering::SeqCst).max(bucket) }
    }
}

/// The number of a bucket in the upper half, its count in the lower.
#[derive(Debug, Default)]
struct Slot(AtomicU64);

impl Slot {
    /// Counts one more; `false` when the slot has moved on to a later bucket, or can count no more.
    fn add(&self, bucket: u32) -> bool {
        self.change(
            |number, count| match number.cmp(&bucket) {
                std::cmp::Ordering::Less => Some(1),
                std::cmp::Ordering::Equal => count.checked_add(1),
                std::cmp::Ordering::Greater => None,
            },
            bucket,
        )
    }

    /// Undoes [`add`](Self::add), unless the slot has moved on and the count is gone anyway.
    fn take_back(&self, bucket: u32) {
        self.change(|number, count| (number == bucket).then(|| count.saturating_sub(1)), bucket);
    }

    fn change(&self, next: impl Fn(u32, u32) -> Option<u32>, bucket: u32) -> bool {
        let changed = |word| {
            let (number, count) = parts(word);
            next(number, count).map(|count| u64::from(bucket) << 32 | u64::from(count))
        };
        self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, changed).is_ok()
    }
}

/// The counts of the buckets from `first` to `last`.
fn sum(slots: &[Slot; SLOTS], first: u32, last: u32) -> u64 {
    let words = slots.iter().map(|slot| parts(slot.0.load(Ordering::SeqCst)));
    words.filter(|(number, _)| (first..=last).contains(number)).map(|(_, count)| u64::from(count)).sum()
}

fn slot(bucket: u32) -> usize {
    bucket as usize % SLOTS
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves of a word")]
fn parts(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;
