//! One replica as the channel knows it: its address, its load, and how its connection stands.

use std::sync::{Arc, Mutex, PoisonError};

use http::uri::Authority;

use crate::{address::Address, load::Load};

/// How the connection to one replica stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// An attempt is under way.
    Connecting,
    /// In rotation.
    Ready,
    /// The last attempt failed, or the connection ended; the next attempt comes after a wait.
    Waiting,
    /// Not a member of the set any more; calls in flight are finishing.
    Closed,
}

/// One line of the status view.
#[derive(Clone, Debug)]
pub struct EndpointStatus {
    /// Where the replica listens.
    pub address: Address,
    /// How its connection stands.
    pub state: ConnectionState,
    /// Calls that have begun and not ended.
    pub in_flight: usize,
    /// Why the last attempt failed or the last connection ended; empty when that never happened.
    pub last_error: String,
}

#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) address: Address,
    /// The address, as requests carry it; absent when it is no valid authority.
    pub(crate) authority: Option<Authority>,
    pub(crate) load: Arc<Load>,
    progress: Mutex<Progress>,
}

#[derive(Debug)]
struct Progress {
    state: ConnectionState,
    last_error: String,
}

impl Endpoint {
    pub(crate) fn new(address: Address) -> Self {
        Self {
            authority: address.as_str().parse().ok(),
            address,
            load: Arc::new(Load::new()),
            progress: Mutex::new(Progress { state: ConnectionState::Connecting, last_error: String::new() }),
        }
    }

    pub(crate) fn set_state(&self, state: ConnectionState) {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).state = state;
    }

    /// Notes why there is no connection.
    pub(crate) fn fail(&self, error: String) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        *progress = Progress { state: ConnectionState::Waiting, last_error: error };
    }

    pub(crate) fn status(&self) -> EndpointStatus {
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        EndpointStatus {
            address: self.address.clone(),
            state: progress.state,
            in_flight: self.load.in_flight(),
            last_error: progress.last_error.clone(),
        }
    }
}
