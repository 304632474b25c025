//! The generated traits: decode, ask the domain, encode. One file per service of the contract.

mod audio;
mod chat;
mod component;
mod decode;
mod encode;
mod language;
mod once;
pub(crate) mod quota;

use std::{sync::Arc, time::Duration};

use plexus_proto::ai::v1::{
    self as proto, audio_service_server::AudioServiceServer, chat_service_server::ChatServiceServer,
    component_service_server::ComponentServiceServer, language_service_server::LanguageServiceServer,
};
use plexus_runtime::{clock::Clock, identity::Caller};
use tokio::sync::Semaphore;
use tonic::service::Routes;

use crate::{
    error::Error,
    metering::Meter,
    provider::{Count, failover::Providers},
    store::Store,
    tokens,
};

/// The largest message of the audio service: a recording of [`audio::AUDIO_BYTES_MAX`] and what goes with it.
const AUDIO_MESSAGE_BYTES_MAX: usize = audio::AUDIO_BYTES_MAX + 64 * 1024;
/// Recordings that are written down at the same time: each is held in memory until its provider has it.
const TRANSCRIPTIONS_MAX: usize = 16;

/// The RPCs; clones share everything.
#[derive(Clone)]
pub(crate) struct Rpc {
    providers: Arc<Providers>,
    meter: Meter,
    store: Store,
    clock: Clock,
    answer_timeout: Duration,
    transcriptions: Arc<Semaphore>,
}

impl Rpc {
    /// The RPCs over `providers`, `meter` and `store`.
    pub(crate) fn new(providers: Arc<Providers>, meter: Meter, store: Store, clock: Clock) -> Self {
        let answer_timeout = providers.answer_timeout;
        let transcriptions = Arc::new(Semaphore::new(TRANSCRIPTIONS_MAX));
        Self { providers, meter, store, clock, answer_timeout, transcriptions }
    }

    /// All of them, as routes.
    pub(crate) fn routes(self) -> Routes {
        let audio = AudioServiceServer::new(self.clone()).max_decoding_message_size(AUDIO_MESSAGE_BYTES_MAX);
        Routes::new(ChatServiceServer::new(self.clone()))
            .add_service(ComponentServiceServer::new(self.clone()))
            .add_service(LanguageServiceServer::new(self))
            .add_service(audio)
    }

    /// Does `work` of the embedded rules, which also says how many tokens it made, and charges it by estimate.
    ///
    /// Rules take microseconds, so they run first: quota is asked once for exactly what the call costs, and a caller
    /// whom it refuses gets nothing.
    async fn metered<T>(
        &self,
        caller: &Caller,
        input: &str,
        work: impl FnOnce() -> Result<(T, i64), Error>,
    ) -> Result<(T, proto::Usage), Error> {
        // The subject of quota is a person: a service has no limits that could be charged.
        caller.user_id()?;
        let (value, output_tokens) = work()?;
        let count = Count { input_tokens: tokens::estimate(input), output_tokens };
        let total = count.input_tokens + count.output_tokens;
        self.meter.reserve(caller.subject(), total).await?.commit(total).await;
        Ok((value, encode::usage(count, false)))
    }
}
