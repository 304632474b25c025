//! Asks one provider after the other until one begins to answer.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use tokio::time::{Instant, timeout};
use tracing::{Instrument as _, Span, field::Empty, info_span};

use super::{
    Answer, FinishReason, Piece, Question, Recording, Transcript,
    failure::{Cause, Failure},
    openai::OpenAi,
};
use crate::embedded;

/// The longest rest that a provider may ask for; its clock or its mood may be off.
const REST_MAX: Duration = Duration::from_secs(60);

/// What a model can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Capability {
    /// Answers conversations.
    Chat,
    /// Writes down recordings.
    Transcription,
}

/// A provider, its models, and how it has been lately.
#[derive(Debug)]
pub(crate) struct Provider {
    /// Its name in the settings.
    pub name: String,
    /// Its chat models, the preferred one first.
    pub models: Vec<String>,
    /// Its models for transcription, the preferred one first.
    pub transcription_models: Vec<String>,
    /// How to speak to it; none is the embedded one.
    pub remote: Option<OpenAi>,
    /// Until when it is asked last, since it failed.
    pub rests_until: Mutex<Option<Instant>>,
}

/// All providers, in the order in which they are tried.
#[derive(Debug)]
pub(crate) struct Providers {
    /// The providers.
    pub list: Vec<Provider>,
    /// How long one that failed is asked last.
    pub rest: Duration,
    /// How long a provider may take to its first piece.
    pub first_token_timeout: Duration,
    /// How long a transcription may take.
    pub answer_timeout: Duration,
}

/// A provider that failed before another one answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// The name of the provider.
    pub provider: String,
    /// The model that was asked for.
    pub model: String,
    /// Why it failed.
    pub cause: Cause,
}

/// A provider that answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// The name of the provider.
    pub provider: String,
    /// The model that answers.
    pub model: String,
    /// Whether it is the embedded one.
    pub embedded: bool,
    /// Those that failed before.
    pub failed: Vec<Attempt>,
}

/// Why nobody answers.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// No provider can do this at all.
    #[error("no provider can do this")]
    NotConfigured,
    /// No provider has this model.
    #[error("no provider has the model {0}")]
    UnknownModel(String),
    /// The provider refuses what the caller asks; the others would too.
    #[error("the provider {provider} refuses the request")]
    Refused {
        /// The provider.
        provider: String,
        /// Why.
        #[source]
        failure: Failure,
    },
    /// Every provider failed.
    #[error("every provider failed")]
    AllFailed(Vec<Attempt>),
}

/// A provider and the model that it would be asked for.
struct Candidate<'p> {
    provider: &'p Provider,
    model: &'p str,
}

impl Providers {
    /// Opens an answer of `model` (empty, `MODEL` or `PROVIDER/MODEL`): its first piece has arrived.
    ///
    /// # Errors
    /// When nobody answers.
    pub(crate) async fn chat(&self, model: &str, question: &Question) -> Result<(Chosen, Answer), Refusal> {
        let mut failed = Vec::new();
        for candidate in self.candidates(Capability::Chat, model, &mut failed)? {
            let Candidate { provider, model } = candidate;
            let span = span("chat", provider, model);
            let attempt = provider.begin(model, question, self.first_token_timeout);
            match attempt.instrument(span.clone()).await {
                Ok(answer) => return Ok((provider.chosen(model, failed), observed(answer, span))),
                Err(failure) => failed.push(self.note(&candidate, failure, &span)?),
            }
        }
        Err(Refusal::AllFailed(failed))
    }

    /// Has `recording` written down by `model`, or by each provider's preferred one.
    ///
    /// # Errors
    /// When nobody can.
    pub(crate) async fn transcribe(
        &self,
        model: &str,
        recording: &Recording,
    ) -> Result<(Chosen, Transcript), Refusal> {
        let mut failed = Vec::new();
        for candidate in self.candidates(Capability::Transcription, model, &mut failed)? {
            let Candidate { provider, model } = candidate;
            let Some(remote) = &provider.remote else { continue };
            let span = span("transcribe", provider, model);
            let attempt = timeout(self.answer_timeout, remote.transcribe(model, recording.clone()));
            match attempt.instrument(span.clone()).await.unwrap_or_else(|_| Err(Failure::new(Cause::Timeout)))
            {
                Ok(transcript) => return Ok((provider.chosen(model, failed), transcript)),
                Err(failure) => failed.push(self.note(&candidate, failure, &span)?),
            }
        }
        Err(Refusal::AllFailed(failed))
    }

    /// Whether somebody can be asked for `model`, before anything is reserved for it.
    ///
    /// # Errors
    /// [`Refusal::NotConfigured`] and [`Refusal::UnknownModel`].
    pub(crate) fn ensure(&self, capability: Capability, model: &str) -> Result<(), Refusal> {
        self.candidates(capability, model, &mut Vec::new()).map(drop)
    }

    /// Whether at least one provider has not failed lately.
    #[must_use]
    pub(crate) fn is_well(&self) -> bool {
        let now = Instant::now();
        self.list.iter().any(|provider| !provider.rests(now))
    }

    /// Those that have the model, without those that rest, unless all do.
    fn candidates(
        &self,
        capability: Capability,
        wanted: &str,
        resting: &mut Vec<Attempt>,
    ) -> Result<Vec<Candidate<'_>>, Refusal> {
        let (wanted_provider, wanted_model) = wanted.split_once('/').unwrap_or(("", wanted));
        let all: Vec<Candidate> = self
            .list
            .iter()
            .filter_map(|provider| {
                // A model's own name may contain a slash: "org/model" at a server of one's own.
                let models = provider.models(capability);
                let by_name = models.iter().find(|model| wanted.is_empty() || *model == wanted);
                let by_provider = || {
                    let named = provider.name == wanted_provider;
                    models.iter().find(|model| named && *model == wanted_model)
                };
                by_name.or_else(by_provider).map(|model| Candidate { provider, model })
            })
            .collect();
        if all.is_empty() {
            let anybody = self.list.iter().any(|provider| !provider.models(capability).is_empty());
            let unknown = anybody.then(|| Refusal::UnknownModel(wanted.to_owned()));
            return Err(unknown.unwrap_or(Refusal::NotConfigured));
        }
        let now = Instant::now();
        if all.iter().all(|candidate| candidate.provider.rests(now)) {
            return Ok(all);
        }
        let (rested, ready) =
            all.into_iter().partition::<Vec<_>, _>(|candidate| candidate.provider.rests(now));
        resting.extend(
            rested.iter().map(|candidate| attempt(candidate.provider, candidate.model, Cause::Resting)),
        );
        Ok(ready)
    }

    /// Notes a failure; an error when no other provider is worth asking.
    fn note(&self, candidate: &Candidate, failure: Failure, span: &Span) -> Result<Attempt, Refusal> {
        let Candidate { provider, model } = *candidate;
        span.record("error.type", failure.cause.name()).record("otel.status_code", "ERROR");
        if !failure.cause.is_worth_another() {
            return Err(Refusal::Refused { provider: provider.name.clone(), failure });
        }
        tracing::warn!(
            provider = provider.name,
            model,
            cause = failure.cause.name(),
            code = failure.code,
            "a provider failed before its first token"
        );
        if failure.cause.is_lasting() {
            let rest = failure.retry_after.unwrap_or_default().min(REST_MAX).max(self.rest);
            *provider.rests_until.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(Instant::now() + rest);
        }
        Ok(attempt(provider, model, failure.cause))
    }
}

impl Provider {
    /// The embedded one.
    #[must_use]
    pub(crate) fn embedded() -> Self {
        Self {
            name: embedded::PROVIDER.to_owned(),
            models: vec![embedded::MODEL.to_owned()],
            transcription_models: Vec::new(),
            remote: None,
            rests_until: Mutex::default(),
        }
    }

    /// Its models that can do this.
    #[must_use]
    pub(crate) fn models(&self, capability: Capability) -> &[String] {
        match capability {
            Capability::Chat => &self.models,
            Capability::Transcription => &self.transcription_models,
        }
    }

    /// Asks, and waits for the first piece.
    async fn begin(&self, model: &str, question: &Question, patience: Duration) -> Result<Answer, Failure> {
        let Some(remote) = &self.remote else { return Ok(embedded_answer(question)) };
        let begin = async {
            let mut answer = remote.chat(model, question).await?;
            // What was counted before the first piece is not lost, and does not make the answer begin.
            let mut early = Vec::new();
            loop {
                match answer.next().await.unwrap_or_else(|| Err(Failure::new(Cause::Truncated)))? {
                    Piece::End(FinishReason::ContentFilter) => {
                        return Err(Failure::new(Cause::ContentRefused));
                    }
                    Piece::End(FinishReason::Stop) => return Err(Failure::new(Cause::Protocol)),
                    counted @ Piece::Usage(_) => early.push(Ok(counted)),
                    first => {
                        early.insert(0, Ok(first));
                        return Ok(stream::iter(early).chain(answer).boxed());
                    }
                }
            }
        };
        timeout(patience, begin).await.unwrap_or_else(|_elapsed| Err(Failure::new(Cause::Timeout)))
    }

    fn rests(&self, now: Instant) -> bool {
        self.rests_until.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| now < until)
    }

    fn chosen(&self, model: &str, failed: Vec<Attempt>) -> Chosen {
        let (provider, model, embedded) = (self.name.clone(), model.to_owned(), self.remote.is_none());
        Chosen { provider, model, embedded, failed }
    }
}

fn attempt(provider: &Provider, model: &str, cause: Cause) -> Attempt {
    Attempt { provider: provider.name.clone(), model: model.to_owned(), cause }
}

/// The rules' answer to the last message of the person, as long as was asked for.
fn embedded_answer(question: &Question) -> Answer {
    let message = question.messages.last().map_or("", |message| &message.content);
    let mut left = question.max_output_tokens;
    let mut end = FinishReason::Stop;
    let mut pieces = Vec::new();
    for part in embedded::chat::parts(&embedded::chat::answer(message)) {
        left -= crate::tokens::estimate(&part);
        if left < 0 {
            end = FinishReason::Length;
            break;
        }
        pieces.push(Ok(Piece::Text(part)));
    }
    pieces.push(Ok(Piece::End(end)));
    stream::iter(pieces).boxed()
}

/// A span by the semantic conventions for generative AI, which never holds contents or keys.
fn span(operation: &'static str, provider: &Provider, model: &str) -> Span {
    info_span!(
        "provider",
        otel.name = format!("{operation} {model}"),
        otel.kind = "client",
        otel.status_code = Empty,
        gen_ai.operation.name = operation,
        gen_ai.provider.name = provider.name,
        gen_ai.request.model = model,
        gen_ai.usage.input_tokens = Empty,
        gen_ai.usage.output_tokens = Empty,
        error.type = Empty,
    )
}

/// The answer, which records on `span` what it came to, and keeps it open until it ends or is dropped.
fn observed(answer: Answer, span: Span) -> Answer {
    answer
        .inspect(move |piece| match piece {
            Ok(Piece::Usage(count)) => {
                span.record("gen_ai.usage.input_tokens", count.input_tokens)
                    .record("gen_ai.usage.output_tokens", count.output_tokens);
            }
            Err(failure) => {
                span.record("error.type", failure.cause.name()).record("otel.status_code", "ERROR");
            }
            Ok(_) => {}
        })
        .boxed()
}
