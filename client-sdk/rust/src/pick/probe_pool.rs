//! Prequal's pool of probe replies, and the rule that chooses among them.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::Probe;

/// How many replies the pool holds (the paper's `m`).
pub(super) const POOL_SIZE: usize = 16;

/// With fewer replies than this the pool does not know enough to choose (section 4 of the paper).
pub(super) const REPLIES_MIN: usize = 2;

/// How long a reply is used: what a replica had in hand a second ago says little.
pub(super) const PROBE_AGE_MAX: Duration = Duration::from_secs(1);

/// The quantile of calls in flight above which a replica is hot (the paper's `Q_RIF`).
const HOT_QUANTILE: f64 = 0.84;

/// Over how many replies that quantile is taken: enough for it to have a meaning at 0.84, and few
/// enough to follow the load within a second at ten calls per second.
const RECENT_REPLIES: usize = 32;

/// No reply. As an index it is none, since the pool takes only those below it.
const EMPTY: u64 = u64::MAX;

/// A fixed array of replies. Looking at it and using a reply take no lock; taking a new reply does,
/// and is not on the path of a pick.
///
/// Index, calls in flight and latency of a reply share one atomic word, so that they belong together.
/// Age and uses left are words beside it: who reads them while a reply is being replaced may take the
/// old reply for as fresh as the new one, once, which costs one choice by a reply some
/// milliseconds too old.
#[derive(Debug)]
pub(super) struct ProbePool {
    epoch: Instant,
    /// Whether replies are used up by picks. They are not when every endpoint has a place here:
    /// then its next reply replaces each, and there are no better ones that have been used up.
    wears: bool,
    slots: [Slot; POOL_SIZE],
    /// Calls in flight above which a replica is hot.
    threshold: AtomicU32,
    removals: AtomicUsize,
    recent: Mutex<Recent>,
}

#[derive(Debug)]
struct Slot {
    reply: AtomicU64,
    received_us: AtomicU64,
    uses_left: AtomicU32,
}

/// The calls in flight of the latest replies.
#[derive(Debug, Default)]
struct Recent {
    in_flight: [u16; RECENT_REPLIES],
    count: usize,
}

/// A reply as it was at one look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reply {
    slot: usize,
    word: u64,
    pub(super) index: usize,
    pub(super) in_flight: u16,
    pub(super) latency_s: f32,
    received_us: u64,
}

impl ProbePool {
    pub(super) fn new(endpoints: usize, now: Instant) -> Self {
        let slot = || Slot {
            reply: AtomicU64::new(EMPTY),
            received_us: AtomicU64::new(0),
            uses_left: AtomicU32::new(0),
        };
        Self {
            epoch: now,
            wears: endpoints > POOL_SIZE,
            slots: std::array::from_fn(|_| slot()),
            threshold: AtomicU32::new(u32::from(u16::MAX)),
            removals: AtomicUsize::new(0),
            recent: Mutex::default(),
        }
    }

    /// Takes a reply that may be used this often. It replaces the same endpoint's last reply, or takes
    /// an empty place, or that of the oldest reply.
    pub(super) fn insert(&self, index: usize, probe: Probe, uses: u32, now: Instant) {
        let Ok(index) = u16::try_from(index) else { return };
        if index == u16::MAX {
            return;
        }
        let in_flight = u16::try_from(probe.in_flight).unwrap_or(u16::MAX);
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        self.threshold.store(u32::from(recent.add(in_flight)), Ordering::Relaxed);
        let slot = self.place_for(index);
        slot.received_us.store(self.micros(now), Ordering::Relaxed);
        slot.uses_left.store(uses.max(1), Ordering::Relaxed);
        slot.reply.store(packed(index, in_flight, probe.latency.as_secs_f32()), Ordering::Release);
    }

    /// The best reply and how many there are, but for those in the bit mask `excluded`: of those that
    /// are not hot the one with the least latency, if all are hot the one with the fewest calls in
    /// flight (the paper's hot-cold lexicographic rule).
    pub(super) fn best(&self, excluded: u32, now: Instant) -> (Option<Reply>, usize) {
        let threshold = self.threshold.load(Ordering::Relaxed);
        let mut best: Option<Reply> = None;
        let mut count = 0;
        for reply in self.replies(now) {
            if excluded & reply.bit() != 0 {
                continue;
            }
            count += 1;
            if best.is_none_or(|best| reply.is_better(&best, threshold)) {
                best = Some(reply);
            }
        }
        (best, count)
    }

    /// Notes that a call goes where this reply says: it has one more call in flight now, and one use less.
    pub(super) fn consume(&self, reply: &Reply, now: Instant) {
        let slot = &self.slots[reply.slot];
        let is_same = |word: u64| word != EMPTY && word as u16 == reply.word as u16;
        let is_last = self.wears && slot.uses_left.fetch_sub(1, Ordering::Relaxed) <= 1;
        // An error says that the reply was replaced or removed in between: nothing is left to note.
        slot.reply
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
                is_same(word).then(|| if is_last { EMPTY } else { with_one_more(word) })
            })
            .ok();
        if self.wears {
            self.remove_one(now);
        }
    }

    /// Removes the worst reply or the oldest in turn, as long as more than half of the places are taken:
    /// the good ones are used up, and what stays would be ever worse (section 4 of the paper).
    fn remove_one(&self, now: Instant) {
        let threshold = self.threshold.load(Ordering::Relaxed);
        let takes_worst = self.removals.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        let mut chosen: Option<Reply> = None;
        let mut count = 0;
        for reply in self.replies(now) {
            count += 1;
            let is_chosen = chosen.is_none_or(|chosen| match takes_worst {
                true => chosen.is_better(&reply, threshold),
                false => reply.received_us < chosen.received_us,
            });
            if is_chosen {
                chosen = Some(reply);
            }
        }
        if let Some(reply) = chosen
            && count > POOL_SIZE / 2
        {
            self.remove(&reply);
        }
    }

    /// Removes a reply unless another pick has changed it.
    fn remove(&self, reply: &Reply) {
        let slot = &self.slots[reply.slot].reply;
        slot.compare_exchange(reply.word, EMPTY, Ordering::Relaxed, Ordering::Relaxed).ok();
    }

    /// All replies that are not too old.
    fn replies(&self, now: Instant) -> impl Iterator<Item = Reply> {
        let now_us = self.micros(now);
        let too_old_us = PROBE_AGE_MAX.as_micros() as u64;
        self.slots.iter().enumerate().filter_map(move |(place, slot)| {
            let word = slot.reply.load(Ordering::Acquire);
            if word == EMPTY {
                return None;
            }
            let received_us = slot.received_us.load(Ordering::Relaxed);
            (now_us.saturating_sub(received_us) < too_old_us).then(|| Reply::new(place, word, received_us))
        })
    }

    fn place_for(&self, index: u16) -> &Slot {
        let rank = |slot: &&Slot| match slot.reply.load(Ordering::Relaxed) {
            word if word != EMPTY && word as u16 == index => (0, 0),
            EMPTY => (1, 0),
            _ => (2, slot.received_us.load(Ordering::Relaxed)),
        };
        self.slots.iter().min_by_key(rank).unwrap_or(&self.slots[0])
    }

    fn micros(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.epoch).as_micros() as u64
    }
}

impl Reply {
    fn new(slot: usize, word: u64, received_us: u64) -> Self {
        Self {
            slot,
            word,
            index: usize::from(word as u16),
            in_flight: (word >> 48) as u16,
            latency_s: f32::from_bits((word >> 16) as u32),
            received_us,
        }
    }

    /// The bit that stands for it in a mask of exclusions.
    pub(super) fn bit(&self) -> u32 {
        1 << self.slot
    }

    fn is_better(&self, other: &Self, threshold: u32) -> bool {
        let (hot, other_hot) =
            (u32::from(self.in_flight) > threshold, u32::from(other.in_flight) > threshold);
        match (hot, other_hot) {
            (false, false) => self.latency_s < other.latency_s,
            (true, true) => self.in_flight < other.in_flight,
            _ => other_hot,
        }
    }
}

impl Recent {
    /// Adds a number and answers the quantile above which the hot ones are.
    fn add(&mut self, in_flight: u16) -> u16 {
        self.in_flight[self.count % RECENT_REPLIES] = in_flight;
        self.count += 1;
        let mut sorted = self.in_flight;
        let known = &mut sorted[..self.count.min(RECENT_REPLIES)];
        let rank = (HOT_QUANTILE * known.len() as f64).ceil() as usize;
        *known.select_nth_unstable(rank.saturating_sub(1)).1
    }
}

fn packed(index: u16, in_flight: u16, latency_s: f32) -> u64 {
    (u64::from(in_flight) << 48) | (u64::from(latency_s.to_bits()) << 16) | u64::from(index)
}

/// The same reply with one call more in flight, as far as 16 bits count.
fn with_one_more(word: u64) -> u64 {
    word.checked_add(1 << 48).unwrap_or(word)
}

#[cfg(test)]
#[path = "probe_pool_tests.rs"]
mod tests;
