//! Events for tests.

use crate::event::{Event, Kind, Object, user_actor};

/// A day in 2027, at noon.
pub(crate) const NOON_US: i64 = 20_833 * crate::calendar::DAY_US + 12 * crate::calendar::HOUR_US;

/// An event "opened" of alice at noon.
pub(crate) fn event(message_id: &str) -> Event {
    Event {
        message_id: message_id.to_owned(),
        kind: Kind::Track,
        actor: user_actor("alice"),
        user_id: "alice".to_owned(),
        anonymous_id: String::new(),
        name: "opened".to_owned(),
        group_id: String::new(),
        previous_id: String::new(),
        properties: Object::new(),
        traits: Object::new(),
        context: Object::new(),
        timestamp_us: NOON_US,
        original_us: None,
        sent_us: None,
        receive_us: NOON_US,
    }
}
