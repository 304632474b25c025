//! Which replicas there are: the boundary behind which static lists, DNS or a control plane stand.

use tokio::sync::watch;

use crate::address::Address;

/// Yields the whole set of replicas, now and after every change.
pub trait Resolve: Send + Sync + 'static {
    /// A view of the set.
    ///
    /// An empty set means that there is no replica at present; the channel goes on watching.
    /// When the resolver goes away, the last set stays.
    fn watch(&self) -> watch::Receiver<Vec<Address>>;
}

/// A set that never changes.
#[derive(Debug)]
pub struct StaticResolver(watch::Sender<Vec<Address>>);

impl StaticResolver {
    /// The set of these addresses.
    pub fn new(addresses: impl IntoIterator<Item = Address>) -> Self {
        Self(watch::Sender::new(addresses.into_iter().collect()))
    }
}

impl Resolve for StaticResolver {
    fn watch(&self) -> watch::Receiver<Vec<Address>> {
        self.0.subscribe()
    }
}

/// A set that is replaced while channels use it. Clones share the set.
#[derive(Clone, Debug, Default)]
pub struct ManualResolver(watch::Sender<Vec<Address>>);

impl ManualResolver {
    /// Starts with these addresses.
    pub fn new(addresses: impl IntoIterator<Item = Address>) -> Self {
        Self(watch::Sender::new(addresses.into_iter().collect()))
    }

    /// Replaces the whole set: channels connect to what is new and drain what is gone.
    pub fn replace(&self, addresses: impl IntoIterator<Item = Address>) {
        self.0.send_replace(addresses.into_iter().collect());
    }
}

impl Resolve for ManualResolver {
    fn watch(&self) -> watch::Receiver<Vec<Address>> {
        self.0.subscribe()
    }
}
