//! Recommendations by item-to-item co-occurrence: who likes what you like also likes this.
//!
//! Likeness of two items is the cosine between the strengths of everybody's interest in them (Sarwar et al.,
//! "Item-based collaborative filtering recommendation algorithms", WWW 2001), where a strength halves every
//! [`STRENGTH_HALF_LIFE_DAYS`]. A user's own history is weighted by recency rank, not by days, which gave the
//! better order on data split by time: what somebody did last says most, however long ago it was.

use std::collections::{HashMap, HashSet};

use crate::{calendar::DAY_US, interest::Interest};

/// Days after which an interest speaks half as strongly for the likeness of items.
pub const STRENGTH_HALF_LIFE_DAYS: f64 = 30.0;
/// Places in a user's history after which an item speaks half as strongly.
pub const RANK_HALF_LIFE: f64 = 10.0;
/// Latest items of a user that their recommendations are drawn from; at this rank the weight is 1/1024.
pub const HISTORY_ITEMS_MAX: usize = 100;
/// Latest items of a user that are left out because the user knows them.
pub const KNOWN_ITEMS_MAX: usize = 1_000;
/// Recommendations in one answer.
pub const RESULTS_MAX: usize = 100;

/// Latest items of one user that speak for likeness: bounds the pairs that a busy robot makes to 10,000.
const USER_ITEMS_MAX: usize = 100;
/// Items kept as alike to one item.
const NEIGHBOURS_MAX: usize = 100;
/// Popular items kept: enough for a full answer to somebody who knows the [`KNOWN_ITEMS_MAX`] most popular.
const POPULAR_MAX: usize = KNOWN_ITEMS_MAX + RESULTS_MAX;

/// How alike items are and how popular, as of one moment.
#[derive(Debug, Default)]
pub struct Model {
    items: Vec<String>,
    numbers: HashMap<String, u32>,
    /// By item: the most alike first.
    neighbours: Vec<Vec<(u32, f32)>>,
    /// The most popular first.
    popular: Vec<(u32, f32)>,
}

/// Why an item is recommended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Users who know the item also know this one of the user's history.
    History {
        /// The item that speaks most for it.
        item_id: String,
        /// The event that tied the user to it.
        event: String,
    },
    /// Many users like it lately.
    Popularity,
}

/// One recommended item.
#[derive(Clone, Debug, PartialEq)]
pub struct Recommendation {
    /// The item.
    pub item_id: String,
    /// Why.
    pub basis: Basis,
    /// Higher is better, within one basis.
    pub score: f64,
}

/// Strengths of interest, by user and by item.
struct Strengths {
    by_user: Vec<Vec<(u32, f64)>>,
    by_item: Vec<Vec<(u32, f64)>>,
}

impl Model {
    /// Learns from `interests`, which come latest first.
    #[must_use]
    pub fn build(interests: &[Interest], now_us: i64) -> Self {
        let mut model = Self::default();
        let strengths = model.strengths(interests, now_us);
        model.neighbours = neighbours(&strengths);
        let totals = strengths.by_item.iter().map(|users| users.iter().map(|(_, strength)| strength).sum());
        let totals: Vec<(u32, f64)> = (0..).zip(totals).collect();
        model.popular = model.best(totals, POPULAR_MAX);
        model
    }

    /// How many items the model knows.
    #[must_use]
    pub fn item_count(&self) -> usize {
        self.items.len()
    }

    /// How alike two items are, 0 to 1; 0 too when they are not among each other's most alike.
    #[must_use]
    pub fn likeness(&self, left: &str, right: &str) -> f64 {
        let (Some(left), Some(right)) = (self.numbers.get(left), self.numbers.get(right)) else { return 0.0 };
        let found = self.neighbours[*left as usize].iter().find(|(item, _)| item == right);
        found.map_or(0.0, |(_, likeness)| f64::from(*likeness))
    }

    /// The `count` best items for somebody with this history, which comes latest first.
    #[must_use]
    pub fn recommend(&self, history: &[Interest], count: usize) -> Vec<Recommendation> {
        let known: HashSet<u32> =
            history.iter().filter_map(|interest| self.numbers.get(&interest.item_id).copied()).collect();
        let (scores, because) = self.scores(history, &known);
        let mut recommended: Vec<Recommendation> = self
            .best(scores.into_iter().collect(), count)
            .into_iter()
            .filter_map(|(item, score)| {
                let cause = &history[because.get(&item)?.1];
                let basis = Basis::History { item_id: cause.item_id.clone(), event: cause.event.clone() };
                Some(Recommendation {
                    item_id: self.items[item as usize].clone(),
                    basis,
                    score: f64::from(score),
                })
            })
            .collect();
        let taken: HashSet<String> = recommended.iter().map(|found| found.item_id.clone()).collect();
        let popular = self
            .popular
            .iter()
            .filter(|(item, _)| !known.contains(item) && !taken.contains(&self.items[*item as usize]))
            .take(count - recommended.len())
            .map(|(item, score)| Recommendation {
                item_id: self.items[*item as usize].clone(),
                basis: Basis::Popularity,
                score: f64::from(*score),
            });
        recommended.extend(popular);
        recommended
    }

    /// By candidate: its score, and the greatest contribution with the place in the history it came from.
    fn scores(
        &self,
        history: &[Interest],
        known: &HashSet<u32>,
    ) -> (HashMap<u32, f64>, HashMap<u32, (f64, usize)>) {
        let mut scores: HashMap<u32, f64> = HashMap::new();
        let mut because: HashMap<u32, (f64, usize)> = HashMap::new();
        for (rank, interest) in history.iter().take(HISTORY_ITEMS_MAX).enumerate() {
            let Some(item) = self.numbers.get(&interest.item_id) else { continue };
            let weight = profile_weight(interest, rank);
            for (candidate, likeness) in &self.neighbours[*item as usize] {
                if known.contains(candidate) {
                    continue;
                }
                let contribution = weight * f64::from(*likeness);
                *scores.entry(*candidate).or_default() += contribution;
                let most = because.entry(*candidate).or_insert((contribution, rank));
                if contribution > most.0 {
                    *most = (contribution, rank);
                }
            }
        }
        (scores, because)
    }

    /// Numbers users and items and finds how strong each interest is.
    fn strengths(&mut self, interests: &[Interest], now_us: i64) -> Strengths {
        let mut users: HashMap<&str, usize> = HashMap::new();
        let mut strengths = Strengths { by_user: Vec::new(), by_item: Vec::new() };
        for interest in interests {
            let next = users.len();
            let user = *users.entry(&interest.actor).or_insert(next);
            if user == next {
                strengths.by_user.push(Vec::new());
            }
            if strengths.by_user[user].len() >= USER_ITEMS_MAX {
                continue;
            }
            let item = self.number(&interest.item_id);
            strengths.by_item.resize_with(self.items.len(), Vec::new);
            let strength = strength(interest, now_us);
            strengths.by_user[user].push((item, strength));
            strengths.by_item[item as usize].push((u32::try_from(user).unwrap_or(u32::MAX), strength));
        }
        strengths
    }

    fn number(&mut self, item_id: &str) -> u32 {
        if let Some(number) = self.numbers.get(item_id) {
            return *number;
        }
        let number = u32::try_from(self.items.len()).unwrap_or(u32::MAX);
        self.items.push(item_id.to_owned());
        self.numbers.insert(item_id.to_owned(), number);
        number
    }

    /// The `count` highest, best first; equal ones in the order of their ids.
    fn best(&self, mut scored: Vec<(u32, f64)>, count: usize) -> Vec<(u32, f32)> {
        let id = |item: u32| &self.items[item as usize];
        scored.sort_by(|left, right| right.1.total_cmp(&left.1).then_with(|| id(left.0).cmp(id(right.0))));
        scored.truncate(count);
        scored.into_iter().map(|(item, score)| (item, narrow(score))).collect()
    }
}

/// How strongly an interest speaks for the likeness of items: its weight, halved with age.
#[expect(clippy::cast_precision_loss, reason = "an age in days needs no more than 52 bits")]
fn strength(interest: &Interest, now_us: i64) -> f64 {
    let age_days = now_us.saturating_sub(interest.last_us).max(0) as f64 / DAY_US as f64;
    interest.weight as f64 * (-age_days / STRENGTH_HALF_LIFE_DAYS).exp2()
}

/// How strongly an item speaks for what the user may like: its weight, halved with its place in the history.
#[expect(clippy::cast_precision_loss, reason = "weights and ranks are small")]
fn profile_weight(interest: &Interest, rank: usize) -> f64 {
    interest.weight as f64 * (-(rank as f64) / RANK_HALF_LIFE).exp2()
}

/// For each item those most alike, by cosine.
fn neighbours(strengths: &Strengths) -> Vec<Vec<(u32, f32)>> {
    let norms: Vec<f64> = strengths
        .by_item
        .iter()
        .map(|users| users.iter().map(|(_, strength)| strength * strength).sum::<f64>().sqrt())
        .collect();
    let mut products = vec![0.0_f64; norms.len()];
    let mut touched: Vec<u32> = Vec::new();
    let mut neighbours = Vec::with_capacity(norms.len());
    for (item, users) in strengths.by_item.iter().enumerate() {
        for (user, strength) in users {
            for (other, other_strength) in &strengths.by_user[*user as usize] {
                if *other as usize == item {
                    continue;
                }
                if products[*other as usize] == 0.0 {
                    touched.push(*other);
                }
                products[*other as usize] += strength * other_strength;
            }
        }
        let mut alike: Vec<(u32, f32)> = touched
            .drain(..)
            .map(|other| {
                let product = std::mem::take(&mut products[other as usize]);
                (other, narrow(product / (norms[item] * norms[other as usize])))
            })
            .collect();
        alike.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
        alike.truncate(NEIGHBOURS_MAX);
        neighbours.push(alike);
    }
    neighbours
}

/// Likeness is kept in half the memory; seven digits order items well enough.
#[expect(clippy::cast_possible_truncation, reason = "scores are sums of a few hundred numbers near one")]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests;
