//! Which replicas there are: the boundary behind which static lists, DNS, files and control planes stand.

use std::{net::SocketAddr, sync::Arc};

use tokio::sync::watch;

use crate::address::Address;

#[cfg(feature = "dns")]
pub mod dns;
pub mod file;
mod fixed;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
mod manual;
mod publisher;
#[cfg(any(feature = "dns", feature = "kubernetes"))]
mod retry;
mod target;

pub use fixed::StaticResolver;
pub use manual::ManualResolver;
pub use target::{Target, TargetError};

/// The most members that a resolver takes over from outside. A larger set is refused as a mistake: a
/// client that is connected to as many replicas should get a subset of them.
pub const MEMBERS_MAX: usize = 10_000;

/// Yields the whole set of replicas, now and after every change.
///
/// A resolver that fails, or that finds nobody, leaves its last members in place and says why in
/// [`Resolution::error`]: replicas that may answer are better than none.
pub trait Resolve: Send + Sync + 'static {
    /// A view of the set. It stays as it is when the resolver goes away, so whoever uses the set keeps
    /// the resolver.
    fn watch(&self) -> watch::Receiver<Resolution>;

    /// A hint that the set may be old: a connection was lost or refused. It may come at any rate; a
    /// resolver limits itself, and one that is told of changes ignores it.
    fn refresh(&self) {}
}

/// Several channels may share one.
impl<R: Resolve + ?Sized> Resolve for Arc<R> {
    fn watch(&self) -> watch::Receiver<Resolution> {
        R::watch(self)
    }

    fn refresh(&self) {
        R::refresh(self);
    }
}

/// What a resolver knows at one moment. Without members and without an error it is still at work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolution {
    /// The last good set, without duplicates.
    pub members: Arc<[Member]>,
    /// Why the last attempt gave no set, if it gave none.
    pub error: Option<Arc<str>>,
}

impl Resolution {
    /// A set that was resolved.
    pub fn new(members: impl IntoIterator<Item = Member>) -> Self {
        Self { members: members.into_iter().collect(), error: None }
    }
}

/// One replica, and which part of the calls it should get.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Member {
    /// Where it listens.
    pub address: Address,
    /// Its share of the calls, relative to the others of its priority; at least 1, by default 1.
    pub weight: u32,
    /// The failure domain that it runs in, such as `eu-west-1a`; empty when unknown.
    pub zone: Arc<str>,
    /// Which group it belongs to: 0, the default, is used as long as enough of it is healthy.
    pub priority: u32,
}

impl Member {
    /// A replica of weight 1 and priority 0, in no known zone.
    #[must_use]
    pub fn new(address: impl Into<Address>) -> Self {
        Self { address: address.into(), weight: 1, zone: Arc::default(), priority: 0 }
    }

    /// Sets its share of the calls; 0 counts as 1.
    #[must_use]
    pub fn weight(mut self, weight: u32) -> Self {
        self.weight = weight.max(1);
        self
    }

    /// Sets its failure domain.
    #[must_use]
    pub fn zone(mut self, zone: impl Into<Arc<str>>) -> Self {
        self.zone = zone.into();
        self
    }

    /// Sets its group; 0 is the best.
    #[must_use]
    pub fn priority(mut self, priority: u32) -> Self {
        self.priority = priority;
        self
    }
}

impl From<Address> for Member {
    fn from(address: Address) -> Self {
        Self::new(address)
    }
}

impl From<SocketAddr> for Member {
    fn from(address: SocketAddr) -> Self {
        Self::new(address)
    }
}
