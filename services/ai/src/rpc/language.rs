//! Suggested replies and sentiment.

use plexus_proto::ai::v1::{self as proto, language_service_server::LanguageService};
use plexus_runtime::identity::Caller;
use tonic::{Request, Response, Status};

use super::{Rpc, decode, encode, once};
use crate::{embedded::replies, language::Language, sentiment, tokens};

#[tonic::async_trait]
impl LanguageService for Rpc {
    async fn suggest_replies(
        &self,
        request: Request<proto::SuggestRepliesRequest>,
    ) -> Result<Response<proto::SuggestRepliesResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let turns = decode::turns(&request.turns)?;
        let key = once::key(&caller, "SuggestReplies", &request.request_id, &request)?;
        if let Some(answer) = self.kept(key.as_ref()).await? {
            return Ok(Response::new(answer));
        }
        let read = &turns[turns.len().saturating_sub(replies::TURNS_READ)..];
        let input = read.iter().map(|turn| turn.text.as_str()).collect::<Vec<_>>().join("\n");
        let (suggested, usage) = self
            .metered(&caller, &input, || {
                let suggested = replies::suggest(read);
                let texts = suggested.iter().flatten().map(|reply| reply.text);
                let output_tokens = texts.map(tokens::estimate).sum();
                Ok((suggested, output_tokens))
            })
            .await?;
        let silence = suggested.as_ref().err().map(|silence| encode::silence(*silence)).unwrap_or_default();
        let reply = |reply: replies::Reply| proto::SuggestedReply {
            text: reply.text.to_owned(),
            intent: reply.intent.to_owned(),
        };
        let answer = proto::SuggestRepliesResponse {
            replies: suggested.into_iter().flatten().map(reply).collect(),
            silence: silence.into(),
            language: encode::language(
                turns.last().map_or(Language::English, |turn| Language::of(&turn.text)),
            )
            .into(),
            usage: Some(usage),
        };
        self.keep(key, &answer).await;
        Ok(Response::new(answer))
    }

    async fn analyze_sentiment(
        &self,
        request: Request<proto::AnalyzeSentimentRequest>,
    ) -> Result<Response<proto::AnalyzeSentimentResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let text = decode::sentiment_text(&request.text)?;
        let key = once::key(&caller, "AnalyzeSentiment", &request.request_id, &request)?;
        if let Some(answer) = self.kept(key.as_ref()).await? {
            return Ok(Response::new(answer));
        }
        // What comes out are numbers, not tokens of a language.
        let (found, usage) = self.metered(&caller, text, || Ok((sentiment::analyze(text), 0))).await?;
        let answer = proto::AnalyzeSentimentResponse {
            label: encode::label(found.scores.label()).into(),
            compound: found.scores.compound,
            positive: found.scores.positive,
            neutral: found.scores.neutral,
            negative: found.scores.negative,
            language: encode::language(found.language).into(),
            method: found.method.to_owned(),
            usage: Some(usage),
        };
        self.keep(key, &answer).await;
        Ok(Response::new(answer))
    }
}
