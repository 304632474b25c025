//! What can be chosen about a channel, and the defaults.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use opentelemetry::metrics::Meter;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::BackoffPolicy,
    channel::{Channel, Core},
    concurrency::{AdaptiveConcurrency, ENDPOINT_IN_FLIGHT_MAX},
    configured,
    connect::{CONNECT_TIMEOUT, Connect, SocketConnector},
    deadline::DEFAULT_DEADLINE,
    ejection,
    limits::{IN_FLIGHT_MAX, Limit},
    methods::{MethodTable, MethodTableError},
    pick::{PeakEwma, Policy},
    plan::{Hedging, Plans},
    pool::{self, Pool, PoolSettings},
    request_body::ReplayMemory,
    resolve::{Member, Resolve, StaticResolver},
    retry::{BudgetPolicy, RetryBudget, Throttle},
    selection,
    service_config::{ServiceConfig, ServiceConfigError},
    slow_start::{SlowStart, SlowStartError},
    telemetry::{Metrics, names},
    token::TokenSource,
};

/// The longest that a call waits for a ready endpoint, if its deadline does not come first.
/// A replica that restarts is back within this time; a call without a deadline must not wait for ever.
pub const READY_WAIT_MAX: Duration = Duration::from_secs(5);

/// Makes a [`Channel`].
#[derive(Clone)]
#[must_use]
pub struct ChannelBuilder {
    name: Arc<str>,
    resolver: Arc<dyn Resolve>,
    connector: Arc<dyn Connect>,
    policy: Option<Arc<dyn Policy>>,
    token: Option<Arc<dyn TokenSource>>,
    default_deadline: Option<Duration>,
    ready_wait: Duration,
    wait_for_ready: bool,
    in_flight_max: usize,
    budget: BudgetPolicy,
    hedging: Hedging,
    methods: MethodTable,
    config: Option<ServiceConfig>,
    meter: Option<Meter>,
    pool: PoolSettings,
}

impl ChannelBuilder {
    pub(crate) fn new(target_name: &str) -> Self {
        Self {
            name: Arc::from(target_name),
            resolver: Arc::new(StaticResolver::new(std::iter::empty::<Member>())),
            connector: Arc::new(SocketConnector),
            policy: None,
            token: None,
            default_deadline: Some(DEFAULT_DEADLINE),
            ready_wait: READY_WAIT_MAX,
            wait_for_ready: false,
            in_flight_max: IN_FLIGHT_MAX,
            budget: BudgetPolicy::default(),
            hedging: Hedging::default(),
            methods: MethodTable::default(),
            config: None,
            meter: None,
            pool: PoolSettings {
                connect_timeout: CONNECT_TIMEOUT,
                backoff: BackoffPolicy::default(),
                health_service: None,
                ejection: Some(ejection::Settings::default()),
                slow_start: SlowStart::default(),
                selection: selection::Settings::default(),
                zone: String::new(),
                subset_size: None,
                client_name: None,
                endpoint_in_flight_max: ENDPOINT_IN_FLIGHT_MAX,
                adaptive_concurrency: None,
                seed: None,
            },
        }
    }

    pub(crate) fn name(mut self, target_name: &str) -> Self {
        self.name = Arc::from(target_name);
        self
    }

    /// Calls these endpoints, for good. Takes `SocketAddr`s, parsed [`Address`](crate::Address)es and
    /// [`Member`]s.
    pub fn endpoints<M: Into<Member>>(self, members: impl IntoIterator<Item = M>) -> Self {
        self.resolver(StaticResolver::new(members.into_iter().map(Into::into)))
    }

    /// Calls the endpoints that the resolver yields.
    pub fn resolver(mut self, resolver: impl Resolve) -> Self {
        self.resolver = Arc::new(resolver);
        self
    }

    /// How byte streams are opened. Default: [`SocketConnector`], plaintext over TCP and unix sockets.
    pub fn connector(mut self, connector: impl Connect) -> Self {
        self.connector = Arc::new(connector);
        self
    }

    /// How the endpoint for a call is chosen. Default: what the service config says, else [`PeakEwma`].
    pub fn policy(mut self, policy: impl Policy) -> Self {
        self.policy = Some(Arc::new(policy));
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

    /// How long a call waits for a ready endpoint, if its deadline does not come first.
    /// Default: [`READY_WAIT_MAX`]; zero fails at once.
    pub fn ready_wait(mut self, wait: Duration) -> Self {
        self.ready_wait = wait;
        self
    }

    /// Lets calls wait for a ready endpoint until their deadline (gRPC's "wait for ready").
    /// Default: off; the service config may say otherwise for a method.
    pub fn wait_for_ready(mut self) -> Self {
        self.wait_for_ready = true;
        self
    }

    /// How long a connection attempt may take. Default: [`CONNECT_TIMEOUT`].
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.pool.connect_timeout = timeout;
        self
    }

    /// How connection attempts to one endpoint slow down.
    pub fn backoff(mut self, policy: BackoffPolicy) -> Self {
        self.pool.backoff = policy;
        self
    }

    /// The most calls at once. Default: [`IN_FLIGHT_MAX`].
    pub fn in_flight_max(mut self, calls: usize) -> Self {
        self.in_flight_max = calls;
        self
    }

    /// The most calls at once to one endpoint. Default: [`ENDPOINT_IN_FLIGHT_MAX`].
    pub fn endpoint_in_flight_max(mut self, calls: usize) -> Self {
        self.pool.endpoint_in_flight_max = calls;
        self
    }

    /// Finds out for each endpoint how many calls at once it carries. Default: off.
    pub fn adaptive_concurrency(mut self, settings: AdaptiveConcurrency) -> Self {
        self.pool.adaptive_concurrency = Some(settings);
        self
    }

    /// Reads from an encoded `google.protobuf.FileDescriptorSet` which methods are idempotent
    /// (`idempotency_level`). Only these are sent again once a server may have acted on them.
    ///
    /// # Errors
    /// When the bytes are none.
    pub fn descriptors(mut self, encoded: &[u8]) -> Result<Self, MethodTableError> {
        self.methods = self.methods.with_descriptors(encoded)?;
        Ok(self)
    }

    /// Takes what is known of the methods, so that many channels to one contract need not each decode it.
    /// Replaces what was known before.
    pub fn methods(mut self, table: MethodTable) -> Self {
        self.methods = table;
        self
    }

    /// Says that a method may run twice: `/pkg.Service/Method`, or `/pkg.Service/*` for all of a service.
    ///
    /// # Errors
    /// When the pattern has another form.
    pub fn idempotent(mut self, pattern: &str) -> Result<Self, MethodTableError> {
        self.methods = self.methods.idempotent(pattern)?;
        Ok(self)
    }

    /// Follows a gRPC service config in its standard JSON: retries, hedging, timeouts, load balancing,
    /// outlier detection, health checks. What it does not mention stays as it is.
    ///
    /// # Errors
    /// When a field holds what it may not; the error names it.
    pub fn service_config(mut self, json: &str) -> Result<Self, ServiceConfigError> {
        let config = ServiceConfig::from_json(json)?;
        for field in config.ignored() {
            tracing::info!(target_name = %self.name, field, "a field of the service config is not acted on");
        }
        if let Some(service) = config.health_check_service() {
            self.pool.health_service = Some(service.to_owned());
        }
        if let Some(outliers) = config.outlier_detection() {
            self.pool.ejection = Some(configured::ejection(outliers));
        }
        self.config = Some(config);
        Ok(self)
    }

    /// How many further attempts there may be. Default: one for every five calls, and three a second.
    pub fn retry_budget(mut self, policy: BudgetPolicy) -> Self {
        self.budget = policy;
        self
    }

    /// Whether a call that takes unusually long is sent to another endpoint, too.
    pub fn hedging(mut self, hedging: Hedging) -> Self {
        self.hedging = hedging;
        self
    }

    /// Asks each endpoint's health service for this service, and calls only those that serve it (gRPC's
    /// proposal A17; the empty name asks for the whole server). Default: not asked.
    pub fn health_check(mut self, service: &str) -> Self {
        self.pool.health_service = Some(service.to_owned());
        self
    }

    /// When an endpoint is set aside whose calls fail. Default: [`ejection::Settings`]'s.
    ///
    /// # Errors
    /// When a setting cannot be used; the error names it.
    pub fn ejection(mut self, settings: ejection::Settings) -> Result<Self, ejection::SettingsError> {
        settings.check()?;
        self.pool.ejection = Some(settings);
        Ok(self)
    }

    /// Sets no endpoint aside, however its calls fail.
    pub fn no_ejection(mut self) -> Self {
        self.pool.ejection = None;
        self
    }

    /// How an endpoint that has just become ready gets its share by and by.
    ///
    /// # Errors
    /// When a setting cannot be used; the error names it.
    pub fn slow_start(mut self, settings: SlowStart) -> Result<Self, SlowStartError> {
        settings.check()?;
        self.pool.slow_start = settings;
        Ok(self)
    }

    /// When other zones and lower priorities help, and when ejection counts for nothing.
    ///
    /// # Errors
    /// When a setting cannot be used; the error names it.
    pub fn selection(mut self, settings: selection::Settings) -> Result<Self, selection::SettingsError> {
        settings.check()?;
        self.pool.selection = settings;
        Ok(self)
    }

    /// Where the caller is: endpoints of the same zone are called first. Default: unknown.
    pub fn zone(mut self, zone: &str) -> Self {
        zone.clone_into(&mut self.pool.zone);
        self
    }

    /// Connects to so many endpoints of each priority only, different ones for clients of different names.
    pub fn subset(mut self, client_name: &str, size: NonZeroUsize) -> Self {
        self.pool.client_name = Some(client_name.to_owned());
        self.pool.subset_size = Some(size);
        self
    }

    /// Where metrics go. Default: the global meter provider's; it must be set before the channel is built.
    pub fn meter(mut self, meter: Meter) -> Self {
        self.meter = Some(meter);
        self
    }

    /// Makes all random choices repeatable, for simulations.
    pub fn seed(mut self, seed: u64) -> Self {
        self.pool.seed = Some(seed);
        self
    }

    /// Starts connecting to all endpoints and answers at once. To be called inside a Tokio runtime.
    #[must_use]
    pub fn build(self) -> Channel {
        let stop = CancellationToken::new();
        let meter = self.meter.unwrap_or_else(|| opentelemetry::global::meter(names::METER));
        let configured = self.config.as_ref().and_then(ServiceConfig::load_balancing);
        let policy = match (self.policy, configured) {
            (Some(policy), _) => policy,
            (None, Some(configured)) => configured::policy(configured),
            (None, None) => Arc::new(self.pool.seed.map_or_else(PeakEwma::default, PeakEwma::seeded)),
        };
        let metrics = Metrics::new(&meter, &self.name);
        let pool = Arc::new(Pool::new((self.connector, self.resolver, policy), self.pool, metrics));
        tokio::spawn(pool::follow(Arc::clone(&pool), stop.clone()));
        tokio::spawn(pool::maintain(Arc::clone(&pool), stop.clone()));
        let throttling = self.config.as_ref().and_then(ServiceConfig::retry_throttling);
        Channel::from_core(Core {
            name: self.name,
            pool,
            throttle: throttling.map(Throttle::new),
            plans: Plans::new(self.methods, self.config, self.wait_for_ready, self.hedging),
            budget: RetryBudget::new(self.budget, Instant::now()),
            token: self.token,
            default_deadline: self.default_deadline,
            ready_wait: self.ready_wait,
            replay_memory: ReplayMemory::default(),
            limit: Limit::new(self.in_flight_max),
            _stop: stop.drop_guard(),
        })
    }
}
