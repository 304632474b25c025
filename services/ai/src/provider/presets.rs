//! What is known about providers, so that only a key has to be set.

use crate::config::ProviderSettings;

/// What is particular to a provider's way of speaking the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// The field for the longest answer: newer models of OpenAI refuse `max_tokens`, all others know only that.
    pub max_tokens_field: &'static str,
    /// Whether it takes `stream_options`, without which most report no usage.
    pub stream_options: bool,
}

/// A provider whose address and models are known.
pub(crate) struct Preset {
    name: &'static str,
    base_url: &'static str,
    models: &'static [&'static str],
    transcription_models: &'static [&'static str],
    dialect: Dialect,
}

/// What a provider without a preset is taken to speak.
const USUAL: Dialect = Dialect { max_tokens_field: "max_tokens", stream_options: true };

/// All presets, as of November 2026.
const PRESETS: [Preset; 5] = [
    Preset {
        name: "openai",
        base_url: "https://api.openai.com/v1",
        models: &["gpt-5-mini", "gpt-5.5", "gpt-5.6"],
        transcription_models: &["gpt-4o-mini-transcribe", "gpt-transcribe"],
        dialect: Dialect { max_tokens_field: "max_completion_tokens", stream_options: true },
    },
    Preset {
        name: "doubao",
        base_url: "https://ark.cn-beijing.volces.com/api/v3",
        models: &[
            "doubao-seed-2-0-lite-260215",
            "doubao-seed-2-1-pro-260628",
            "doubao-seed-2-1-turbo-260628",
        ],
        transcription_models: &[],
        dialect: USUAL,
    },
    Preset {
        name: "deepseek",
        base_url: "https://api.deepseek.com/v1",
        models: &["deepseek-v4-flash", "deepseek-v4-pro"],
        transcription_models: &[],
        dialect: USUAL,
    },
    Preset {
        name: "qwen",
        base_url: "https://dashscope.aliyuncs.com/compatible-mode/v1",
        models: &["qwen-plus", "qwen-flash", "qwen3.8-max"],
        transcription_models: &[],
        dialect: USUAL,
    },
    Preset {
        name: "zhipu",
        base_url: "https://open.bigmodel.cn/api/paas/v4",
        models: &["glm-4.7", "glm-5.3", "glm-5.3-flash"],
        transcription_models: &[],
        // It reports usage unasked, and is known to refuse the option.
        dialect: Dialect { max_tokens_field: "max_tokens", stream_options: false },
    },
];

/// The preset called `name`.
#[must_use]
pub(crate) fn find(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

/// How a provider with this preset, or none, speaks.
#[must_use]
pub(crate) fn dialect(preset: &str) -> Dialect {
    find(preset).map_or(USUAL, |preset| preset.dialect)
}

impl Preset {
    /// Fills in what `provider` leaves open.
    pub(crate) fn complete(&self, provider: &mut ProviderSettings) {
        if provider.name.is_empty() {
            self.name.clone_into(&mut provider.name);
        }
        if provider.base_url.is_empty() {
            self.base_url.clone_into(&mut provider.base_url);
        }
        if provider.models.is_empty() {
            provider.models = self.models.iter().map(ToString::to_string).collect();
        }
        if provider.transcription_models.is_empty() {
            provider.transcription_models =
                self.transcription_models.iter().map(ToString::to_string).collect();
        }
    }
}
