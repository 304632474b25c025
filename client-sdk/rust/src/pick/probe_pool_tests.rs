//! The pool against a slow model of the paper's section 4 that keeps a list of replies.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
struct ModelReply {
    index: usize,
    in_flight: usize,
    latency_ms: u64,
    received_ms: u64,
    uses_left: u32,
}

#[derive(Default)]
struct Model {
    wears: bool,
    replies: Vec<ModelReply>,
    recent: Vec<usize>,
    removals: usize,
}

impl Model {
    fn insert(&mut self, reply: ModelReply) {
        self.recent.push(reply.in_flight);
        if self.recent.len() > RECENT_REPLIES {
            self.recent.remove(0);
        }
        let same = self.replies.iter().position(|other| other.index == reply.index);
        let full = self.replies.len() == POOL_SIZE;
        let oldest = (0..self.replies.len()).min_by_key(|&place| self.replies[place].received_ms);
        if let Some(place) = same.or(oldest.filter(|_| full)) {
            self.replies.remove(place);
        }
        self.replies.push(reply);
    }

    fn threshold(&self) -> usize {
        let mut sorted = self.recent.clone();
        sorted.sort_unstable();
        sorted[(0.84 * sorted.len() as f64).ceil() as usize - 1]
    }

    /// Orders replies from the best to the worst.
    fn rank(&self, reply: &ModelReply) -> (bool, u64) {
        let is_hot = reply.in_flight > self.threshold();
        (is_hot, if is_hot { reply.in_flight as u64 } else { reply.latency_ms })
    }

    fn fresh(&self, now_ms: u64) -> Vec<ModelReply> {
        self.replies.iter().filter(|reply| now_ms - reply.received_ms < 1000).cloned().collect()
    }

    /// Uses a reply as the pool does.
    fn consume(&mut self, index: usize, now_ms: u64) {
        let place = self.replies.iter().position(|reply| reply.index == index).unwrap();
        self.replies[place].in_flight += 1;
        if !self.wears {
            return;
        }
        self.replies[place].uses_left -= 1;
        if self.replies[place].uses_left == 0 {
            self.replies.remove(place);
        }
        let takes_worst = self.removals.is_multiple_of(2);
        self.removals += 1;
        let fresh = self.fresh(now_ms);
        let removed = match takes_worst {
            true => fresh.iter().max_by_key(|reply| self.rank(reply)),
            false => fresh.iter().min_by_key(|reply| reply.received_ms),
        };
        if let Some(removed) = removed.filter(|_| fresh.len() > POOL_SIZE / 2) {
            self.replies.retain(|reply| reply.index != removed.index);
        }
    }
}

proptest! {
    #[test]
    fn the_pool_is_that_of_the_slow_model(
        endpoints in 2_usize..40,
        steps in prop::collection::vec((any::<Option<u16>>(), 0_usize..20, 1_u32..4), 1..200),
    ) {
        let start = Instant::now();
        let pool = ProbePool::new(endpoints, start);
        let mut model = Model { wears: endpoints > POOL_SIZE, ..Model::default() };
        for (step, (probed, in_flight, uses)) in steps.into_iter().enumerate() {
            let now_ms = 37 * step as u64;
            let now = start + Duration::from_millis(now_ms);
            if let Some(number) = probed {
                let index = usize::from(number) % endpoints;
                // Different for each reply, so that the model need not know which of two equal ones is first.
                let latency_ms = 1 + u64::from(number % 64) * 256 + step as u64;
                pool.insert(index, Probe { in_flight, latency: Duration::from_millis(latency_ms) }, uses, now);
                model.insert(ModelReply { index, in_flight, latency_ms, received_ms: now_ms, uses_left: uses });
                continue;
            }
            let fresh = model.fresh(now_ms);
            let (best, count) = pool.best(0, now);
            prop_assert_eq!(count, fresh.len());
            let Some(best) = best else { continue };
            let expected = fresh.iter().map(|reply| model.rank(reply)).min().unwrap();
            let found = fresh.iter().find(|reply| reply.index == best.index).unwrap();
            // Of hot replies with as many calls in flight either may be chosen.
            prop_assert_eq!(model.rank(found), expected);
            // With its use, which may make the best reply a hot one, as bad as the worst.
            let used = |reply: ModelReply| {
                let in_flight = reply.in_flight + usize::from(reply.index == best.index);
                model.rank(&ModelReply { in_flight, ..reply })
            };
            let ranks: Vec<_> = fresh.into_iter().map(used).collect();
            let worst = ranks.iter().max();
            let ties = ranks.iter().filter(|&rank| Some(rank) == worst && rank.0).count();
            if model.wears && ties > 1 {
                // Which of the worst goes is open; the model cannot follow further.
                return Ok(());
            }
            pool.consume(&best, now);
            model.consume(best.index, now_ms);
        }
    }
}

fn insert(pool: &ProbePool, index: usize, in_flight: usize, latency_ms: u64, now: Instant) {
    pool.insert(index, Probe { in_flight, latency: Duration::from_millis(latency_ms) }, 1000, now);
}

#[test]
fn a_hot_replica_is_chosen_only_when_all_are_hot_and_then_the_least_so() {
    let now = Instant::now();
    let pool = ProbePool::new(3, now);
    // Most replies have one call in flight, so that what has more is hot.
    (0..20).for_each(|_| insert(&pool, 0, 1, 50, now));
    insert(&pool, 1, 9, 1, now);
    insert(&pool, 2, 8, 2, now);
    let (best, count) = pool.best(0, now);
    let best = best.unwrap();
    assert_eq!((best.index, count), (0, 3));
    let (best_of_hot, count) = pool.best(best.bit(), now);
    assert_eq!((best_of_hot.unwrap().index, count), (2, 2));
}

#[test]
fn a_reply_is_forgotten_after_a_second_and_used_up_by_its_calls() {
    let start = Instant::now();
    let pool = ProbePool::new(100, start);
    insert(&pool, 1, 0, 1, start);
    assert_eq!(pool.best(0, start + Duration::from_millis(999)).1, 1);
    assert_eq!(pool.best(0, start + PROBE_AGE_MAX), (None, 0));
    pool.insert(2, Probe { in_flight: 0, latency: Duration::ZERO }, 2, start);
    for left in [1, 0] {
        let reply = pool.best(1, start).0.unwrap();
        pool.consume(&reply, start);
        assert_eq!(pool.best(1, start).1, left);
    }
}

#[test]
fn an_index_or_a_load_too_large_for_a_reply_does_no_harm() {
    let now = Instant::now();
    let pool = ProbePool::new(70_000, now);
    insert(&pool, 65_535, 0, 1, now);
    insert(&pool, 69_999, 0, 1, now);
    assert_eq!(pool.best(0, now).1, 0);
    insert(&pool, 65_534, usize::MAX, 1, now);
    let reply = pool.best(0, now).0.unwrap();
    pool.consume(&reply, now);
    assert_eq!(pool.best(0, now).0.map(|reply| (reply.index, reply.in_flight)), Some((65_534, u16::MAX)));
}

#[test]
fn threads_that_pick_and_observe_at_once_see_whole_replies_only() {
    let now = Instant::now();
    let pool = ProbePool::new(40, now);
    std::thread::scope(|scope| {
        for thread in 0..2_usize {
            let pool = &pool;
            scope.spawn(move || {
                for step in 0..20_000 {
                    // The latency names the index.
                    let index = (step * 7 + thread) % 40;
                    insert(pool, index, step % 5, index as u64 + 1, now);
                }
            });
            scope.spawn(move || {
                for _ in 0..20_000 {
                    if let Some(reply) = pool.best(0, now).0 {
                        assert_eq!((reply.latency_s * 1000.0).round() as usize, reply.index + 1);
                        pool.consume(&reply, now);
                    }
                }
            });
        }
    });
}
