//! Transcription.

use plexus_proto::ai::v1::{self as proto, audio_service_server::AudioService};
use plexus_runtime::{
    identity::Caller,
    status::{Code, Problem, Reason},
};
use tonic::{Request, Response, Status};

use super::{Rpc, decode, encode, once};
use crate::{
    error::Error,
    provider::{Count, Recording, failover::Capability},
    tokens,
};

/// The largest recording: ten minutes at 128 kbit/s, or an hour of speech in a codec made for it.
pub(super) const AUDIO_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Bytes of a recording for each token that is reserved: a provider counts about 10 tokens for a second, and
/// a second has 16,000 bytes at 128 kbit/s. What is really used is committed afterwards.
const BYTES_PER_TOKEN: i64 = 1600;

#[tonic::async_trait]
impl AudioService for Rpc {
    async fn transcribe(
        &self,
        request: Request<proto::TranscribeRequest>,
    ) -> Result<Response<proto::TranscribeResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let key = once::key(&caller, "Transcribe", &request.request_id, &request)?;
        if let Some(answer) = self.kept(key.as_ref()).await? {
            return Ok(Response::new(answer));
        }
        let model = decode::model(&request.model)?;
        let recording = decode::recording(request, AUDIO_BYTES_MAX)?;
        let answer = self.write_down(&caller, &model, &recording).await?;
        self.keep(key, &answer).await;
        Ok(Response::new(answer))
    }
}

impl Rpc {
    async fn write_down(
        &self,
        caller: &Caller,
        model: &str,
        recording: &Recording,
    ) -> Result<proto::TranscribeResponse, Error> {
        caller.user_id()?;
        self.providers.ensure(Capability::Transcription, model)?;
        let _place = self.transcriptions.try_acquire().map_err(|_full| {
            Problem::new(
                Code::ResourceExhausted,
                Reason::Overloaded,
                "too many recordings are being written down",
            )
            .retry_after(std::time::Duration::from_secs(1))
        })?;
        let input_tokens = i64::try_from(recording.audio.len()).unwrap_or(i64::MAX) / BYTES_PER_TOKEN + 1;
        let reservation = self.meter.reserve(caller.subject(), input_tokens).await?;
        let (chosen, transcript) = self.providers.transcribe(model, recording).await?;
        let estimate = Count { input_tokens, output_tokens: tokens::estimate(&transcript.text) };
        let count = transcript.count.unwrap_or(estimate);
        reservation.commit(count.input_tokens.saturating_add(count.output_tokens)).await;
        Ok(proto::TranscribeResponse {
            text: transcript.text,
            provider: chosen.provider,
            model: chosen.model,
            usage: Some(encode::usage(count, transcript.count.is_some())),
        })
    }
}
