//! The settings of the ai service: which providers it asks, how long it waits, how much it reserves.

use plexus_runtime::settings::{Secret, SettingError, Settings as Checked};
use serde::{Deserialize, Serialize};

use crate::{embedded, provider::presets};

/// Reservations end by themselves after this at the latest, as the contract of quota says.
const RESERVATION_SECONDS_MAX: u64 = 3600;
/// What a reservation lasts longer than the answer it is for, so that the commit comes in time.
pub(crate) const RESERVATION_MARGIN_SECONDS: u64 = 30;

/// The settings of the ai service.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Providers in the order in which they are tried; none by default.
    pub providers: Vec<ProviderSettings>,
    /// A key for OpenAI: short for a provider with the preset `openai`, after those of `providers`.
    pub openai_api_key: Secret,
    /// A key for Doubao (Volcengine ARK): short for a provider with the preset `doubao`.
    pub doubao_api_key: Secret,
    /// A key for DeepSeek: short for a provider with the preset `deepseek`.
    pub deepseek_api_key: Secret,
    /// A key for Qwen (DashScope): short for a provider with the preset `qwen`.
    pub qwen_api_key: Secret,
    /// A key for Zhipu: short for a provider with the preset `zhipu`.
    pub zhipu_api_key: Secret,
    /// How long connecting to a provider may take; 3000 by default: a handshake over half the world takes below 1000.
    pub connect_timeout_ms: u64,
    /// How long a provider may take to its first token, before the next one is asked; 30000 by default, since
    /// models that think first take that long.
    pub first_token_timeout_ms: u64,
    /// How long a provider may be silent in the middle of an answer; 30000 by default.
    pub idle_timeout_ms: u64,
    /// How long an answer may take as a whole; 600 by default, at most 3570 so that its reservation lasts.
    pub answer_timeout_seconds: u64,
    /// How long a provider that failed is asked last; 5000 by default; 0 for not at all. A longer time that the
    /// provider itself asks for (Retry-After) is honoured, up to a minute.
    pub rest_ms: u64,
    /// Tokens of the answer that are reserved before it begins, and again each time they are used up; 512 by
    /// default: an answer of usual length needs one or two calls to quota.
    pub reserve_output_tokens: i64,
    /// How long whole answers are kept for repeated requests; 24 by default, at most 720.
    pub answers_kept_hours: u64,
}

/// A provider that speaks the protocol of OpenAI.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProviderSettings {
    /// Its name in answers and traces; that of the preset when empty.
    pub name: String,
    /// `openai`, `doubao`, `deepseek`, `qwen` or `zhipu`; empty: none, and then `base_url` and `models` are needed.
    pub preset: String,
    /// Where it is, up to the version, such as `https://api.deepseek.com/v1`; that of the preset when empty.
    pub base_url: String,
    /// Its key; one with a preset needs one, a server of your own may do without.
    pub api_key: Secret,
    /// Its chat models, the preferred one first; those of the preset when empty.
    pub models: Vec<String>,
    /// Its models for transcription; those of the preset when empty, which has some only for `openai`.
    pub transcription_models: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            providers: Vec::new(),
            openai_api_key: Secret::default(),
            doubao_api_key: Secret::default(),
            deepseek_api_key: Secret::default(),
            qwen_api_key: Secret::default(),
            zhipu_api_key: Secret::default(),
            connect_timeout_ms: 3_000,
            first_token_timeout_ms: 30_000,
            idle_timeout_ms: 30_000,
            answer_timeout_seconds: 600,
            rest_ms: 5_000,
            reserve_output_tokens: 512,
            answers_kept_hours: 24,
        }
    }
}

impl Settings {
    /// All providers with what their presets add, in the order in which they are tried.
    ///
    /// # Errors
    /// A provider that lacks something, or two with one name.
    pub(crate) fn resolved_providers(&self) -> Result<Vec<ProviderSettings>, SettingError> {
        let keys = [
            ("openai", &self.openai_api_key),
            ("doubao", &self.doubao_api_key),
            ("deepseek", &self.deepseek_api_key),
            ("qwen", &self.qwen_api_key),
            ("zhipu", &self.zhipu_api_key),
        ];
        let short =
            keys.into_iter().filter(|(_, key)| !key.is_empty()).map(|(preset, key)| ProviderSettings {
                preset: preset.to_owned(),
                api_key: key.clone(),
                ..ProviderSettings::default()
            });
        let mut resolved: Vec<ProviderSettings> = Vec::new();
        for (at, provider) in self.providers.iter().cloned().chain(short).enumerate() {
            let provider = provider.resolve(&format!("providers[{at}]"))?;
            if provider.name == embedded::PROVIDER || resolved.iter().any(|other| other.name == provider.name)
            {
                let message =
                    format!("the name {} is taken; give each provider one of its own", provider.name);
                return Err(SettingError::new(format!("providers[{at}].name"), message));
            }
            resolved.push(provider);
        }
        Ok(resolved)
    }
}

impl ProviderSettings {
    fn resolve(mut self, path: &str) -> Result<Self, SettingError> {
        let refuse = |field: &str, message: &str| Err(SettingError::new(format!("{path}.{field}"), message));
        if !self.preset.is_empty() {
            let Some(preset) = presets::find(&self.preset) else {
                return refuse("preset", "must be openai, doubao, deepseek, qwen or zhipu, or empty");
            };
            if self.api_key.is_empty() {
                return refuse("api_key", "a provider with a preset needs its key");
            }
            preset.complete(&mut self);
        }
        if self.name.is_empty() || self.name.contains('/') {
            return refuse("name", "must be set for a provider without a preset, and contain no slash");
        }
        if !(self.base_url.starts_with("https://") || self.base_url.starts_with("http://")) {
            return refuse("base_url", "must begin with https:// or http://");
        }
        if self.models.is_empty() && self.transcription_models.is_empty() {
            return refuse("models", "must name at least one model");
        }
        Ok(self)
    }
}

impl Checked for Settings {
    fn check(&self) -> Result<(), SettingError> {
        self.resolved_providers()?;
        let longest = RESERVATION_SECONDS_MAX - RESERVATION_MARGIN_SECONDS;
        if !(1..=longest).contains(&self.answer_timeout_seconds) {
            return Err(SettingError::new("answer_timeout_seconds", format!("must be 1 to {longest}")));
        }
        for (name, value) in [
            ("connect_timeout_ms", self.connect_timeout_ms),
            ("first_token_timeout_ms", self.first_token_timeout_ms),
            ("idle_timeout_ms", self.idle_timeout_ms),
        ] {
            if value == 0 {
                return Err(SettingError::new(name, "must be at least 1: waiting always has an end"));
            }
        }
        if !(1..=32_768).contains(&self.reserve_output_tokens) {
            return Err(SettingError::new("reserve_output_tokens", "must be 1 to 32768"));
        }
        if !(1..=720).contains(&self.answers_kept_hours) {
            return Err(SettingError::new("answers_kept_hours", "must be 1 to 720"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Secret {
        Secret::new("sk-0123")
    }

    #[test]
    fn the_defaults_are_accepted_and_have_no_provider() {
        assert_eq!(Settings::default().check(), Ok(()));
        assert!(Settings::default().resolved_providers().unwrap().is_empty());
    }

    #[test]
    fn a_key_is_all_that_a_preset_needs() {
        for preset in ["openai", "doubao", "deepseek", "qwen", "zhipu"] {
            let provider =
                ProviderSettings { preset: preset.to_owned(), api_key: key(), ..ProviderSettings::default() };
            let settings = Settings { providers: vec![provider], ..Settings::default() };
            let resolved = settings.resolved_providers().unwrap();
            assert_eq!(resolved[0].name, preset);
            assert!(resolved[0].base_url.starts_with("https://"));
            assert!(!resolved[0].models.is_empty());
        }
        let settings = Settings { deepseek_api_key: key(), zhipu_api_key: key(), ..Settings::default() };
        let names: Vec<String> =
            settings.resolved_providers().unwrap().into_iter().map(|provider| provider.name).collect();
        assert_eq!(names, ["deepseek", "zhipu"]);
    }

    #[test]
    fn what_a_provider_sets_goes_over_its_preset() {
        let provider = ProviderSettings {
            name: "mine".to_owned(),
            preset: "qwen".to_owned(),
            base_url: "https://dashscope-intl.aliyuncs.com/compatible-mode/v1".to_owned(),
            api_key: key(),
            models: vec!["qwen3.8-max".to_owned()],
            ..ProviderSettings::default()
        };
        let settings = Settings { providers: vec![provider.clone()], ..Settings::default() };
        let resolved = settings.resolved_providers().unwrap().remove(0);
        assert_eq!(
            (resolved.name, resolved.base_url, resolved.models),
            ("mine".into(), provider.base_url, provider.models)
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let refused = |provider: ProviderSettings| {
            Settings { providers: vec![provider], ..Settings::default() }.check().unwrap_err().key
        };
        let server = ProviderSettings {
            name: "local".to_owned(),
            base_url: "http://127.0.0.1:8000/v1".to_owned(),
            models: vec!["m".to_owned()],
            ..ProviderSettings::default()
        };
        let with = |change: fn(&mut ProviderSettings)| {
            let mut provider = server.clone();
            change(&mut provider);
            refused(provider)
        };
        assert_eq!(with(|provider| provider.preset = "opnai".to_owned()), "providers[0].preset");
        assert_eq!(with(|provider| provider.preset = "openai".to_owned()), "providers[0].api_key");
        assert_eq!(with(|provider| provider.name.clear()), "providers[0].name");
        assert_eq!(with(|provider| provider.name = "embedded".to_owned()), "providers[0].name");
        assert_eq!(with(|provider| provider.base_url = "localhost".to_owned()), "providers[0].base_url");
        assert_eq!(with(|provider| provider.models.clear()), "providers[0].models");
        let twice = Settings { providers: vec![server.clone(), server], ..Settings::default() };
        assert_eq!(twice.check().unwrap_err().key, "providers[1].name");
    }

    #[test]
    fn keys_do_not_show() {
        let settings = Settings { openai_api_key: key(), ..Settings::default() };
        assert!(!format!("{settings:?}").contains("sk-0123"));
        assert!(!serde_json::to_string(&settings).unwrap().contains("sk-0123"));
    }
}
