//! The metrics of one call and of its attempts (A66, A96).

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use opentelemetry::KeyValue;
use tokio::time::Instant;
use tonic::Code;

use super::{
    messages::{MessageSizes, SentMessages},
    methods::Method,
    names,
};

/// Why an attempt is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AttemptKind {
    First,
    /// After a failure that the retry policy names.
    Retry,
    /// After one that no server has processed; does not count as an attempt for the policy.
    TransparentRetry,
    /// Beside one that has not answered yet.
    Hedge,
}

/// How looking for an endpoint ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PickResult {
    Found,
    Unavailable,
    DeadlineExceeded,
}

/// The limit that a call met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallLimit {
    /// Calls in flight in the channel.
    Channel,
    /// Calls in flight in every endpoint.
    Endpoint,
}

/// What is measured of a call.
#[derive(Debug)]
pub(crate) struct CallMetrics {
    method: Arc<Method>,
    started_at: Instant,
    retries: u64,
    transparent_retries: u64,
    hedges: u64,
    retry_delay: Duration,
    is_picked: bool,
}

/// What is measured of an attempt.
#[derive(Debug)]
pub(crate) struct AttemptMetrics {
    method: Arc<Method>,
    started_at: Instant,
    sent_bytes: Option<Arc<AtomicU64>>,
    received: MessageSizes,
}

impl CallMetrics {
    pub(super) fn start(method: Arc<Method>) -> Self {
        method.instruments.calls_in_flight.add(1, method.target());
        Self {
            method,
            started_at: Instant::now(),
            retries: 0,
            transparent_retries: 0,
            hedges: 0,
            retry_delay: Duration::ZERO,
            is_picked: false,
        }
    }

    /// Begins to measure one more attempt, before its endpoint is picked.
    pub(crate) fn attempt(&mut self, kind: AttemptKind) -> AttemptMetrics {
        match kind {
            AttemptKind::First => {}
            AttemptKind::Retry => self.retries += 1,
            AttemptKind::TransparentRetry => self.transparent_retries += 1,
            AttemptKind::Hedge => self.hedges += 1,
        }
        self.method.instruments.attempt_started.add(1, self.method.labels());
        AttemptMetrics {
            method: Arc::clone(&self.method),
            started_at: Instant::now(),
            sent_bytes: None,
            received: MessageSizes::default(),
        }
    }

    /// How looking for an endpoint ended; only the first result of a call counts.
    pub(crate) fn picked(&mut self, result: PickResult) {
        if !std::mem::replace(&mut self.is_picked, true) {
            let labels = [self.target(), KeyValue::new(names::PICK_RESULT, result.name())];
            self.method.instruments.pick_delay.record(self.started_at.elapsed().as_secs_f64(), &labels);
        }
    }

    /// The call met a limit.
    pub(crate) fn refused(&self, limit: CallLimit) {
        let labels = [self.target(), KeyValue::new(names::LIMIT, limit.name())];
        self.method.instruments.calls_refused.add(1, &labels);
    }

    /// Adds a time in which the call had no attempt under way, such as a backoff.
    pub(crate) fn waited(&mut self, delay: Duration) {
        self.retry_delay += delay;
    }

    /// Records how the call ended, once.
    pub(crate) fn finish(&self, code: Code) {
        let (instruments, labels) = (&self.method.instruments, self.method.labels());
        instruments.calls_in_flight.add(-1, self.method.target());
        instruments
            .call_duration
            .record(self.started_at.elapsed().as_secs_f64(), self.method.with_code(code));
        if self.retries > 0 {
            instruments.retries.record(self.retries, labels);
        }
        if self.transparent_retries > 0 {
            instruments.transparent_retries.record(self.transparent_retries, labels);
        }
        if self.hedges > 0 {
            instruments.hedges.record(self.hedges, labels);
        }
        // Without a second attempt there is no delay, and a zero for each call would drown the others.
        if self.retries + self.transparent_retries + self.hedges > 0 {
            instruments.retry_delay.record(self.retry_delay.as_secs_f64(), labels);
        }
    }

    fn target(&self) -> KeyValue {
        self.method.target()[0].clone()
    }
}

impl AttemptMetrics {
    /// Counts what the attempt sends; to be moved into the body of the request.
    pub(crate) fn sent_messages(&mut self) -> SentMessages {
        SentMessages::new(Arc::clone(self.sent_bytes.get_or_insert_default()))
    }

    /// Takes the next chunk of the response's body.
    pub(crate) fn received(&mut self, chunk: &[u8]) {
        self.received.add(chunk);
    }

    /// Records how the attempt ended, once.
    pub(crate) fn finish(&self, code: Code) {
        let (instruments, labels) = (&self.method.instruments, self.method.with_code(code));
        let sent_bytes = self.sent_bytes.as_ref().map_or(0, |bytes| bytes.load(Ordering::Relaxed));
        instruments.attempt_duration.record(self.started_at.elapsed().as_secs_f64(), labels);
        instruments.attempt_sent.record(sent_bytes, labels);
        instruments.attempt_received.record(self.received.total_bytes(), labels);
    }
}

impl PickResult {
    fn name(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Unavailable => "unavailable",
            Self::DeadlineExceeded => "deadline_exceeded",
        }
    }
}

impl CallLimit {
    fn name(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Endpoint => "endpoint",
        }
    }
}
