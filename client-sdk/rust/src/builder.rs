//! What can be chosen about a channel, and the defaults.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{
    address::Address,
    backoff::BackoffPolicy,
    channel::{Channel, Core},
    connector::{CONNECT_TIMEOUT, Connect, TcpConnector},
    deadline::DEFAULT_DEADLINE,
    limits::{IN_FLIGHT_MAX, Limit},
    picker::{Pick, TwoChoices},
    pool::{self, Pool},
    resolver::{Resolve, StaticResolver},
    token::TokenSource,
};

/// The longest that a call waits for a ready replica, if its deadline does not come first.
/// A replica that restarts is back within this time; a call without a deadline must not wait for ever.
pub const READY_WAIT_MAX: Duration = Duration::from_secs(5);

/// Makes a [`Channel`].
#[must_use]
pub struct ChannelBuilder {
    name: Arc<str>,
    resolver: Arc<dyn Resolve>,
    connector: Arc<dyn Connect>,
    picker: Arc<dyn Pick>,
    token: Option<Arc<dyn TokenSource>>,
    default_deadline: Option<Duration>,
    ready_wait: Duration,
    connect_timeout: Duration,
    backoff: BackoffPolicy,
    in_flight_max: usize,
}

impl ChannelBuilder {
    pub(crate) fn new(target_name: &str) -> Self {
        Self {
            name: Arc::from(target_name),
            resolver: Arc::new(StaticResolver::new([])),
            connector: Arc::new(TcpConnector),
            picker: Arc::new(TwoChoices::default()),
            token: None,
            default_deadline: Some(DEFAULT_DEADLINE),
            ready_wait: READY_WAIT_MAX,
            connect_timeout: CONNECT_TIMEOUT,
            backoff: BackoffPolicy::default(),
            in_flight_max: IN_FLIGHT_MAX,
        }
    }

    /// Calls these replicas, for good. Takes `SocketAddr`s and parsed [`Address`]es.
    pub fn endpoints<A: Into<Address>>(self, addresses: impl IntoIterator<Item = A>) -> Self {
        self.resolver(StaticResolver::new(addresses.into_iter().map(Into::into)))
    }

    /// Calls the replicas that the resolver yields.
    pub fn resolver(mut self, resolver: impl Resolve) -> Self {
        self.resolver = Arc::new(resolver);
        self
    }

    /// Puts this source's token into requests that have no `authorization`.
    pub fn token(mut self, source: Arc<dyn TokenSource>) -> Self {
        self.token = Some(source);
        self
    }

    /// How long a call without a deadline waits for the head of its response.
    /// Default: [`DEFAULT_DEADLINE`].
    pub fn default_deadline(mut self, deadline: Duration) -> Self {
        self.default_deadline = Some(deadline);
        self
    }

    /// Lets a call without a deadline wait for its response without bound.
    pub fn no_default_deadline(mut self) -> Self {
        self.default_deadline = None;
        self
    }

    /// How long a call waits for a ready replica, if its deadline does not come first.
    /// Default: [`READY_WAIT_MAX`]; zero fails at once.
    pub fn ready_wait(mut self, wait: Duration) -> Self {
        self.ready_wait = wait;
        self
    }

    /// How long a connection attempt may take. Default: [`CONNECT_TIMEOUT`].
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How connection attempts to one replica slow down.
    pub fn backoff(mut self, policy: BackoffPolicy) -> Self {
        self.backoff = policy;
        self
    }

    /// The most calls at once. Default: [`IN_FLIGHT_MAX`].
    pub fn in_flight_max(mut self, calls: usize) -> Self {
        self.in_flight_max = calls;
        self
    }

    /// How byte streams are opened. Default: [`TcpConnector`].
    pub fn connector(mut self, connector: impl Connect) -> Self {
        self.connector = Arc::new(connector);
        self
    }

    /// How the connection for a call is chosen. Default: [`TwoChoices`].
    pub fn picker(mut self, picker: impl Pick) -> Self {
        self.picker = Arc::new(picker);
        self
    }

    /// Starts connecting to all replicas and answers at once. To be called inside a Tokio runtime.
    #[must_use]
    pub fn build(self) -> Channel {
        let stop = CancellationToken::new();
        let pool = Arc::new(Pool::new(self.connector, self.connect_timeout, self.backoff));
        tokio::spawn(pool::follow(Arc::clone(&pool), self.resolver.watch(), stop.clone()));
        Channel::from_core(Core {
            name: self.name,
            pool,
            picker: self.picker,
            token: self.token,
            default_deadline: self.default_deadline,
            ready_wait: self.ready_wait,
            limit: Limit::new(self.in_flight_max),
            _stop: stop.drop_guard(),
        })
    }
}
