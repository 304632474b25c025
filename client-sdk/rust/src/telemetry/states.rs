//! What a channel has at present: connections, endpoints by state, and its limits.
//!
//! All are up-down counters that take back what they added when their owner is dropped, so that several
//! channels to one target add up and a channel that is gone leaves nothing behind.

use std::{
    error::Error,
    io,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
};

use h2::Reason;
use opentelemetry::{KeyValue, metrics::UpDownCounter};

use super::{metrics::Instruments, names};

/// How an endpoint stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndpointState {
    /// Takes calls.
    Ready,
    Connecting,
    /// For the next attempt to connect.
    Waiting,
    /// Connected, and ejected as an outlier.
    Ejected,
    /// Connected, and not healthy by its own account.
    NotServing,
}

const ENDPOINT_STATES: [&str; 5] = ["ready", "connecting", "waiting", "ejected", "not_serving"];

/// One endpoint, counted in the state that it was set to last until this is dropped.
#[derive(Debug)]
pub(crate) struct Endpoints(StateCount);

impl Endpoints {
    pub(super) fn new(counter: &UpDownCounter<i64>, target: &KeyValue) -> Self {
        Self(StateCount::new(counter.clone(), target, names::ENDPOINT_STATE, &ENDPOINT_STATES))
    }

    pub(crate) fn set(&self, state: EndpointState) {
        self.0.set(state as usize);
    }
}

/// Something that is in one of a few states, or in none yet.
#[derive(Debug)]
pub(super) struct StateCount {
    counter: UpDownCounter<i64>,
    /// For each state the target and the state.
    labels: Box<[[KeyValue; 2]]>,
    /// An index into `labels`, or beyond it when no state is known.
    state: AtomicUsize,
}

impl StateCount {
    pub(super) fn new(
        counter: UpDownCounter<i64>,
        target: &KeyValue,
        key: &'static str,
        states: &[&'static str],
    ) -> Self {
        let labels = states.iter().map(|state| [target.clone(), KeyValue::new(key, *state)]).collect();
        Self { counter, labels, state: AtomicUsize::new(usize::MAX) }
    }

    pub(super) fn set(&self, state: usize) {
        let previous = self.state.swap(state, Ordering::Relaxed);
        if previous == state {
            return;
        }
        if let Some(labels) = self.labels.get(previous) {
            self.counter.add(-1, labels);
        }
        if let Some(labels) = self.labels.get(state) {
            self.counter.add(1, labels);
        }
    }
}

impl Drop for StateCount {
    fn drop(&mut self) {
        self.set(usize::MAX);
    }
}

/// A quantity that counts as it was set last until this is dropped.
#[derive(Debug)]
pub(crate) struct Quantity {
    counter: UpDownCounter<i64>,
    labels: [KeyValue; 1],
    value: AtomicI64,
}

impl Quantity {
    pub(super) fn new(counter: UpDownCounter<i64>, target: KeyValue) -> Self {
        Self { counter, labels: [target], value: AtomicI64::new(0) }
    }

    pub(crate) fn set(&self, value: usize) {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        let previous = self.value.swap(value, Ordering::Relaxed);
        if previous != value {
            self.counter.add(value - previous, &self.labels);
        }
    }
}

impl Drop for Quantity {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// Counts the attempts to connect, and the connections that they yield.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    instruments: Arc<Instruments>,
    target: KeyValue,
}

/// A connection that counts as open until this is closed or dropped.
#[derive(Debug)]
pub(crate) struct OpenConnection {
    connections: Connections,
    ended_by: Disconnect,
}

/// Why a connection ended (A94's list; the first reason counts).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disconnect {
    GoAway(Reason),
    /// The endpoint has left its set, or the channel is gone.
    Shutdown,
    Reset,
    /// The socket timed out, or a PING stayed without an answer.
    TimedOut,
    Aborted,
    /// Another error of the socket.
    Socket,
    Unknown,
}

impl Connections {
    pub(super) fn new(instruments: Arc<Instruments>, target: KeyValue) -> Self {
        Self { instruments, target }
    }

    /// An attempt to connect failed. One that was given up because nobody wants it any more counts nowhere.
    pub(crate) fn failed(&self) {
        self.instruments.connection_attempts_failed.add(1, std::slice::from_ref(&self.target));
    }

    /// An attempt to connect succeeded.
    pub(crate) fn opened(&self) -> OpenConnection {
        let labels = std::slice::from_ref(&self.target);
        self.instruments.connection_attempts_succeeded.add(1, labels);
        self.instruments.open_connections.add(1, labels);
        OpenConnection { connections: self.clone(), ended_by: Disconnect::Shutdown }
    }
}

impl OpenConnection {
    /// The connection ended for this reason. Dropped without one, it was shut down from here.
    pub(crate) fn close(mut self, reason: Disconnect) {
        self.ended_by = reason;
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let Connections { instruments, target } = &self.connections;
        instruments.open_connections.add(-1, std::slice::from_ref(target));
        let reason = match self.ended_by {
            Disconnect::GoAway(reason) => KeyValue::new(names::DISCONNECT_ERROR, go_away(reason)),
            other => KeyValue::new(names::DISCONNECT_ERROR, other.name()),
        };
        instruments.disconnections.add(1, &[reason, target.clone()]);
    }
}

impl Disconnect {
    /// What the error with which a connection ended says.
    pub(crate) fn from_error(error: &(dyn Error + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(cause) = next {
            if let Some(error) = cause.downcast_ref::<hyper::Error>()
                && error.is_timeout()
            {
                return Self::TimedOut;
            }
            if let Some(error) = cause.downcast_ref::<h2::Error>()
                && error.is_go_away()
                && error.is_remote()
            {
                return error.reason().map_or(Self::Unknown, Self::GoAway);
            }
            let io = cause.downcast_ref::<io::Error>();
            if let Some(error) = io.or_else(|| cause.downcast_ref::<h2::Error>().and_then(h2::Error::get_io))
            {
                return Self::from_io(error.kind());
            }
            next = cause.source();
        }
        Self::Unknown
    }

    fn from_io(kind: io::ErrorKind) -> Self {
        match kind {
            io::ErrorKind::ConnectionReset => Self::Reset,
            io::ErrorKind::TimedOut => Self::TimedOut,
            io::ErrorKind::ConnectionAborted => Self::Aborted,
            _ => Self::Socket,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Shutdown => "subchannel shutdown",
            Self::Reset => "connection reset",
            Self::TimedOut => "connection timed out",
            Self::Aborted => "connection aborted",
            Self::Socket => "socket error",
            Self::GoAway(_) | Self::Unknown => "unknown",
        }
    }
}

/// `GOAWAY NO_ERROR` and so on. Codes that RFC 9113 does not have are the peer's invention, without number.
fn go_away(reason: Reason) -> String {
    if u32::from(reason) > u32::from(Reason::HTTP_1_1_REQUIRED) {
        return Disconnect::Unknown.name().to_owned();
    }
    format!("GOAWAY {reason:?}")
}

#[cfg(test)]
#[path = "states_tests.rs"]
mod tests;
