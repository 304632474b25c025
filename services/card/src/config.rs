//! The settings of the card service.

use plexus_runtime::settings::{SettingError, Settings as RuntimeSettings};
use serde::{Deserialize, Serialize};

/// The settings in the section `card`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How many cards are rendered at the same time: 4, since each keeps a thread busy for its time.
    pub render_slots: usize,
    /// How many calls may wait for a slot: 256, a fraction of a second of waiting; more are refused at once.
    pub render_queue: usize,
    /// How many templates one user may have: 500, more than a person keeps in view.
    pub templates_per_owner_max: i64,
    /// How many days the answers to writes are kept for repetition: 7, longer than any client tries again.
    pub request_days: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { render_slots: 4, render_queue: 256, templates_per_owner_max: 500, request_days: 7 }
    }
}

impl RuntimeSettings for Settings {
    fn check(&self) -> Result<(), SettingError> {
        let refuse = |key: &str, rule: &str| Err(SettingError::new(key, rule));
        if !(1..=256).contains(&self.render_slots) {
            return refuse("render_slots", "must be 1 to 256");
        }
        if self.render_queue > 100_000 {
            return refuse("render_queue", "must be 0 to 100000");
        }
        if !(1..=1_000_000).contains(&self.templates_per_owner_max) {
            return refuse("templates_per_owner_max", "must be 1 to 1000000");
        }
        if !(1..=3650).contains(&self.request_days) {
            return refuse("request_days", "must be 1 to 3650");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_can_be_used_and_nonsense_is_named() {
        assert_eq!(Settings::default().check(), Ok(()));
        type Change = fn(&mut Settings);
        let broken: [(&str, Change); 4] = [
            ("render_slots", |settings| settings.render_slots = 0),
            ("render_queue", |settings| settings.render_queue = 100_001),
            ("templates_per_owner_max", |settings| settings.templates_per_owner_max = 0),
            ("request_days", |settings| settings.request_days = 0),
        ];
        for (key, change) in broken {
            let mut settings = Settings::default();
            change(&mut settings);
            assert_eq!(settings.check().unwrap_err().key, key);
        }
    }
}
