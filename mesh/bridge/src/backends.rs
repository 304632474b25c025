//! Which channel leads to which service.

use std::collections::BTreeMap;

use plexus_client::Channel;
use prost_reflect::{DescriptorPool, ServiceDescriptor};

/// Channels by the full name of a service (`plexus.auth.v1.UserService`) or of a package of services
/// (`plexus.auth.v1`); the service goes first. What has no channel gets no route.
///
/// The channels carry no identity of their own: callers are who their tokens say.
#[derive(Clone, Default)]
pub struct Backends {
    channels: BTreeMap<String, Channel>,
}

impl Backends {
    /// No channels.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the channel to a service or to all services of a package.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, channel: Channel) -> Self {
        self.channels.insert(name.into(), channel);
        self
    }

    /// The channel to `service`.
    pub(crate) fn find(&self, service: &ServiceDescriptor) -> Option<&Channel> {
        self.channels.get(service.full_name()).or_else(|| self.channels.get(service.package_name()))
    }

    /// A name that is neither a service nor a package of the contract.
    pub(crate) fn unknown(&self, descriptors: &DescriptorPool) -> Option<&str> {
        let known = |name: &str| {
            descriptors.services().any(|service| service.full_name() == name || service.package_name() == name)
        };
        self.channels.keys().map(String::as_str).find(|name| !known(name))
    }
}
