//! Which endpoints take calls: priority levels, zones, health, and when to disregard ejection.

/// A level carries all calls alone while at least this share of its endpoints is usable.
///
/// With half of them gone the others carry twice their load, which is what a set is commonly sized for
/// at most. (Envoy begins to spill below 71 %.)
pub const LEVEL_SHARE_MIN: f64 = 0.5;

/// The endpoints in the client's own zone carry its calls alone while at least this share of them is
/// usable. Beyond it the other zones help, for the same reason.
pub const ZONE_SHARE_MIN: f64 = 0.5;

/// Ejection is disregarded when it has taken more than this share of the endpoints that could take calls.
///
/// What fails everywhere is rarely the endpoints' fault, and the few that are left would be overrun
/// (Envoy's panic threshold, with its default). The share is rounded up to whole endpoints, so that two
/// of three may be set aside: exactly what outlier detection does by default.
pub const PANIC_SHARE: f64 = 0.5;

/// What a sum of shares may lack: 1/14 + 6/7 + 1/14 is a little less than 1 in binary.
const ROUNDING: f64 = 1e-9;

/// When a share suffices. All values are from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The usable share of a level from which it takes all calls alone. Default: [`LEVEL_SHARE_MIN`].
    pub level_share_min: f64,
    /// The usable share of the own zone from which it takes all calls alone. Default: [`ZONE_SHARE_MIN`].
    pub zone_share_min: f64,
    /// The ejected share beyond which ejection is disregarded. Default: [`PANIC_SHARE`].
    pub panic_share: f64,
}

impl Settings {
    /// Whether all values can be used.
    ///
    /// # Errors
    ///
    /// The first field that cannot.
    pub fn check(&self) -> Result<(), SettingsError> {
        let shares = [
            ("level_share_min", self.level_share_min),
            ("zone_share_min", self.zone_share_min),
            ("panic_share", self.panic_share),
        ];
        match shares.into_iter().find(|(_, share)| !(0.0..=1.0).contains(share)) {
            Some((field, share)) => Err(SettingsError { field, share }),
            None => Ok(()),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { level_share_min: LEVEL_SHARE_MIN, zone_share_min: ZONE_SHARE_MIN, panic_share: PANIC_SHARE }
    }
}

/// A share that is none.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("endpoint selection: {field} is {share}; give a share from 0 to 1")]
pub struct SettingsError {
    field: &'static str,
    share: f64,
}

/// What selection sees of one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Its level; 0 is the best, and lower levels are spares for it.
    pub priority: u32,
    /// Whether it is in the client's own zone. If zones are unknown, say the same for all.
    pub in_zone: bool,
    /// Whether a connection to it stands.
    pub is_connected: bool,
    /// Whether it says itself that it serves, or does not say anything (gRFC A17).
    pub is_serving: bool,
    /// Whether it is set aside ([`State::Ejected`](crate::ejection::State::Ejected)).
    pub is_ejected: bool,
    /// Whether it takes one call at a time ([`State::Probing`](crate::ejection::State::Probing)).
    pub is_probing: bool,
}

/// The endpoints that take calls, and by which rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Their places in the slice of views, ascending. Empty only when no endpoint is both connected
    /// and serving.
    pub indices: Vec<usize>,
    /// How they were found.
    pub mode: Mode,
}

/// The rule by which endpoints were selected, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The best level carries the calls alone, or there is no other.
    Normal,
    /// The best level does not suffice.
    Spilled {
        /// How many levels it took, the best included; at least 2. Some of them may have nothing usable.
        levels: usize,
    },
    /// Too many are set aside: ejection is disregarded, and
    /// [`Record::allows`](crate::ejection::Record::allows) is not to be asked.
    Panic,
}

/// Selects the endpoints that take calls.
///
/// - An endpoint is usable when it is connected, serving, and not set aside. That it does not serve it
///   has said itself, so this is believed however many say it.
/// - When ejection has taken all, or more than [`Settings::panic_share`] rounded up, of the endpoints
///   that are connected and serving, all of these are usable.
/// - Levels are taken in their order until their usable shares add up to
///   [`Settings::level_share_min`] (as Envoy adds the health of its levels: each is made to carry the
///   whole load). Every usable endpoint of these levels takes calls.
/// - When a single level has them, those in the own zone take the calls alone if enough of the zone is
///   usable. When levels help each other or ejection is disregarded, capacity counts and not distance.
/// - An endpoint on probation takes its one call where its level and zone are used, but never counts
///   towards a share: calls must not have to wait for it.
#[must_use]
pub fn select(views: &[View], settings: &Settings) -> Selection {
    let able = views.iter().filter(|view| view.is_able()).count();
    let aside = views.iter().filter(|view| view.is_able() && view.is_aside()).count();
    let is_panic = aside > 0 && (aside == able || share(aside - 1, able) >= settings.panic_share);
    let is_usable = |view: &View| view.is_able() && (is_panic || !view.is_aside());

    let levels = levels(views, is_usable, settings.level_share_min);
    let mode = match levels.len() {
        _ if is_panic => Mode::Panic,
        0 | 1 => Mode::Normal,
        levels => Mode::Spilled { levels },
    };
    let only_zone = !is_panic && zone_suffices(views, &levels, is_usable, settings.zone_share_min);
    let is_selected = |view: &View| {
        levels.contains(&view.priority)
            && (view.in_zone || !only_zone)
            && (is_usable(view) || view.is_able() && view.is_probing)
    };
    let indices = views.iter().enumerate().filter(|(_, view)| is_selected(view)).map(|(index, _)| index);
    Selection { indices: indices.collect(), mode }
}

/// The best levels, up to the one with which their usable shares suffice; all if they never do.
fn levels(views: &[View], is_usable: impl Fn(&View) -> bool, share_min: f64) -> Vec<u32> {
    let mut priorities: Vec<u32> = views.iter().map(|view| view.priority).collect();
    priorities.sort_unstable();
    priorities.dedup();
    let mut covered = 0.0;
    let mut has_usable = false;
    for (position, priority) in priorities.iter().enumerate() {
        let members = views.iter().filter(|view| view.priority == *priority);
        let usable = members.clone().filter(|view| is_usable(view)).count();
        covered += share(usable, members.count());
        has_usable |= usable > 0;
        // With a minimum of 0 too, a level without a single usable endpoint does not suffice.
        if has_usable && covered + ROUNDING >= share_min {
            priorities.truncate(position + 1);
            break;
        }
    }
    priorities
}

/// Whether all usable endpoints of the levels are in one level, and enough of its own zone are usable.
fn zone_suffices(views: &[View], levels: &[u32], is_usable: impl Fn(&View) -> bool, share_min: f64) -> bool {
    let mut usable = views.iter().filter(|view| levels.contains(&view.priority) && is_usable(view));
    let Some(first) = usable.next() else { return false };
    if usable.any(|view| view.priority != first.priority) {
        return false;
    }
    let zone = views.iter().filter(|view| view.priority == first.priority && view.in_zone);
    let usable_in_zone = zone.clone().filter(|view| is_usable(view)).count();
    usable_in_zone > 0 && share(usable_in_zone, zone.count()) >= share_min
}

#[expect(clippy::cast_precision_loss, reason = "no set has 2^52 endpoints")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

impl View {
    fn is_able(&self) -> bool {
        self.is_connected && self.is_serving
    }

    fn is_aside(&self) -> bool {
        self.is_ejected || self.is_probing
    }
}

#[cfg(test)]
#[path = "selection_tests.rs"]
mod tests;
