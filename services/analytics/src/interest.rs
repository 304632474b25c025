//! Interest of users in items: what is read out of events about items, and how much each weighs.

use serde_json::Value;

use crate::event::{Event, Kind};

/// The events about items and what each weighs: the more it costs somebody, the more it says.
const WEIGHTS: [(&str, i64); 6] = [
    ("item_viewed", 1),
    ("item_clicked", 2),
    ("item_liked", 3),
    ("item_shared", 3),
    ("item_added", 4),
    ("item_purchased", 5),
];

/// Characters of an item id.
const ITEM_ID_CHARS_MAX: usize = 128;

/// That somebody is interested in an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interest {
    /// Who.
    pub actor: String,
    /// In what.
    pub item_id: String,
    /// The strongest event that says so.
    pub event: String,
    /// Its weight, 1 to 5.
    pub weight: i64,
    /// When the latest such event was, epoch microseconds.
    pub last_us: i64,
}

impl Interest {
    /// The interest that `event` shows; `None` when it is not about an item.
    #[must_use]
    pub fn of(event: &Event) -> Option<Self> {
        if event.kind != Kind::Track {
            return None;
        }
        let (_, weight) = WEIGHTS.into_iter().find(|(name, _)| *name == event.name)?;
        let item_id = event.properties.get("item_id").and_then(Value::as_str)?;
        let usable = !item_id.is_empty()
            && item_id.chars().count() <= ITEM_ID_CHARS_MAX
            && !item_id.chars().any(char::is_control);
        usable.then(|| Self {
            actor: event.actor.clone(),
            item_id: item_id.to_owned(),
            event: event.name.clone(),
            weight,
            last_us: event.timestamp_us,
        })
    }

    /// Takes in a further event of the same user about the same item: the strongest counts, as of the latest.
    pub fn strengthen(&mut self, other: Self) {
        self.last_us = self.last_us.max(other.last_us);
        if other.weight > self.weight {
            (self.weight, self.event) = (other.weight, other.event);
        }
    }
}

/// The event in words, after "you": "viewed".
#[must_use]
pub fn verb(event: &str) -> &str {
    event.strip_prefix("item_").unwrap_or(event)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{event::Object, sample};

    fn interest(name: &str, item_id: Value) -> Option<Interest> {
        let properties = Object::from_iter([("item_id".to_owned(), item_id)]);
        Interest::of(&Event { name: name.to_owned(), properties, ..sample::event("1") })
    }

    #[test]
    fn an_event_about_an_item_shows_interest() {
        let shown = interest("item_liked", json!("lamp")).unwrap();
        assert_eq!((shown.actor.as_str(), shown.item_id.as_str(), shown.weight), ("user:alice", "lamp", 3));
    }

    #[test]
    fn other_events_and_unusable_item_ids_show_none() {
        assert_eq!(interest("opened", json!("lamp")), None);
        for item_id in [json!(""), json!(7), json!("x".repeat(129)), json!("a\u{0}b")] {
            assert_eq!(interest("item_viewed", item_id), None);
        }
    }

    #[test]
    fn the_strongest_event_counts_as_of_the_latest() {
        let mut held = interest("item_purchased", json!("lamp")).unwrap();
        let later = Interest { last_us: held.last_us + 5, ..interest("item_viewed", json!("lamp")).unwrap() };
        held.strengthen(later.clone());
        assert_eq!((held.event.as_str(), held.weight, held.last_us), ("item_purchased", 5, later.last_us));
    }
}
