//! The other services of the mesh, each behind one channel that balances over its replicas.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use plexus_client::{Channel, ChannelBuilder, ConnectionState, EndpointStatus, MethodTable};

use crate::status::{Code, Problem, Reason};

/// Which methods of the contract may run twice. It is part of the binary, and a test reads it.
static METHODS: LazyLock<MethodTable> =
    LazyLock::new(|| MethodTable::from_descriptors(plexus_proto::DESCRIPTORS).unwrap_or_default());

/// Begins a channel to `service` that knows of each method of the contract whether it may run twice, and calls
/// only replicas that say that they serve `service`.
///
/// A replica that drains says so before it tells its connections to go, so that no call meets its end; and an
/// address at which another service listens is found out, since nobody there serves this one.
pub fn builder(service: &str) -> ChannelBuilder {
    Channel::builder(service).methods(METHODS.clone()).health_check(service)
}

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

/// Whether a replica behind `channel` is connected and serves.
#[must_use]
pub fn is_reachable(channel: &Channel) -> bool {
    let serves = |endpoint: &EndpointStatus| endpoint.state == ConnectionState::Ready && endpoint.is_serving;
    channel.status().iter().any(serves)
}

impl std::fmt::Debug for Peers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_know_which_methods_of_the_contract_may_run_twice() {
        assert!(METHODS.get("/plexus.auth.v1.UserService/GetUser").is_idempotent);
        assert!(METHODS.get("/plexus.quota.v1.ReservationService/Commit").is_idempotent);
        // The second of two exchanges of one refresh token ends the session.
        assert!(!METHODS.get("/plexus.auth.v1.SessionService/Refresh").is_idempotent);
        assert!(!METHODS.get("/plexus.ai.v1.ChatService/Chat").is_idempotent);
    }
}
