//! One replica as the channel knows it: its address, its load, its health, and its connections.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use http::uri::Authority;
use opentelemetry::metrics::{Meter, MeterProvider as _, noop::NoopMeterProvider};
use tokio::{sync::Notify, time::Instant};

use crate::{
    address::Address,
    concurrency::Concurrency,
    connection::{Connection, Stream},
    ejection::{self, State},
    load::Load,
    resolve::Member,
    selection::View,
    slow_start::SlowStart,
    telemetry::{EndpointState, Endpoints, Metrics, Quantity},
};

/// How the connection to one replica stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectionState {
    /// An attempt is under way.
    Connecting,
    /// Connected.
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
    /// Whether its health service says that it serves; true when it is not asked.
    pub is_serving: bool,
    /// Whether it is set aside because its calls failed.
    pub is_ejected: bool,
    /// Connections that are open.
    pub connections: usize,
    /// Calls that have begun and not ended.
    pub in_flight: usize,
    /// Why the last attempt failed or the last connection ended; empty when that never happened.
    pub last_error: String,
}

/// The most connections to one endpoint (gRPC's proposal A105 caps them at 10).
pub(crate) const CONNECTIONS_MAX: usize = 10;

/// Why an endpoint has no stream for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoStream {
    /// No connection is open.
    Dead,
    /// All streams are taken, and another connection is being opened.
    Crowded,
}

/// One replica: what pickers see, and what the channel keeps of it. Reading it takes no lock.
#[derive(Debug)]
pub struct Endpoint {
    address: Address,
    /// The address, as requests carry it; absent when it is no valid authority.
    pub(crate) authority: Option<Authority>,
    weight: AtomicU32,
    load: Arc<Load>,
    pub(crate) record: ejection::Record,
    /// So many are ejected that ejection counts for nothing.
    is_panic: AtomicBool,
    pub(crate) concurrency: Concurrency,
    connections: ArcSwap<Vec<Arc<Connection>>>,
    /// Whether one of them was open when they were last looked at.
    is_connected: AtomicBool,
    is_serving: AtomicBool,
    since: Instant,
    /// Microseconds from `since` until it last became ready.
    ready_us: AtomicU64,
    slow_start: SlowStart,
    /// Whether a probe of it is under way.
    is_asked: AtomicBool,
    /// Asks the supervisor for one more connection.
    pub(crate) is_crowded: Notify,
    gauge: Endpoints,
    limit_gauge: Quantity,
    progress: Mutex<Progress>,
}

#[derive(Debug)]
struct Progress {
    member: Member,
    state: ConnectionState,
    last_error: String,
}

impl Endpoint {
    pub(crate) fn new(
        member: Member,
        concurrency: Concurrency,
        slow_start: SlowStart,
        metrics: &Metrics,
    ) -> Self {
        let address = member.address.clone();
        Self {
            authority: address.authority().parse().ok(),
            weight: AtomicU32::new(member.weight),
            load: Arc::new(Load::new(Instant::now())),
            record: ejection::Record::new(Instant::now()),
            is_panic: AtomicBool::new(false),
            concurrency,
            connections: ArcSwap::default(),
            is_connected: AtomicBool::new(false),
            is_serving: AtomicBool::new(true),
            since: Instant::now(),
            ready_us: AtomicU64::new(0),
            slow_start,
            is_asked: AtomicBool::new(false),
            is_crowded: Notify::new(),
            gauge: metrics.endpoint(),
            limit_gauge: metrics.concurrency_limit(),
            progress: Mutex::new(Progress {
                member,
                state: ConnectionState::Connecting,
                last_error: String::new(),
            }),
            address,
        }
    }

    /// An endpoint that no channel knows, without a connection: what tests and measurements of a
    /// [`Policy`](crate::pick::Policy) pick among. It counts as connected from `since` on.
    #[must_use]
    pub fn detached(member: Member, slow_start: SlowStart, since: Instant) -> Self {
        let metrics = Metrics::new(&noop_meter(), "");
        let concurrency = Concurrency::new(usize::MAX, None);
        let endpoint = Self { since, ..Self::new(member, concurrency, slow_start, &metrics) };
        endpoint.set_connected(true);
        endpoint
    }

    /// Says of a [detached](Self::detached) endpoint whether it counts as connected.
    pub fn set_connected(&self, is_connected: bool) {
        self.is_connected.store(is_connected, Ordering::Relaxed);
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Its share of calls relative to others, from the resolver; at least 1.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.weight.load(Ordering::Relaxed)
    }

    /// How busy it is.
    #[must_use]
    pub fn load(&self) -> &Arc<Load> {
        &self.load
    }

    /// When it last became ready.
    #[must_use]
    pub fn ready_since(&self) -> Instant {
        self.since + Duration::from_micros(self.ready_us.load(Ordering::Relaxed))
    }

    /// The share of its weight that counts while it is new, above 0 and at most 1.
    #[must_use]
    pub fn ramp(&self, now: Instant) -> f64 {
        self.slow_start.factor(self.ready_since(), now)
    }

    /// Whether it can take one more call now. A connection may die between two looks.
    #[must_use]
    pub fn is_available(&self) -> bool {
        let in_flight = self.load.in_flight();
        in_flight < self.concurrency.limit()
            && (self.record.allows(in_flight) || self.is_panic.load(Ordering::Relaxed))
            && self.is_connected()
    }

    /// Whether a connection is open, as far as is known.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.is_connected.load(Ordering::Relaxed)
    }

    /// Whether fewer calls are in flight than the endpoint may have.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.load.in_flight() < self.concurrency.limit()
    }

    /// A stream for the next call, on the first connection that has one free, so that others may become
    /// idle. When none has and no further connection may be opened, on the least crowded.
    ///
    /// # Errors
    /// Whether it has no connection, or waits for a further one, which is asked for.
    pub(crate) fn stream(&self) -> Result<Stream, NoStream> {
        let connections = self.connections.load();
        let mut open = connections.iter().filter(|connection| connection.is_open());
        if let Some(stream) = open.clone().find_map(Connection::reserve) {
            return Ok(stream);
        }
        let Some(first) = open.next() else {
            // It died after the last look; the supervisor is about to learn it.
            self.is_connected.store(false, Ordering::Relaxed);
            return Err(NoStream::Dead);
        };
        if connections.len() < CONNECTIONS_MAX {
            self.is_crowded.notify_one();
            return Err(NoStream::Crowded);
        }
        let least =
            open.fold(first, |least, next| if next.streams() < least.streams() { next } else { least });
        Ok(least.begin())
    }

    pub(crate) fn connections(&self) -> Arc<Vec<Arc<Connection>>> {
        self.connections.load_full()
    }

    /// Begins a probe; `None` while another is under way.
    pub(crate) fn probe(self: &Arc<Self>) -> Option<Probing> {
        (!self.is_asked.swap(true, Ordering::Relaxed)).then(|| Probing(Arc::clone(self)))
    }

    /// Adds a connection; the first makes the endpoint ready.
    pub(crate) fn join(&self, connection: &Arc<Connection>) {
        let mut connections = Vec::clone(&self.connections.load());
        if connections.is_empty() {
            let elapsed = Instant::now().saturating_duration_since(self.since);
            self.ready_us.store(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
            // Whoever is back may be another process.
            self.load.forget();
        }
        connections.push(Arc::clone(connection));
        self.connections.store(Arc::new(connections));
        self.is_connected.store(true, Ordering::Relaxed);
        self.set_state(ConnectionState::Ready);
    }

    /// Takes the connection at this place out.
    pub(crate) fn leave(&self, place: usize) {
        let mut connections = Vec::clone(&self.connections.load());
        connections.remove(place);
        self.is_connected.store(!connections.is_empty(), Ordering::Relaxed);
        self.connections.store(Arc::new(connections));
    }

    /// Takes all connections out: the endpoint is not a member any more.
    pub(crate) fn close(&self) {
        self.connections.store(Arc::default());
        self.is_connected.store(false, Ordering::Relaxed);
        self.set_state(ConnectionState::Closed);
    }

    pub(crate) fn set_serving(&self, is_serving: bool) -> bool {
        self.is_serving.swap(is_serving, Ordering::Relaxed) != is_serving
    }

    /// Takes calls though its calls fail, as long as too many others fail, too.
    pub(crate) fn set_panic(&self, is_panic: bool) {
        self.is_panic.store(is_panic, Ordering::Relaxed);
    }

    fn is_ejected(&self) -> bool {
        matches!(self.record.state(), State::Ejected { .. })
    }

    pub(crate) fn set_state(&self, state: ConnectionState) {
        self.progress().state = state;
    }

    /// Takes what the resolver says now about the same address.
    pub(crate) fn describe(&self, member: &Member) {
        self.weight.store(member.weight, Ordering::Relaxed);
        self.progress().member = member.clone();
    }

    /// Notes why there is no connection.
    pub(crate) fn fail(&self, error: String) {
        let mut progress = self.progress();
        progress.state = ConnectionState::Waiting;
        progress.last_error = error;
    }

    /// Notes an error of an endpoint that stays connected.
    pub(crate) fn note(&self, error: String) {
        self.progress().last_error = error;
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn view(&self, own_zone: &str) -> View {
        let progress = self.progress();
        View {
            priority: progress.member.priority,
            in_zone: !own_zone.is_empty() && *progress.member.zone == *own_zone,
            is_connected: self.is_connected(),
            is_serving: self.is_serving.load(Ordering::Relaxed),
            is_ejected: self.is_ejected(),
            is_probing: self.record.state() == State::Probing,
        }
    }

    /// Shows operators how it stands.
    pub(crate) fn measure(&self, view: View) {
        let state = match self.progress().state {
            ConnectionState::Connecting => EndpointState::Connecting,
            ConnectionState::Waiting => EndpointState::Waiting,
            _ if !view.is_serving => EndpointState::NotServing,
            _ if view.is_ejected => EndpointState::Ejected,
            _ => EndpointState::Ready,
        };
        self.gauge.set(state);
        self.limit_gauge.set(self.concurrency.limit());
    }

    pub(crate) fn status(&self) -> EndpointStatus {
        let progress = self.progress();
        EndpointStatus {
            address: self.address.clone(),
            state: progress.state,
            is_serving: self.is_serving.load(Ordering::Relaxed),
            is_ejected: self.is_ejected(),
            connections: self.connections.load().len(),
            in_flight: self.load.in_flight(),
            last_error: progress.last_error.clone(),
        }
    }
}

/// A probe of an endpoint, under way until this is dropped.
#[derive(Debug)]
pub(crate) struct Probing(Arc<Endpoint>);

impl Drop for Probing {
    fn drop(&mut self) {
        self.0.is_asked.store(false, Ordering::Relaxed);
    }
}

/// Records nothing.
fn noop_meter() -> Meter {
    NoopMeterProvider::new().meter("")
}
