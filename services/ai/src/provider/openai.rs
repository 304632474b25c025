//! A client for one provider that speaks OpenAI's protocol.

use std::{collections::VecDeque, time::Duration};

use futures_util::{Stream, StreamExt as _, stream, stream::BoxStream};
use plexus_runtime::settings::Secret;
use reqwest::{
    Client, RequestBuilder, Response,
    header::{HeaderMap, RETRY_AFTER},
    multipart::{Form, Part},
    redirect::Policy,
};
use serde_json::Value;
use tokio::time::timeout;

use super::{
    Answer, FinishReason, Piece, Question, Recording, Transcript,
    failure::{Cause, Failure},
    presets::Dialect,
    sse, wire,
};

/// How much of the body of an error is read: the codes stand at its beginning.
const ERROR_BYTES_MAX: usize = 64 * 1024;
/// The longest transcript: an hour of fast speech is 60 kB.
const TRANSCRIPT_BYTES_MAX: usize = 1024 * 1024;
/// How long is waited for the count and the end mark after the reason for the end: they come with it or not at all.
const AFTER_END: Duration = Duration::from_secs(2);
/// What ends a stream.
const DONE: &str = "[DONE]";

/// Makes the HTTP client that all providers share.
///
/// # Errors
/// When TLS cannot be set up.
pub(crate) fn http_client(connect_timeout: Duration) -> Result<Client, reqwest::Error> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // It fails only when another thread has been faster, which is as good.
        let _installed = rustls::crypto::ring::default_provider().install_default();
    }
    // A redirect would carry the key to an address that nobody has configured.
    Client::builder().connect_timeout(connect_timeout).redirect(Policy::none()).build()
}

/// A provider, and how to speak to it.
#[derive(Clone, Debug)]
pub(crate) struct OpenAi {
    /// The client that all providers share.
    pub client: Client,
    /// Where it is, without a slash at the end.
    pub base_url: String,
    /// Its key; may be empty.
    pub api_key: Secret,
    /// What is particular about it.
    pub dialect: Dialect,
    /// How long it may be silent in the middle of an answer.
    pub idle_timeout: Duration,
}

impl OpenAi {
    /// Asks `model`; the answer arrives as it is being made.
    ///
    /// # Errors
    /// When the provider does not begin to answer.
    pub(crate) async fn chat(&self, model: &str, question: &Question) -> Result<Answer, Failure> {
        let body = wire::chat_body(model, question, self.dialect);
        let response = send(self.post("chat/completions").json(&body)).await?;
        Ok(pieces(sse::events(response, self.idle_timeout).boxed()).boxed())
    }

    /// Has `model` write down what is said in `recording`.
    ///
    /// # Errors
    /// When the provider does not answer, or not with a transcript.
    pub(crate) async fn transcribe(&self, model: &str, recording: Recording) -> Result<Transcript, Failure> {
        let length = recording.audio.len() as u64;
        let file = Part::stream_with_length(recording.audio, length).file_name(recording.file_name);
        let mut form =
            Form::new().text("model", model.to_owned()).text("response_format", "json").part("file", file);
        for (field, value) in [("language", recording.language), ("prompt", recording.prompt)] {
            if !value.is_empty() {
                form = form.text(field, value);
            }
        }
        let response = send(self.post("audio/transcriptions").multipart(form)).await?;
        let body = read(response, TRANSCRIPT_BYTES_MAX).await?;
        let transcription: wire::Transcription =
            serde_json::from_slice(&body).map_err(|_malformed| Failure::new(Cause::Protocol))?;
        let count = transcription.usage.and_then(wire::TranscriptionUsage::count);
        Ok(Transcript { text: transcription.text, count })
    }

    fn post(&self, path: &str) -> RequestBuilder {
        let request = self.client.post(format!("{}/{path}", self.base_url));
        if self.api_key.is_empty() { request } else { request.bearer_auth(self.api_key.reveal()) }
    }
}

async fn send(request: RequestBuilder) -> Result<Response, Failure> {
    let response = request
        .send()
        .await
        .map_err(|error| Failure::new(if error.is_timeout() { Cause::Timeout } else { Cause::Connection }))?;
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status().as_u16();
    let retry_after = retry_after(response.headers());
    let body = read(response, ERROR_BYTES_MAX).await.unwrap_or_default();
    Err(Failure { retry_after, ..Failure::of_answer(status, &body) })
}

async fn read(mut response: Response, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_broken| Failure::new(Cause::Connection))? {
        if body.len() + chunk.len() > bytes_max {
            return Err(Failure::new(Cause::Protocol));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    number("retry-after-ms")
        .map(Duration::from_millis)
        .or_else(|| number(RETRY_AFTER.as_str()).map(Duration::from_secs))
}

/// Turns the events of a stream into pieces.
///
/// An answer is whole when a reason for its end or the end mark has come: some providers send only the one, some
/// only the other. A stream that ends with neither has been cut.
fn pieces(events: BoxStream<'static, Result<String, Failure>>) -> impl Stream<Item = Result<Piece, Failure>> {
    let reading = Reading { events, ready: VecDeque::new(), finish: None, ended: false };
    stream::unfold(reading, |mut reading| async move {
        loop {
            if let Some(piece) = reading.ready.pop_front() {
                return Some((Ok(piece), reading));
            }
            if reading.ended {
                return None;
            }
            if let Err(failure) = reading.advance().await {
                reading.ended = true;
                return Some((Err(failure), reading));
            }
        }
    })
}

struct Reading {
    events: BoxStream<'static, Result<String, Failure>>,
    ready: VecDeque<Piece>,
    finish: Option<FinishReason>,
    ended: bool,
}

impl Reading {
    async fn advance(&mut self) -> Result<(), Failure> {
        let event = match self.finish {
            Some(_) => timeout(AFTER_END, self.events.next()).await.unwrap_or(None),
            None => self.events.next().await,
        };
        match event {
            Some(Ok(data)) if data.trim() == DONE => self.end(FinishReason::Stop),
            Some(Ok(data)) => self.chunk(&data)?,
            // After the reason for the end only the count of tokens is missing.
            Some(Err(_)) | None if self.finish.is_some() => self.end(FinishReason::Stop),
            Some(Err(failure)) => return Err(failure),
            None => return Err(Failure::new(Cause::Truncated)),
        }
        Ok(())
    }

    fn chunk(&mut self, data: &str) -> Result<(), Failure> {
        let Ok(chunk) = serde_json::from_str::<wire::Chunk>(data) else {
            // Some gateways mix in events of their own; what is missing from the answer shows at its end.
            tracing::debug!(
                bytes = data.len(),
                is_json = is_json(data),
                "an event that is no chunk was dropped"
            );
            return Ok(());
        };
        if let Some(error) = chunk.error {
            return Err(Failure::of_event(&error));
        }
        for choice in chunk.choices.into_iter().take(1) {
            let delta = choice.delta.unwrap_or_default();
            self.ready.extend(delta.reasoning_content.filter(|text| !text.is_empty()).map(Piece::Reasoning));
            self.ready.extend(delta.content.filter(|text| !text.is_empty()).map(Piece::Text));
            if let Some(reason) = choice.finish_reason.filter(|reason| !reason.is_empty()) {
                self.finish = Some(wire::finish_reason(&reason));
            }
        }
        self.ready.extend(chunk.usage.and_then(wire::Usage::count).map(Piece::Usage));
        Ok(())
    }

    fn end(&mut self, otherwise: FinishReason) {
        self.ready.push_back(Piece::End(self.finish.unwrap_or(otherwise)));
        self.ended = true;
    }
}

fn is_json(data: &str) -> bool {
    serde_json::from_str::<Value>(data).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Count;

    async fn read_all(events: Vec<Result<&str, Failure>>) -> Vec<Result<Piece, Failure>> {
        let events: Vec<_> = events.into_iter().map(|event| event.map(str::to_owned)).collect();
        pieces(stream::iter(events).boxed()).collect().await
    }

    const TEXT: &str =
        r#"{"choices":[{"delta":{"content":"a"},"finish_reason":null}],"usage":null,"obfuscation":"x"}"#;
    const STOP: &str = r#"{"choices":[{"delta":{},"finish_reason":"length"}]}"#;
    const USAGE: &str = r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}"#;

    fn text() -> Result<Piece, Failure> {
        Ok(Piece::Text("a".to_owned()))
    }

    #[tokio::test]
    async fn a_whole_answer_ends_with_its_reason_after_its_usage() {
        let count = Count { input_tokens: 3, output_tokens: 1 };
        assert_eq!(
            read_all(vec![Ok(TEXT), Ok(STOP), Ok(USAGE), Ok("[DONE]")]).await,
            [text(), Ok(Piece::Usage(count)), Ok(Piece::End(FinishReason::Length))]
        );
    }

    #[tokio::test]
    async fn either_mark_of_the_end_is_enough_and_neither_is_truncation() {
        let connection = || Err::<&str, _>(Failure::new(Cause::Connection));
        let end = |reason| Ok(Piece::End(reason));
        assert_eq!(read_all(vec![Ok(TEXT), Ok("[DONE]")]).await, [text(), end(FinishReason::Stop)]);
        assert_eq!(read_all(vec![Ok(TEXT), Ok(STOP)]).await, [text(), end(FinishReason::Length)]);
        assert_eq!(
            read_all(vec![Ok(TEXT), Ok(STOP), connection()]).await,
            [text(), end(FinishReason::Length)]
        );
        assert_eq!(read_all(vec![Ok(TEXT)]).await, [text(), Err(Failure::new(Cause::Truncated))]);
        assert_eq!(
            read_all(vec![Ok(TEXT), connection()]).await,
            [text(), Err(Failure::new(Cause::Connection))]
        );
    }

    #[tokio::test]
    async fn malformed_events_are_dropped_and_errors_in_the_stream_end_it() {
        let error = r#"{"error":{"code":"1305","message":"busy"}}"#;
        let read = read_all(vec![Ok("{\"choices\":[{"), Ok("pong"), Ok(TEXT), Ok(error), Ok(TEXT)]).await;
        assert_eq!(read.len(), 2);
        assert_eq!(read[1].as_ref().map_err(|failure| failure.cause), Err(Cause::Overloaded));
    }
}
