//! Events: what a client sends, what makes it valid, and what is kept.

use serde_json::{Map, Value};

/// A JSON object.
pub type Object = Map<String, Value>;

/// What kind of call of the Segment spec an event is; the numbers are those of the contract and of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Somebody did something.
    Track = 1,
    /// Who somebody is.
    Identify = 2,
    /// Somebody saw a page.
    Page = 3,
    /// Somebody saw a screen.
    Screen = 4,
    /// Somebody belongs to a group.
    Group = 5,
    /// Somebody goes by another id from now on.
    Alias = 6,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Track, Self::Identify, Self::Page, Self::Screen, Self::Group, Self::Alias];

    /// Its number in the contract and in the store.
    #[must_use]
    pub fn number(self) -> i64 {
        self as i64
    }

    /// The kind with this number.
    #[must_use]
    pub fn of(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// Its name in the Segment spec.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Track => "track",
            Self::Identify => "identify",
            Self::Page => "page",
            Self::Screen => "screen",
            Self::Group => "group",
            Self::Alias => "alias",
        }
    }
}

/// An event as a client sent it.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// Unique among the events of its source.
    pub message_id: String,
    /// `None` when the client named none that exists.
    pub kind: Option<Kind>,
    /// Empty: not given.
    pub user_id: String,
    /// Empty: not given.
    pub anonymous_id: String,
    /// The event of a track.
    pub event: String,
    /// The page or screen.
    pub name: String,
    /// The group of a group.
    pub group_id: String,
    /// The former id of an alias.
    pub previous_id: String,
    /// About the event.
    pub properties: Object,
    /// About the user or group.
    pub traits: Object,
    /// About the surroundings.
    pub context: Object,
    /// When it happened, epoch microseconds.
    pub times: Times,
}

/// The times that a client sends, in epoch microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// By a clock that is right.
    pub timestamp_us: Option<i64>,
    /// By the clock of the device.
    pub original_us: Option<i64>,
    /// When it was sent, by the clock of the device.
    pub sent_us: Option<i64>,
}

impl Times {
    /// When the event happened: the device's clock is corrected by how far it was off when it sent the event.
    ///
    /// Source: Segment's spec on common fields, `timestamp = originalTimestamp + (receivedAt - sentAt)`.
    #[must_use]
    pub fn corrected_us(self, receive_us: i64) -> i64 {
        match (self.original_us, self.sent_us) {
            (Some(original_us), Some(sent_us)) => {
                original_us.saturating_add(receive_us.saturating_sub(sent_us))
            }
            (Some(original_us), None) => original_us,
            (None, _) => self.timestamp_us.unwrap_or(receive_us),
        }
    }
}

/// A valid event, ready to be kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Unique among the events of its source.
    pub message_id: String,
    /// Which kind of call.
    pub kind: Kind,
    /// For whom it counts: `user:ID` or `anonymous:ID`.
    pub actor: String,
    /// Empty: nobody who is logged in.
    pub user_id: String,
    /// Empty: not given.
    pub anonymous_id: String,
    /// The event of a track, the page or the screen; empty for the others.
    pub name: String,
    /// The group of a group; else empty.
    pub group_id: String,
    /// The former id of an alias; else empty.
    pub previous_id: String,
    /// About the event.
    pub properties: Object,
    /// About the user or group.
    pub traits: Object,
    /// About the surroundings.
    pub context: Object,
    /// When it happened, corrected, epoch microseconds.
    pub timestamp_us: i64,
    /// When it happened, by the clock of the device.
    pub original_us: Option<i64>,
    /// When it was sent, by the clock of the device.
    pub sent_us: Option<i64>,
    /// When it was received, epoch microseconds.
    pub receive_us: i64,
}

/// The actor that a logged-in user is.
#[must_use]
pub fn user_actor(user_id: &str) -> String {
    format!("user:{user_id}")
}

/// The user that an actor is; the whole actor when it is nobody who is logged in.
#[must_use]
pub fn user_of(actor: &str) -> &str {
    actor.strip_prefix("user:").unwrap_or(actor)
}

/// The actor that somebody is who is not logged in.
#[must_use]
pub fn anonymous_actor(anonymous_id: &str) -> String {
    format!("anonymous:{anonymous_id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_device_clock_is_corrected_by_how_far_it_was_off() {
        let times = Times { timestamp_us: Some(7), original_us: Some(1_000), sent_us: Some(1_500) };
        assert_eq!(times.corrected_us(10_000), 9_500);
    }

    #[test]
    fn without_a_sending_time_the_clock_is_taken_as_right() {
        let times = Times { timestamp_us: Some(7), original_us: Some(1_000), sent_us: None };
        assert_eq!(times.corrected_us(10_000), 1_000);
    }

    #[test]
    fn an_imported_time_stays_as_it_is_and_no_time_means_now() {
        let imported = Times { timestamp_us: Some(7), original_us: None, sent_us: Some(3) };
        assert_eq!(imported.corrected_us(10_000), 7);
        assert_eq!(Times::default().corrected_us(10_000), 10_000);
    }

    #[test]
    fn absurd_times_do_not_overflow() {
        let times = Times { timestamp_us: None, original_us: Some(i64::MAX), sent_us: Some(i64::MIN) };
        assert_eq!(times.corrected_us(1), i64::MAX);
    }

    #[test]
    fn kinds_keep_their_numbers() {
        for kind in Kind::ALL {
            assert_eq!(Kind::of(kind.number()), Some(kind));
        }
        assert_eq!(Kind::of(0), None);
        assert_eq!(Kind::of(7), None);
    }
}
