//! One answer on its way from a provider to the caller, metered as it passes.

use std::collections::VecDeque;

use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout_at};

use crate::{
    error::Error,
    metering::Reservation,
    provider::{
        Answer, Count, FinishReason, Piece,
        failover::Chosen,
        failure::{Cause, Failure},
    },
    tokens::Counter,
};

/// The longest answer, its reasoning included: far above any model's 32768 tokens, and with room to spare below the
/// 4 MiB that a gRPC message may hold.
const ANSWER_BYTES_MAX: usize = 3584 * 1024;

/// One step of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// First: who answers.
    Chosen(Chosen),
    /// The next part of the answer.
    Text(String),
    /// The next part of what the model says it thinks.
    Reasoning(String),
    /// Last but one: what was used.
    Used(Used),
    /// Last: the answer is whole.
    Finish(FinishReason),
}

/// What a call used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) count: Count,
    /// Whether the provider counted; otherwise it is an estimate.
    pub(crate) by_provider: bool,
}

/// An answer that is being made. Dropping it stops the provider and ends the reservation.
pub(crate) struct Exchange {
    // Dropped in this order: the provider stops before the reservation is ended.
    answer: Answer,
    reservation: Option<Reservation>,
    provider: String,
    input_tokens: i64,
    output: Counter,
    output_bytes: usize,
    counted: Option<Count>,
    deadline: Instant,
    ready: VecDeque<Event>,
    ended: bool,
}

impl Exchange {
    /// The answer that `chosen` has begun, to a question of about `input_tokens`, due before `deadline`.
    pub(crate) fn new(
        (chosen, answer): (Chosen, Answer),
        reservation: Reservation,
        input_tokens: i64,
        deadline: Instant,
    ) -> Self {
        Self {
            answer,
            reservation: Some(reservation),
            provider: chosen.provider.clone(),
            input_tokens,
            output: Counter::default(),
            output_bytes: 0,
            counted: None,
            deadline,
            ready: VecDeque::from([Event::Chosen(chosen)]),
            ended: false,
        }
    }

    /// The next event; none after [`Event::Finish`] or an error.
    pub(crate) async fn next(&mut self) -> Option<Result<Event, Error>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            if self.ended {
                return None;
            }
            if let Err(error) = self.advance().await {
                self.ended = true;
                // What was used so far is committed now, not when the caller lets go of the stream.
                self.reservation = None;
                return Some(Err(error));
            }
        }
    }

    async fn advance(&mut self) -> Result<(), Error> {
        let piece = match timeout_at(self.deadline, self.answer.next()).await {
            Ok(Some(piece)) => piece,
            Ok(None) => Err(Failure::new(Cause::Truncated)),
            Err(_elapsed) => Err(Failure::new(Cause::Timeout)),
        };
        match piece.map_err(|failure| self.truncated(failure))? {
            Piece::Text(text) => {
                self.account(&text).await?;
                self.ready.push_back(Event::Text(text));
            }
            Piece::Reasoning(text) => {
                self.account(&text).await?;
                self.ready.push_back(Event::Reasoning(text));
            }
            Piece::Usage(count) => self.counted = Some(count),
            Piece::End(reason) => self.end(reason).await,
        }
        Ok(())
    }

    async fn account(&mut self, text: &str) -> Result<(), Error> {
        self.output_bytes += text.len();
        if self.output_bytes > ANSWER_BYTES_MAX {
            return Err(self.truncated(Failure::new(Cause::Protocol)));
        }
        self.output.add(text);
        let tokens = self.input_tokens + self.output.tokens();
        match &mut self.reservation {
            Some(reservation) => reservation.cover(tokens).await,
            None => Ok(()),
        }
    }

    async fn end(&mut self, reason: FinishReason) {
        let estimate = Count { input_tokens: self.input_tokens, output_tokens: self.output.tokens() };
        let used = Used { count: self.counted.unwrap_or(estimate), by_provider: self.counted.is_some() };
        if let Some(reservation) = self.reservation.take() {
            reservation.commit(used.count.input_tokens.saturating_add(used.count.output_tokens)).await;
        }
        self.ready.extend([Event::Used(used), Event::Finish(reason)]);
        self.ended = true;
    }

    fn truncated(&self, failure: Failure) -> Error {
        Error::Truncated { provider: self.provider.clone(), failure }
    }
}
