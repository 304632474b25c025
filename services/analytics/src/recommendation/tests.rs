//! Recommendations against a computation straight from the definition.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const NOW_US: i64 = 20_000 * DAY_US;

fn interest(actor: &str, item_id: &str, weight: i64, age_days: i64) -> Interest {
    Interest {
        actor: actor.to_owned(),
        item_id: item_id.to_owned(),
        event: "item_viewed".to_owned(),
        weight,
        last_us: NOW_US - age_days * DAY_US,
    }
}

fn items(recommended: &[Recommendation]) -> Vec<&str> {
    recommended.iter().map(|found| found.item_id.as_str()).collect()
}

/// The cosine by its definition: over all users, for one pair of items.
fn naive_likeness(interests: &[Interest], left: &str, right: &str) -> f64 {
    let of = |item: &str| -> BTreeMap<&str, f64> {
        interests
            .iter()
            .filter(|interest| interest.item_id == item)
            .map(|interest| (interest.actor.as_str(), strength(interest, NOW_US)))
            .collect()
    };
    let (left, right) = (of(left), of(right));
    let product: f64 = left.iter().map(|(user, strength)| strength * right.get(user).unwrap_or(&0.0)).sum();
    let norm =
        |side: &BTreeMap<&str, f64>| side.values().map(|strength| strength * strength).sum::<f64>().sqrt();
    if product == 0.0 { 0.0 } else { product / (norm(&left) * norm(&right)) }
}

/// A few users and items; each pair at most once, as in the store.
fn interests() -> impl Strategy<Value = Vec<Interest>> {
    prop::collection::btree_map((0..8_u8, 0..10_u8), (1..=5_i64, 0..200_i64), 1..60).prop_map(|entries| {
        let mut interests: Vec<Interest> = entries
            .into_iter()
            .map(|((user, item), (weight, age))| {
                interest(&format!("u{user}"), &format!("i{item}"), weight, age)
            })
            .collect();
        interests.sort_by_key(|interest| std::cmp::Reverse(interest.last_us));
        interests
    })
}

proptest! {
    #[test]
    fn likeness_is_the_cosine_of_decayed_strengths(interests in interests()) {
        let model = Model::build(&interests, NOW_US);
        for left in 0..10 {
            for right in 0..10 {
                let (left, right) = (format!("i{left}"), format!("i{right}"));
                if left != right {
                    let (found, naive) = (model.likeness(&left, &right), naive_likeness(&interests, &left, &right));
                    prop_assert!((found - naive).abs() < 1e-6, "{left} {right}: {found} is not {naive}");
                }
            }
        }
    }

    #[test]
    fn the_order_is_that_of_a_sum_over_the_history(interests in interests()) {
        let model = Model::build(&interests, NOW_US);
        let history: Vec<Interest> =
            interests.iter().filter(|interest| interest.actor == "u0").cloned().collect();
        let known: HashSet<&str> = history.iter().map(|interest| interest.item_id.as_str()).collect();
        let recommended = model.recommend(&history, RESULTS_MAX);
        for found in &recommended {
            prop_assert!(!known.contains(found.item_id.as_str()), "{} is known", found.item_id);
            let parts: Vec<f64> = history
                .iter()
                .enumerate()
                .map(|(rank, liked)| {
                    profile_weight(liked, rank) * naive_likeness(&interests, &liked.item_id, &found.item_id)
                })
                .collect();
            let naive: f64 = parts.iter().sum();
            match &found.basis {
                Basis::History { item_id, .. } => {
                    prop_assert!((found.score - naive).abs() < 1e-4, "{} is not {naive}", found.score);
                    let most = parts.iter().copied().fold(0.0, f64::max);
                    let cause = history.iter().position(|liked| liked.item_id == *item_id).unwrap();
                    prop_assert!((parts[cause] - most).abs() < 1e-4, "another item speaks more");
                }
                Basis::Popularity => prop_assert!(naive < 1e-6),
            }
        }
        // Everything unknown is offered once: what is alike first, the rest by popularity.
        let all: HashSet<&str> = interests.iter().map(|interest| interest.item_id.as_str()).collect();
        prop_assert_eq!(recommended.len(), all.difference(&known).count());
    }
}

#[test]
fn what_others_took_together_is_recommended_with_its_reason() {
    let interests = [
        interest("bob", "shade", 1, 1),
        interest("bob", "lamp", 1, 1),
        interest("carol", "rope", 5, 1),
        interest("alice", "lamp", 1, 1),
    ];
    let model = Model::build(&interests, NOW_US);
    let recommended = model.recommend(&interests[3..], 10);
    assert_eq!(items(&recommended), ["shade", "rope"]);
    let because = Basis::History { item_id: "lamp".to_owned(), event: "item_viewed".to_owned() };
    assert_eq!((&recommended[0].basis, &recommended[1].basis), (&because, &Basis::Popularity));
}

#[test]
fn somebody_without_a_history_gets_what_is_popular_lately() {
    let interests = [
        interest("a", "new", 1, 0),
        interest("b", "old", 1, 300),
        interest("c", "old", 1, 300),
        interest("d", "bought", 5, 1),
    ];
    let recommended = Model::build(&interests, NOW_US).recommend(&[], 2);
    assert_eq!(items(&recommended), ["bought", "new"]);
    assert!(recommended.iter().all(|found| found.basis == Basis::Popularity));
}

#[test]
fn what_somebody_did_last_weighs_more_than_what_they_did_first() {
    let mut interests = vec![
        interest("bob", "to-new", 1, 0),
        interest("bob", "new", 1, 0),
        interest("carol", "to-old", 1, 0),
        interest("carol", "old", 1, 0),
    ];
    let history = [interest("alice", "new", 1, 5), interest("alice", "old", 1, 6)];
    interests.extend(history.clone());
    let model = Model::build(&interests, NOW_US);
    assert_eq!(items(&model.recommend(&history, 2)), ["to-new", "to-old"]);
    let [newer, older] = history;
    assert_eq!(items(&model.recommend(&[older, newer], 2)), ["to-old", "to-new"]);
}

#[test]
fn a_robot_with_endless_items_adds_no_more_than_its_share() {
    let interests: Vec<Interest> =
        (0..5_000).map(|item| interest("robot", &format!("i{item}"), 1, 0)).collect();
    let model = Model::build(&interests, NOW_US);
    assert_eq!(model.item_count(), USER_ITEMS_MAX);
}

#[test]
fn nothing_known_means_nothing_recommended() {
    assert!(Model::build(&[], NOW_US).recommend(&[], 10).is_empty());
}
