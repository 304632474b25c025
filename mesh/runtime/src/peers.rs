//! The other services of the mesh, each behind one channel that balances over its replicas.

use std::{collections::BTreeMap, sync::Arc};

use plexus_client::{Channel, ConnectionState};

use crate::status::{Code, Problem, Reason};

/// The channels of one service to the others; clones share them.
#[derive(Clone, Default)]
pub struct Peers(Arc<BTreeMap<String, Channel>>);

impl Peers {
    /// These channels, by the name of the service.
    #[must_use]
    pub fn new(channels: BTreeMap<String, Channel>) -> Self {
        Self(Arc::new(channels))
    }

    /// The channel to `service`.
    ///
    /// # Errors
    /// `UNAVAILABLE` when no address of it is configured.
    pub fn channel(&self, service: &str) -> Result<Channel, Problem> {
        self.find(service).ok_or_else(|| {
            Problem::new(
                Code::Unavailable,
                Reason::DependencyUnavailable,
                format!("no address of the service {service} is configured; set peers.{service}"),
            )
        })
    }

    /// The channel to `service`, if it is configured.
    #[must_use]
    pub fn find(&self, service: &str) -> Option<Channel> {
        self.0.get(service).cloned()
    }

    /// All services that are configured.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// Whether a replica behind `channel` is connected.
#[must_use]
pub fn is_reachable(channel: &Channel) -> bool {
    channel.status().iter().any(|endpoint| endpoint.state == ConnectionState::Ready)
}

impl std::fmt::Debug for Peers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
