//! The settings of the quota service.

use plexus_runtime::settings::{SettingError, Settings as RuntimeSettings};
use serde::{Deserialize, Serialize};

use crate::{
    limit::{DefaultLimits, LIMIT_MAX},
    meter::Meter,
    reservation::TTL_SECONDS_MAX,
    window::Window,
};

/// The settings in the section `quota`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How long a reservation lasts whose caller does not say: 300, longer than an answer usually streams.
    pub reservation_ttl_seconds: i64,
    /// How often overdue reservations are looked for: 1000, so that usage is right to the second. A reserve
    /// does not wait for it: it expires its subject's own ones first.
    pub expire_interval_ms: u64,
    /// How long ended reservations, and answers for repeated requests, are kept: 7, longer than anybody
    /// repeats a request or commits late. Top-ups and the ledger are kept for ever.
    pub history_days: i64,
    /// The currency of all wallets, ISO 4217: "USD".
    pub currency_code: String,
    /// Tokens that a user for whom no such limit was set may spend; 0 = no limit. 1,000,000 a day by default,
    /// so that one runaway program does not use up what all share.
    pub default_tokens: PerWindow,
    /// Requests that a user for whom no such limit was set may make; 0, the default = no limit.
    pub default_requests: PerWindow,
    /// Money in micros that a user for whom no such limit was set may spend; 0, the default = no limit.
    pub default_money_micros: PerWindow,
}

/// A limit for each window; 0 = no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PerWindow {
    /// In each minute.
    pub per_minute: i64,
    /// In each hour.
    pub per_hour: i64,
    /// In each day.
    pub per_day: i64,
    /// In each month.
    pub per_month: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            reservation_ttl_seconds: 300,
            expire_interval_ms: 1000,
            history_days: 7,
            currency_code: "USD".to_owned(),
            default_tokens: PerWindow { per_day: 1_000_000, ..PerWindow::default() },
            default_requests: PerWindow::default(),
            default_money_micros: PerWindow::default(),
        }
    }
}

impl Settings {
    /// The limits of users for whom none was set.
    #[must_use]
    pub(crate) fn default_limits(&self) -> DefaultLimits {
        let named: Vec<_> = self
            .defaults()
            .into_iter()
            .flat_map(|(_, meter, limits)| {
                limits.by_window().map(|(_, window, amount)| (meter, window, amount))
            })
            .collect();
        DefaultLimits::of(&named)
    }

    fn defaults(&self) -> [(&'static str, Meter, &PerWindow); 3] {
        [
            ("default_tokens", Meter::Tokens, &self.default_tokens),
            ("default_requests", Meter::Requests, &self.default_requests),
            ("default_money_micros", Meter::Money, &self.default_money_micros),
        ]
    }
}

impl PerWindow {
    fn by_window(&self) -> [(&'static str, Window, i64); 4] {
        [
            ("per_minute", Window::Minute, self.per_minute),
            ("per_hour", Window::Hour, self.per_hour),
            ("per_day", Window::Day, self.per_day),
            ("per_month", Window::Month, self.per_month),
        ]
    }
}

impl RuntimeSettings for Settings {
    fn check(&self) -> Result<(), SettingError> {
        let refuse = |key: &str, message: String| Err(SettingError::new(key, message));
        if !(1..=TTL_SECONDS_MAX).contains(&self.reservation_ttl_seconds) {
            return refuse("reservation_ttl_seconds", format!("must be 1 to {TTL_SECONDS_MAX}"));
        }
        if !(10..=60_000).contains(&self.expire_interval_ms) {
            return refuse("expire_interval_ms", "must be 10 to 60000".to_owned());
        }
        if !(1..=3650).contains(&self.history_days) {
            return refuse("history_days", "must be 1 to 3650".to_owned());
        }
        if self.currency_code.len() != 3 || !self.currency_code.bytes().all(|byte| byte.is_ascii_uppercase())
        {
            return refuse("currency_code", "must be a code of ISO 4217 such as \"USD\"".to_owned());
        }
        for (section, _, limits) in self.defaults() {
            for (key, _, amount) in limits.by_window() {
                if !(0..=LIMIT_MAX).contains(&amount) {
                    return refuse(&format!("{section}.{key}"), format!("must be 0 to {LIMIT_MAX}"));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_can_be_used() {
        assert_eq!(Settings::default().check(), Ok(()));
        let limits = Settings::default().default_limits();
        assert_eq!(limits.get(Meter::Tokens, Window::Day), Some(1_000_000));
        assert_eq!(limits.get(Meter::Requests, Window::Minute), None);
    }

    #[test]
    fn each_setting_that_makes_no_sense_is_named() {
        type Change = fn(&mut Settings);
        let broken: [(&str, Change); 5] = [
            ("reservation_ttl_seconds", |settings| settings.reservation_ttl_seconds = 0),
            ("expire_interval_ms", |settings| settings.expire_interval_ms = 1),
            ("history_days", |settings| settings.history_days = 0),
            ("currency_code", |settings| settings.currency_code = "usd".to_owned()),
            ("default_requests.per_hour", |settings| settings.default_requests.per_hour = -1),
        ];
        for (key, change) in broken {
            let mut settings = Settings::default();
            change(&mut settings);
            assert_eq!(settings.check().unwrap_err().key, key);
        }
    }
}
