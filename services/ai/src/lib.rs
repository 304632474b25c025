//! Chat, components, suggested replies, sentiment and transcription over any number of providers.
//!
//! - RPCs (`plexus.ai.v1`): `ChatService` (models, chat, streamed chat), `ComponentService` (components from prompts),
//!   `LanguageService` (suggested replies, sentiment), `AudioService` (transcription).
//! - Tables: `requests`, the answers kept for repeated requests.
//! - It calls `quota` for every call, and the providers of the settings. Nobody in the mesh calls it but the bridge.
//!
//! What holds at all times:
//! - Nothing is asked of a provider before quota has granted it, and every reservation ends: committed when the
//!   answer is whole, by its guard otherwise (`metering.rs`).
//! - An answer comes from one provider. Another one is asked only before the first token (`provider/failover.rs`);
//!   afterwards a failure is told as what it is (`exchange.rs`).
//! - An answer is whole only if the provider said so (`provider/openai.rs`).
//! - Nothing is read from a provider before the caller asks for it, and when the caller goes, so does the connection.
//! - Contents and keys stand in no log, trace or error.
//!
//! Components, replies and sentiment are made by rules within this service (`embedded/`, `sentiment/`), whatever
//! providers are configured: deterministic, explainable, and no text leaves the mesh. Chat is answered by rules only
//! when no provider is configured, and says so.

mod config;
mod embedded;
mod error;
mod exchange;
mod forget;
mod language;
mod metering;
mod provider;
mod rpc;
mod sentiment;
mod store;
mod tokens;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use plexus_runtime::{
    service::{Check, Dependencies, Service, Severity, StartError, Started},
    stores::database::Migrations,
};

pub use config::{ProviderSettings, Settings};

use crate::{
    metering::Meter,
    provider::{
        failover::{Provider, Providers},
        openai::{self, OpenAi},
        presets,
    },
    rpc::{Rpc, quota::Quota},
    store::Store,
};

/// The ai service.
pub struct Ai;

impl Service for Ai {
    const NAME: &'static str = "ai";
    const CALLS: &'static [&'static str] = &["quota"];
    type Settings = Settings;

    fn migrations() -> Migrations {
        Migrations {
            sqlite: sqlx::migrate!("migrations/sqlite"),
            postgres: sqlx::migrate!("migrations/postgres"),
        }
    }

    async fn start(settings: Settings, with: Dependencies) -> Result<Started, StartError> {
        let providers = Arc::new(providers(&settings)?);
        let channel = with
            .peers
            .channel("quota")
            .map_err(|problem| StartError::new("the service quota cannot be called", problem))?;
        let ttl = Duration::from_secs(settings.answer_timeout_seconds + config::RESERVATION_MARGIN_SECONDS);
        let meter = Meter::new(Quota::new(channel), with.tasks.clone(), ttl, settings.reserve_output_tokens);
        let store = Store::new(with.database);
        let kept = Duration::from_secs(settings.answers_kept_hours * 3600);
        let (forgetting, clock) = (store.clone(), with.clock.clone());
        with.tasks.spawn("forget_answers", |stop| async move {
            forget::run(forgetting, clock, kept, stop.cancelled_owned()).await;
        });
        let asked = Arc::clone(&providers);
        let check = Check::new("providers", Severity::Optional, move || {
            let well = asked.is_well();
            async move { if well { Ok(()) } else { Err("every provider failed lately".to_owned()) } }
        });
        Ok(Started::new(Rpc::new(providers, meter, store, with.clock).routes()).check(check))
    }
}

/// The providers of the settings, and the embedded one if none of them can chat.
fn providers(settings: &Settings) -> Result<Providers, StartError> {
    let client = openai::http_client(Duration::from_millis(settings.connect_timeout_ms))
        .map_err(|error| StartError::new("the client of the providers could not be made", error))?;
    let remote = |provider: ProviderSettings| Provider {
        remote: Some(OpenAi {
            client: client.clone(),
            base_url: provider.base_url.trim_end_matches('/').to_owned(),
            api_key: provider.api_key,
            dialect: presets::dialect(&provider.preset),
            idle_timeout: Duration::from_millis(settings.idle_timeout_ms),
        }),
        name: provider.name,
        models: provider.models,
        transcription_models: provider.transcription_models,
        rests_until: Mutex::default(),
    };
    let resolved = settings.resolved_providers()?;
    let mut list: Vec<Provider> = resolved.into_iter().map(remote).collect();
    if list.iter().all(|provider| provider.models.is_empty()) {
        list.push(Provider::embedded());
    }
    Ok(Providers {
        list,
        rest: Duration::from_millis(settings.rest_ms),
        first_token_timeout: Duration::from_millis(settings.first_token_timeout_ms),
        answer_timeout: Duration::from_secs(settings.answer_timeout_seconds),
    })
}
