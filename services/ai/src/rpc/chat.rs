//! Models and conversations with them.

use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use plexus_proto::ai::v1::{self as proto, chat_service_server::ChatService};
use plexus_runtime::{identity::Caller, page, status::Problem, stores::requests::RequestKey};
use tokio::time::Instant;
use tonic::{Request, Response, Status};
use tracing::{Instrument as _, Span};

use super::{Rpc, decode, encode, once};
use crate::{
    error::Error,
    exchange::{Event, Exchange},
    provider::failover::Capability,
    tokens,
};

/// The stream of the events of an answer.
type Events = BoxStream<'static, Result<proto::ChatEvent, Status>>;

#[tonic::async_trait]
impl ChatService for Rpc {
    type StreamChatStream = Events;

    async fn list_models(
        &self,
        request: Request<proto::ListModelsRequest>,
    ) -> Result<Response<proto::ListModelsResponse>, Status> {
        let request = request.into_inner();
        let size = page::size(request.page_size)?;
        let after = match page::decode(&request.page_token)? {
            None => 0,
            Some(after) => after.parse::<usize>().map_err(|_| {
                Problem::invalid("page_token", "must be a next_page_token of the answer before")
            })?,
        };
        let size = usize::try_from(size).unwrap_or_default();
        let all = self.models();
        let models: Vec<proto::Model> = all.iter().skip(after).take(size).cloned().collect();
        let next = after + models.len();
        let next_page_token = if next < all.len() { page::encode(&next.to_string()) } else { String::new() };
        Ok(Response::new(proto::ListModelsResponse { models, next_page_token }))
    }

    async fn chat(
        &self,
        request: Request<proto::ChatRequest>,
    ) -> Result<Response<proto::ChatResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let key = once::key(&caller, "Chat", &request.request_id, &request)?;
        if let Some(answer) = self.kept(key.as_ref()).await? {
            return Ok(Response::new(answer));
        }
        let mut exchange = self.open(&caller, &request).await?;
        let mut answer = Collected::default();
        while let Some(event) = exchange.next().await {
            answer.add(&encode::event(event?));
        }
        self.keep(key, &answer.0).await;
        Ok(Response::new(answer.0))
    }

    async fn stream_chat(&self, request: Request<proto::ChatRequest>) -> Result<Response<Events>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let key = once::key(&caller, "StreamChat", &request.request_id, &request)?;
        if let Some(answer) = self.kept(key.as_ref()).await? {
            return Ok(Response::new(stream::iter(replayed(answer).map(Ok)).boxed()));
        }
        let exchange = self.open(&caller, &request).await?;
        Ok(Response::new(self.clone().events(exchange, key)))
    }
}

impl Rpc {
    /// All models, in the order in which they are tried.
    fn models(&self) -> Vec<proto::Model> {
        let mut all = Vec::new();
        for provider in &self.providers.list {
            for (capability, sent) in [
                (Capability::Chat, proto::Capability::Chat),
                (Capability::Transcription, proto::Capability::Transcription),
            ] {
                all.extend(provider.models(capability).iter().map(|model| proto::Model {
                    name: format!("{}/{model}", provider.name),
                    provider: provider.name.clone(),
                    model: model.clone(),
                    capability: sent.into(),
                    embedded: provider.remote.is_none(),
                }));
            }
        }
        all
    }

    /// Reserves, and opens the answer of the first provider that begins to give one.
    async fn open(&self, caller: &Caller, request: &proto::ChatRequest) -> Result<Exchange, Error> {
        let (model, question) = decode::question(request)?;
        // The subject of quota is a person: a service has no limits that could be charged.
        caller.user_id()?;
        self.providers.ensure(Capability::Chat, &model)?;
        let deadline = Instant::now() + self.answer_timeout;
        let input_tokens: i64 =
            question.messages.iter().map(|message| tokens::estimate_message(&message.content)).sum();
        let estimate = input_tokens + self.meter.first_step(question.max_output_tokens);
        let reservation = self.meter.reserve(caller.subject(), estimate).await?;
        let answer = self.providers.chat(&model, &question).await?;
        Ok(Exchange::new(answer, reservation, input_tokens, deadline))
    }

    /// The events of `exchange`. They are made when they are asked for, so that a slow caller slows the provider down.
    fn events(self, exchange: Exchange, key: Option<RequestKey>) -> Events {
        let state = (self, exchange, key, Collected::default());
        let span = Span::current();
        stream::unfold(state, move |(rpc, mut exchange, mut key, mut collected)| {
            let next = async move {
                let event = match exchange.next().await? {
                    Ok(event) => event,
                    Err(error) => return Some((Err(Status::from(error)), (rpc, exchange, None, collected))),
                };
                let whole = matches!(event, Event::Finish(_));
                let event = encode::event(event);
                if key.is_some() {
                    collected.add(&event);
                }
                if whole {
                    rpc.keep(key.take(), &collected.0).await;
                }
                Some((Ok(event), (rpc, exchange, key, collected)))
            };
            next.instrument(span.clone())
        })
        .boxed()
    }
}

/// An answer that is put together from its events.
#[derive(Default)]
struct Collected(proto::ChatResponse);

impl Collected {
    fn add(&mut self, event: &proto::ChatEvent) {
        use proto::chat_event::Event as Sent;
        match &event.event {
            Some(Sent::ProviderChosen(chosen)) => self.0.provider_chosen = Some(chosen.clone()),
            Some(Sent::TextDelta(delta)) => {
                let message = self.0.message.get_or_insert_with(|| proto::Message {
                    role: proto::Role::Assistant.into(),
                    content: String::new(),
                });
                message.content.push_str(&delta.text);
            }
            Some(Sent::ReasoningDelta(delta)) => self.0.reasoning.push_str(&delta.text),
            Some(Sent::Usage(usage)) => self.0.usage = Some(*usage),
            Some(Sent::Finish(finish)) => {
                self.0.finish_reason = finish.reason;
                self.0.message.get_or_insert_with(|| proto::Message {
                    role: proto::Role::Assistant.into(),
                    content: String::new(),
                });
            }
            None => {}
        }
    }
}

/// The events of an answer that was kept, its text in one piece.
fn replayed(answer: proto::ChatResponse) -> impl Iterator<Item = proto::ChatEvent> {
    use proto::chat_event::Event as Sent;
    let delta = |text: String| (!text.is_empty()).then_some(proto::TextDelta { text });
    let events = [
        answer.provider_chosen.map(Sent::ProviderChosen),
        delta(answer.reasoning).map(Sent::ReasoningDelta),
        delta(answer.message.unwrap_or_default().content).map(Sent::TextDelta),
        answer.usage.map(Sent::Usage),
        Some(Sent::Finish(proto::Finish { reason: answer.finish_reason })),
    ];
    events.into_iter().flatten().map(|event| proto::ChatEvent { event: Some(event) })
}
