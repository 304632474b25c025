//! The body of a request, kept so that it can be sent again to another replica.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http_body::Frame;
use tonic::{Status, body::Body};

/// The most bytes of a request that are kept for sending it again (as in linkerd2-proxy).
/// A larger request that was refused after more had been sent fails instead.
const REPLAY_BYTES_MAX: usize = 64 * 1024;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The call's hold on its body: makes the body of each attempt.
#[derive(Debug)]
pub(crate) struct Outgoing(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Absent while it is being polled, and when the call is over.
    body: Option<Body>,
    /// What has been read from `body`, as long as it may have to be sent again.
    sent: Vec<Bytes>,
    sent_bytes: usize,
    /// How much of `sent` the present attempt has taken.
    taken: usize,
    /// Whether `body` has been read to its end.
    is_ended: bool,
    phase: Phase,
    /// Counts attempts; bodies of earlier ones end.
    attempt: usize,
    waker: Option<Waker>,
    failure: Option<Status>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    /// All of `body` that was read is in `sent`.
    Repeatable,
    /// Too much was sent, or the server has answered.
    Committed,
    /// The call is over.
    Cancelled,
}

impl Outgoing {
    pub(crate) fn new(body: Body) -> Self {
        Self(Arc::new(Mutex::new(State {
            body: Some(body),
            sent: Vec::new(),
            sent_bytes: 0,
            taken: 0,
            is_ended: false,
            phase: Phase::Repeatable,
            attempt: 0,
            waker: None,
            failure: None,
        })))
    }

    /// The body from its beginning, for the next attempt; `None` when that is not kept.
    pub(crate) fn attempt(&self) -> Option<RequestBody> {
        let mut state = lock(&self.0);
        if state.phase != Phase::Repeatable {
            return None;
        }
        state.attempt += 1;
        state.taken = 0;
        Some(RequestBody { state: Arc::clone(&self.0), attempt: state.attempt })
    }

    /// The server has answered: there will be no further attempt.
    pub(crate) fn commit(&self) {
        let mut state = lock(&self.0);
        if state.phase == Phase::Repeatable {
            state.phase = Phase::Committed;
        }
        state.forget();
    }

    /// The error with which the caller's own request stream ended, if it did.
    pub(crate) fn failure(&self) -> Option<Status> {
        lock(&self.0).failure.take()
    }
}

impl Drop for Outgoing {
    /// The call is over: what has not been sent never will be, and the server learns it.
    fn drop(&mut self) {
        let (body, waker) = {
            let mut state = lock(&self.0);
            state.phase = Phase::Cancelled;
            (state.body.take(), state.waker.take())
        };
        drop(body);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl State {
    /// Lets go of what will not be sent again.
    fn forget(&mut self) {
        if self.phase != Phase::Repeatable && self.taken == self.sent.len() {
            self.sent = Vec::new();
            self.taken = 0;
        }
    }

    /// Keeps what the present attempt has just read.
    fn keep(&mut self, data: &Bytes) {
        if self.phase != Phase::Repeatable {
            return;
        }
        self.sent_bytes += data.len();
        if self.sent_bytes > REPLAY_BYTES_MAX {
            self.phase = Phase::Committed;
            self.forget();
        } else {
            self.sent.push(data.clone());
            self.taken += 1;
        }
    }
}

/// The body of one attempt.
#[derive(Debug)]
pub(crate) struct RequestBody {
    state: Arc<Mutex<State>>,
    attempt: usize,
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut state = lock(&self.state);
        if state.phase == Phase::Cancelled || state.attempt != self.attempt {
            return Poll::Ready(Some(Err(cancelled())));
        }
        if let Some(data) = state.sent.get(state.taken).cloned() {
            state.taken += 1;
            state.forget();
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if state.is_ended {
            return Poll::Ready(None);
        }
        state.waker = Some(context.waker().clone());
        // Absent: an earlier attempt is looking at it, and will wake this one.
        let Some(mut body) = state.body.take() else { return Poll::Pending };
        drop(state);

        // Not under the lock: the body is the caller's code and may end this very call.
        let polled = Pin::new(&mut body).poll_frame(context);

        let mut state = lock(&self.state);
        if state.phase == Phase::Cancelled {
            return Poll::Ready(Some(Err(cancelled())));
        }
        state.body = Some(body);
        let is_present = state.attempt == self.attempt;
        match &polled {
            Poll::Ready(Some(Ok(frame))) => match frame.data_ref() {
                Some(data) if is_present => state.keep(data),
                // Read for an attempt that has been given up: the present one takes it from `sent`.
                Some(data) => state.sent.push(data.clone()),
                None => {}
            },
            Poll::Ready(Some(Err(status))) => state.failure = Some(status.clone()),
            Poll::Ready(None) => state.is_ended = true,
            Poll::Pending => {}
        }
        if !is_present {
            if let Some(waker) = state.waker.take() {
                waker.wake();
            }
            return Poll::Ready(Some(Err(cancelled())));
        }
        // The caller's own error stays here for the caller; the server sees a cancelled call.
        polled.map(|frame| frame.map(|frame| frame.map_err(|_| cancelled())))
    }

    fn is_end_stream(&self) -> bool {
        let state = lock(&self.state);
        state.taken == state.sent.len()
            && (state.is_ended || state.body.as_ref().is_some_and(http_body::Body::is_end_stream))
    }
}

/// Resets the stream as cancelled: hyper looks for the reason in the error of a body.
fn cancelled() -> BoxError {
    h2::Error::from(h2::Reason::CANCEL).into()
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
