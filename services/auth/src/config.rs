//! The settings of this service.

use plexus_runtime::settings::{Secret, SettingError, Settings as Checked};
use serde::{Deserialize, Serialize};

use crate::{password, user};

/// The settings of auth; each has a default that suits a small mesh.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The login name of the administrator that the first start makes; default `admin`.
    pub admin_login_name: String,
    /// Their password; default empty: one is made and shown once to whoever starts the process.
    pub admin_password: Secret,
    /// A session that nobody refreshes ends after this many seconds; default 7 days, so that a weekly visitor stays.
    pub session_idle_seconds: u64,
    /// Every session ends after this many seconds, however lively; default 30 days (ASVS 10.4.8 asks for an end).
    pub session_seconds_max: u64,
    /// Passwords that are hashed at the same time; default 2. Each takes a core for about 40 ms and 19 MiB.
    pub hashing_slots: usize,
    /// Logins that may wait for a slot; default 32, about a second's worth on two slots. More are refused at once.
    pub hashing_waiters_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            admin_login_name: "admin".to_owned(),
            admin_password: Secret::default(),
            session_idle_seconds: 7 * 24 * 3600,
            session_seconds_max: 30 * 24 * 3600,
            hashing_slots: 2,
            hashing_waiters_max: 32,
        }
    }
}

/// No session outlives a year: beyond, "log in again" is no burden.
const SESSION_SECONDS_LIMIT: u64 = 366 * 24 * 3600;
/// More slots than this would only take memory: 64 of them hold over 1 GiB.
const HASHING_SLOTS_LIMIT: usize = 64;
/// A longer queue would outlast every caller's deadline.
const HASHING_WAITERS_LIMIT: usize = 4096;

impl Checked for Settings {
    fn check(&self) -> Result<(), SettingError> {
        user::check_login_name("admin_login_name", &self.admin_login_name)
            .map_err(|error| SettingError::new("admin_login_name", error.to_string()))?;
        if !self.admin_password.is_empty() {
            password::check("admin_password", &self.admin_password, &self.admin_login_name)
                .map_err(|error| SettingError::new("admin_password", error.to_string()))?;
        }
        if !(60..=SESSION_SECONDS_LIMIT).contains(&self.session_seconds_max) {
            return Err(SettingError::new("session_seconds_max", "must be 60 seconds to 366 days"));
        }
        if !(60..=self.session_seconds_max).contains(&self.session_idle_seconds) {
            return Err(SettingError::new(
                "session_idle_seconds",
                "must be at least 60 and at most session_seconds_max",
            ));
        }
        if !(1..=HASHING_SLOTS_LIMIT).contains(&self.hashing_slots) {
            return Err(SettingError::new("hashing_slots", "must be 1 to 64"));
        }
        if self.hashing_waiters_max > HASHING_WAITERS_LIMIT {
            return Err(SettingError::new("hashing_waiters_max", "must be at most 4096"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_accepted() {
        assert_eq!(Settings::default().check(), Ok(()));
    }

    #[test]
    fn a_weak_administrator_password_is_refused_by_name_and_not_repeated() {
        let settings = Settings { admin_password: Secret::new("hunter2"), ..Settings::default() };
        let error = settings.check().unwrap_err();
        assert_eq!(error.key, "admin_password");
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn a_session_cannot_idle_longer_than_it_lives() {
        let settings = Settings { session_seconds_max: 100, ..Settings::default() };
        assert_eq!(settings.check().unwrap_err().key, "session_idle_seconds");
    }

    #[test]
    fn the_administrator_password_shows_neither_in_debug_nor_in_the_effective_settings() {
        let settings =
            Settings { admin_password: Secret::new("a password for nobody"), ..Settings::default() };
        assert!(!format!("{settings:?}").contains("for nobody"));
        assert!(!serde_json::to_string(&settings).unwrap().contains("for nobody"));
    }
}
