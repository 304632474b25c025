//! What every settings struct has in common: defaults, checks, and secrets that do not show.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use zeroize::Zeroize;

/// The settings of one part: a flat struct with a default for every field.
///
/// Structs carry `#[serde(default, deny_unknown_fields)]`; "off" is an empty string or zero, so that
/// every key shows in the effective settings.
pub trait Settings: Serialize + DeserializeOwned + Default + Clone + Send + 'static {
    /// Refuses values that parse but make no sense.
    ///
    /// # Errors
    /// The field, and what to set it to.
    fn check(&self) -> Result<(), SettingError> {
        Ok(())
    }
}

/// A setting that cannot be used.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{key}: {message}")]
pub struct SettingError {
    /// The key, such as `session_idle_seconds`.
    pub key: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl SettingError {
    /// An error about `key`.
    pub fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into() }
    }
}

/// A value that neither `Debug`, nor logs, nor the effective settings show.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself; the one way to it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_empty() { "Secret(none)" } else { "Secret(***)" })
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.is_empty() { "" } else { "***" })
    }
}
