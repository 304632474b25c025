//! Which channel leads to which service.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Request, Response};
use prost_reflect::{DescriptorPool, ServiceDescriptor};
use tonic::{Status, body::Body};
use tower::{BoxError, Service, ServiceExt as _, util::BoxCloneSyncService};

/// A way to the replicas of a service, whatever it is made of.
pub(crate) type Channel = BoxCloneSyncService<Request<Body>, Response<Body>, Status>;

/// Channels by the full name of a service (`plexus.auth.v1.UserService`) or of a package of services
/// (`plexus.auth.v1`); the service goes first. What has no channel gets no route.
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

    /// Adds the channel to a service or to all services of a package: a `plexus_client::Channel`, or anything
    /// else that carries gRPC. It must have no identity of its own: callers are who their tokens say.
    #[must_use]
    pub fn with<C, B>(mut self, name: impl Into<String>, channel: C) -> Self
    where
        C: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        C::Future: Send,
        C::Error: Into<BoxError>,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let erased = channel
            .map_response(|response: Response<B>| response.map(Body::new))
            .map_err(|error| Status::from_error(error.into()));
        self.channels.insert(name.into(), BoxCloneSyncService::new(erased));
        self
    }

    /// The channel to `service`.
    pub(crate) fn find(&self, service: &ServiceDescriptor) -> Option<&Channel> {
        self.channels.get(service.full_name()).or_else(|| self.channels.get(service.package_name()))
    }

    /// A name that is neither a service nor a package of the contract.
    pub(crate) fn unknown(&self, descriptors: &DescriptorPool) -> Option<&str> {
        let known = |name: &str| {
            descriptors
                .services()
                .any(|service| service.full_name() == name || service.package_name() == name)
        };
        self.channels.keys().map(String::as_str).find(|name| !known(name))
    }
}
