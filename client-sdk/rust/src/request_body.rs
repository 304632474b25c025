//! The body of a request, kept so that several attempts can send it.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http_body::Frame;
use http_body_util::BodyExt as _;
use tonic::{Status, body::Body};

use crate::telemetry::SentMessages;

/// The most bytes of one request that are kept for sending it again (grpc-java's default; tonic's
/// servers take 4 MiB). A call that sends more is bound to the attempt that sent it.
const REPLAY_BYTES_MAX: usize = 1024 * 1024;

/// The most bytes of all requests of a channel that are so kept (grpc-java: 16 MiB; a mesh's channel
/// carries what several of its clients would). Beyond, calls are bound to the attempts that they have.
const CHANNEL_REPLAY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What all requests of a channel keep together.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReplayMemory(Arc<AtomicUsize>);

impl ReplayMemory {
    fn take(&self, bytes: usize) -> bool {
        self.0.fetch_add(bytes, Ordering::Relaxed) + bytes <= CHANNEL_REPLAY_BYTES_MAX
    }
}

/// A flag for compression and the length (gRPC over HTTP/2, "Length-Prefixed-Message").
const PREFIX_BYTES: usize = 5;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The call's hold on its body: makes the body of each attempt.
///
/// Attempts may run side by side. Each reads what is kept and then the caller's body, which is
/// polled by one of them at a time; what it yields is kept for the others.
#[derive(Debug)]
pub(crate) struct Outgoing(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Absent while an attempt polls it, and when the call is over.
    body: Option<Body>,
    kept: VecDeque<Bytes>,
    /// What was kept in all, and is held in `memory`.
    kept_bytes: usize,
    memory: ReplayMemory,
    /// How many chunks were let go of before `kept`.
    gone: usize,
    /// Whether `body` has been read to its end.
    is_ended: bool,
    phase: Phase,
    attempts: usize,
    /// Attempts that wait for the caller's body.
    waiting: Vec<Waker>,
    failure: Option<Status>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    /// All of `body` that was read is in `kept`.
    Repeatable,
    /// The call is bound to this attempt: it has been answered, or too much was sent.
    Committed(usize),
    /// The call is over.
    Cancelled,
}

impl Outgoing {
    pub(crate) fn new(body: Body, memory: &ReplayMemory) -> Self {
        Self(Arc::new(Mutex::new(State {
            body: Some(body),
            kept: VecDeque::new(),
            kept_bytes: 0,
            memory: memory.clone(),
            gone: 0,
            is_ended: false,
            phase: Phase::Repeatable,
            attempts: 0,
            waiting: Vec::new(),
            failure: None,
        })))
    }

    /// The body from its beginning, for one more attempt; `None` when that is not kept any more.
    pub(crate) fn attempt(&self) -> Option<RequestBody> {
        let mut state = lock(&self.0);
        if state.phase != Phase::Repeatable {
            return None;
        }
        state.attempts += 1;
        Some(RequestBody { state: Arc::clone(&self.0), attempt: state.attempts, taken: 0, messages: None })
    }

    /// What the first chunk of the body holds of its first message, without the prefix; nothing when it
    /// is compressed. It stays kept for the attempts.
    pub(crate) async fn first_message(&self) -> Bytes {
        let Some(mut body) = self.attempt() else { return Bytes::new() };
        match body.frame().await.and_then(Result::ok).and_then(|frame| frame.into_data().ok()) {
            Some(data) if data.len() >= PREFIX_BYTES && data[0] == 0 => data.slice(PREFIX_BYTES..),
            _ => Bytes::new(),
        }
    }

    /// Whether a further attempt could be made.
    pub(crate) fn is_repeatable(&self) -> bool {
        lock(&self.0).phase == Phase::Repeatable
    }

    /// Binds the call to an attempt (the first is 1); bodies of the others end.
    pub(crate) fn commit(&self, attempt: usize) {
        let mut state = lock(&self.0);
        if state.phase == Phase::Repeatable {
            state.phase = Phase::Committed(attempt);
        }
        state.wake();
    }

    /// The error with which the caller's own request stream ended, if it did.
    pub(crate) fn failure(&self) -> Option<Status> {
        lock(&self.0).failure.take()
    }
}

impl Drop for Outgoing {
    /// The call is over: what has not been sent never will be, and the server learns it.
    fn drop(&mut self) {
        let body = {
            let mut state = lock(&self.0);
            state.phase = Phase::Cancelled;
            state.wake();
            state.body.take()
        };
        drop(body);
    }
}

impl State {
    fn is_barred(&self, attempt: usize) -> bool {
        match self.phase {
            Phase::Repeatable => false,
            Phase::Committed(chosen) => chosen != attempt,
            Phase::Cancelled => true,
        }
    }

    /// Keeps what an attempt has just read; beyond the limit, the call is bound to that attempt.
    fn keep(&mut self, data: &Bytes, attempt: usize) {
        self.kept.push_back(data.clone());
        if self.phase != Phase::Repeatable {
            return;
        }
        self.kept_bytes += data.len();
        let has_memory = self.memory.take(data.len());
        if self.kept_bytes > REPLAY_BYTES_MAX || !has_memory {
            self.phase = Phase::Committed(attempt);
        }
    }

    /// Lets go of what the only attempt left has taken.
    fn forget(&mut self, taken: usize) {
        if matches!(self.phase, Phase::Committed(_)) {
            while self.gone < taken && self.kept.pop_front().is_some() {
                self.gone += 1;
            }
        }
    }

    fn wait(&mut self, waker: &Waker) {
        if !self.waiting.iter().any(|known| known.will_wake(waker)) {
            self.waiting.push(waker.clone());
        }
    }

    fn wake(&mut self) {
        self.waiting.drain(..).for_each(Waker::wake);
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.memory.0.fetch_sub(self.kept_bytes, Ordering::Relaxed);
    }
}

/// The body of one attempt.
#[derive(Debug)]
pub(crate) struct RequestBody {
    state: Arc<Mutex<State>>,
    attempt: usize,
    /// How many chunks this attempt has taken.
    taken: usize,
    /// Counts what is sent.
    messages: Option<SentMessages>,
}

impl RequestBody {
    /// Counts from now on what is sent.
    pub(crate) fn measured(mut self, messages: SentMessages) -> Self {
        self.messages = Some(messages);
        self
    }

    /// Takes the next chunk.
    fn take(&mut self, data: &Bytes) {
        self.taken += 1;
        if let Some(messages) = &mut self.messages {
            messages.add(data);
        }
    }

    /// Which attempt this is, counted from 1.
    pub(crate) fn attempt(&self) -> usize {
        self.attempt
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let shared = Arc::clone(&self.state);
        let mut state = lock(&shared);
        if state.is_barred(self.attempt) {
            return Poll::Ready(Some(Err(cancelled())));
        }
        if let Some(data) = state.kept.get(self.taken - state.gone).cloned() {
            self.take(&data);
            state.forget(self.taken);
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if state.is_ended {
            return Poll::Ready(None);
        }
        let Some(mut body) = state.body.take() else {
            // Another attempt is polling it, and wakes this one.
            state.wait(context.waker());
            return Poll::Pending;
        };
        drop(state);

        // Not under the lock: the body is the caller's code and may end this very call.
        let polled = Pin::new(&mut body).poll_frame(context);

        let mut state = lock(&shared);
        if state.phase == Phase::Cancelled {
            return Poll::Ready(Some(Err(cancelled())));
        }
        state.body = Some(body);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    state.keep(data, self.attempt);
                    if !state.is_barred(self.attempt) {
                        self.take(data);
                        state.forget(self.taken);
                    }
                }
            }
            Poll::Ready(Some(Err(status))) => {
                // To another attempt, what comes after an error would look like a whole request.
                state.phase = Phase::Cancelled;
                state.failure = Some(status.clone());
            }
            Poll::Ready(None) => state.is_ended = true,
            // The body knows only the waker of the attempt that polled it last.
            Poll::Pending => state.wait(context.waker()),
        }
        if polled.is_ready() {
            state.wake();
        }
        if state.is_barred(self.attempt) {
            return Poll::Ready(Some(Err(cancelled())));
        }
        // The caller's own error stays here for the caller; the server sees a cancelled call.
        polled.map(|frame| frame.map(|frame| frame.map_err(|_| cancelled())))
    }

    fn is_end_stream(&self) -> bool {
        let state = lock(&self.state);
        self.taken == state.gone + state.kept.len()
            && (state.is_ended || state.body.as_ref().is_some_and(http_body::Body::is_end_stream))
    }
}

impl Drop for RequestBody {
    /// The caller's body may have known only this attempt's waker: another one looks again.
    fn drop(&mut self) {
        lock(&self.state).wake();
    }
}

/// Resets the stream as cancelled: hyper looks for the reason in the error of a body.
fn cancelled() -> BoxError {
    h2::Error::from(h2::Reason::CANCEL).into()
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "request_body_tests.rs"]
mod tests;
