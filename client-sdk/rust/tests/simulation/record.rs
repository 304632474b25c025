//! What was seen in one run, from outside all simulated machines: no crash takes it along.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, Mutex},
    time::Duration,
};

use tonic::Code;

use crate::plan::Fault;

/// The log of a run. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record(Arc<Mutex<Vec<Event>>>);

#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) at: Duration,
    pub(crate) what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    /// A fault began, or was healed.
    Fault { fault: Fault, begins: bool },
    /// The client began to connect.
    Connecting { replica: usize },
    /// The first byte came on a connection.
    Heard { replica: usize },
    /// The client made a call.
    Called(usize),
    /// A replica refused the stream of a call, unprocessed.
    Refused { call: usize, replica: usize },
    /// A replica began to act on a call.
    Executed { call: usize, replica: usize },
    /// A replica finished a unary call.
    Answered { call: usize, replica: usize },
    /// The client got this message of a stream.
    Message { call: usize, number: u32 },
    /// The call ended for the client.
    Ended { call: usize, outcome: Outcome },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The content of this call came, whole.
    Content,
    /// The server's own refusal came.
    Refusal,
    /// An answer came that is not this call's.
    Wrong,
    Failed {
        code: Code,
        message: String,
    },
}

impl Outcome {
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Failed { code, .. } => format!("{code:?}"),
            other => format!("{other:?}"),
        }
    }
}

impl Record {
    /// Notes an event at the present time of a simulated machine.
    pub(crate) fn note(&self, what: What) {
        self.note_at(turmoil::sim_elapsed().expect("inside the simulation"), what);
    }

    pub(crate) fn note_at(&self, at: Duration, what: What) {
        self.0.lock().unwrap().push(Event { at, what });
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }

    /// Equal for runs in which the same happened at the same times, texts of errors included.
    pub(crate) fn trace(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for event in self.0.lock().unwrap().iter() {
            format!("{event:?}").hash(&mut hasher);
        }
        hasher.finish()
    }
}
