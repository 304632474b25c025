//! The endpoints of a channel: follows the resolver, and knows which of them take calls at present.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::{
    sync::{Notify, futures::Notified},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::{
    address::Address,
    backoff::BackoffPolicy,
    concurrency::{AdaptiveConcurrency, Concurrency},
    connect::Connect,
    connection::Stream,
    ejection::{self, Change, Event, Record, Set, Signal},
    endpoint::{Endpoint, EndpointStatus, NoStream},
    outliers,
    pick::{PickArgs, Picker, Policy},
    probe::Probes,
    random::Random,
    resolve::{Member, Resolve},
    selection,
    slow_start::SlowStart,
    subset,
    supervise::supervise,
    telemetry::{Metrics, Selection, SelectionMode},
};

/// What can be chosen about the endpoints of a channel.
#[derive(Clone, Debug)]
pub(crate) struct PoolSettings {
    pub(crate) connect_timeout: Duration,
    pub(crate) backoff: BackoffPolicy,
    /// Asked of each endpoint's health service; `None`: connected is healthy.
    pub(crate) health_service: Option<String>,
    pub(crate) ejection: Option<ejection::Settings>,
    pub(crate) slow_start: SlowStart,
    pub(crate) selection: selection::Settings,
    /// Where the caller is; empty when unknown.
    pub(crate) zone: String,
    /// How many of a larger set are connected.
    pub(crate) subset_size: Option<NonZeroUsize>,
    /// Who chooses the subset; `None`: chosen anew by each channel.
    pub(crate) client_name: Option<String>,
    pub(crate) endpoint_in_flight_max: usize,
    pub(crate) adaptive_concurrency: Option<AdaptiveConcurrency>,
    /// Makes every random choice repeatable.
    pub(crate) seed: Option<u64>,
}

pub(crate) struct Pool {
    pub(crate) connector: Arc<dyn Connect>,
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) policy: Arc<dyn Policy>,
    pub(crate) settings: PoolSettings,
    pub(crate) metrics: Metrics,
    pub(crate) random: Random,
    selection: Selection,
    client: subset::Client,
    rotation: ArcSwap<Rotation>,
    /// For policies that want to know how busy endpoints are.
    probes: Option<Probes>,
    /// Wakes those that wait for another rotation, in the order in which they came.
    changed: Arc<Notify>,
    members: Mutex<Members>,
}

#[derive(Default)]
struct Members {
    list: Vec<(Arc<Endpoint>, CancellationToken)>,
    /// Why the resolver has no newer set.
    resolver_error: Option<Arc<str>>,
}

/// The endpoints that take calls at present. Replaced as a whole, so that a call sees one state of it.
pub(crate) struct Rotation {
    pub(crate) endpoints: Vec<Arc<Endpoint>>,
    pub(crate) picker: Box<dyn Picker>,
}

/// Why no endpoint takes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoPick {
    /// None is connected and serving.
    NotReady,
    /// All that are have as many calls in flight as they may.
    Full,
    /// The servers allow no more streams on the connections that there are; more are being opened.
    Crowded,
}

impl Pool {
    pub(crate) fn new(
        (connector, resolver, policy): (Arc<dyn Connect>, Arc<dyn Resolve>, Arc<dyn Policy>),
        settings: PoolSettings,
        metrics: Metrics,
    ) -> Self {
        let rotation = Rotation { endpoints: Vec::new(), picker: policy.picker(&[], Instant::now()) };
        let random = settings.seed.map_or_else(Random::default, Random::new);
        Self {
            client: match &settings.client_name {
                Some(name) => subset::Client::named(name),
                None => subset::Client { seed: random.next() },
            },
            random,
            probes: policy.probes().then(Probes::new),
            connector,
            resolver,
            policy,
            selection: metrics.selection(),
            settings,
            metrics,
            rotation: ArcSwap::from_pointee(rotation),
            changed: Arc::default(),
            members: Mutex::default(),
        }
    }

    /// What is told when a stream becomes free.
    pub(crate) fn room(&self) -> Arc<Notify> {
        Arc::clone(&self.changed)
    }

    /// Ends at the next change of the rotation, or when a stream becomes free after all were taken.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// A stream at an endpoint for a call, one that it has not met before if there is one. Takes no lock.
    pub(crate) fn pick(
        &self,
        tried: &[Address],
        hash: Option<u64>,
    ) -> Result<(Arc<Endpoint>, Stream), NoPick> {
        let rotation = self.rotation.load();
        let now = Instant::now();
        // A connection may have died since it was last looked at: then the next endpoint is picked.
        for _ in 0..=rotation.endpoints.len() {
            let Some(endpoint) = rotation.pick(tried, hash, now) else { break };
            match endpoint.stream() {
                Ok(stream) => return Ok((Arc::clone(endpoint), stream)),
                Err(NoStream::Dead) => {}
                Err(NoStream::Crowded) => return rotation.any_stream().ok_or(NoPick::Crowded),
            }
        }
        match rotation.endpoints.iter().any(|endpoint| endpoint.is_connected()) {
            true => Err(NoPick::Full),
            false => Err(NoPick::NotReady),
        }
    }

    /// A stream at an endpoint that the call has not met and that could take it now.
    pub(crate) fn pick_other(&self, tried: &[Address]) -> Option<(Arc<Endpoint>, Stream)> {
        let rotation = self.rotation.load();
        let args = PickArgs { endpoints: &rotation.endpoints, tried, hash: None, now: Instant::now() };
        let endpoint = rotation.endpoints.get(rotation.picker.pick(&args)?)?;
        Some((Arc::clone(endpoint), endpoint.stream().ok()?))
    }

    /// Has endpoints probed because a call was sent, if the policy wants it.
    pub(crate) fn probe(self: &Arc<Self>, hash: Option<u64>) {
        let Some(probes) = &self.probes else { return };
        // Whole, since the answers go to the picker that asked, whatever the rotation is by then.
        let rotation = self.rotation.load_full();
        let args = PickArgs { endpoints: &rotation.endpoints, tried: &[], hash, now: Instant::now() };
        for index in rotation.picker.probe_targets(&args) {
            probes.send(self, &rotation, index);
        }
    }

    /// Takes the code with which a call to the endpoint ended; failures may set it aside.
    pub(crate) fn ended(&self, endpoint: &Arc<Endpoint>, code: Code) {
        let Some(settings) = &self.settings.ejection else { return };
        let signal = endpoint.record.ended(code, settings);
        if signal != Signal::Nothing {
            self.judge(|peers| {
                let index = peers.iter().position(|peer| std::ptr::eq(*peer, &endpoint.record));
                let set = Set { settings, records: peers };
                index.and_then(|index| set.judge(index, signal, Instant::now())).into_iter().collect()
            });
        }
    }

    /// Ends an interval of outlier detection.
    fn sweep(&self, settings: &ejection::Settings) {
        self.judge(|peers| {
            let set = Set { settings, records: peers };
            set.sweep(Instant::now(), &mut || self.random.fraction())
        });
    }

    /// Lets outlier detection judge those that stand in for each other: all that are connected.
    fn judge(&self, judge: impl FnOnce(&[&Record]) -> Vec<Change>) {
        let members = self.lock();
        let connected: Vec<_> =
            members.list.iter().map(|(endpoint, _)| endpoint).filter(|peer| peer.is_connected()).collect();
        let records: Vec<_> = connected.iter().map(|peer| &peer.record).collect();
        let changes = judge(&records);
        for change in &changes {
            outliers::report(&self.metrics, connected[change.index].address(), change.event);
        }
        if changes.iter().any(|change| !matches!(change.event, Event::Spared { .. })) {
            self.rebuild(&members);
            drop(members);
            self.changed.notify_waiters();
        }
    }

    pub(crate) fn status(&self) -> Vec<EndpointStatus> {
        self.lock().list.iter().map(|(endpoint, _)| endpoint.status()).collect()
    }

    pub(crate) fn resolver_error(&self) -> Option<Arc<str>> {
        self.lock().resolver_error.clone()
    }

    /// Works out again which endpoints take calls, after a change of any of them.
    pub(crate) fn refresh(&self) {
        self.rebuild(&self.lock());
        self.changed.notify_waiters();
    }

    /// Makes a new picker for the same endpoints.
    fn refresh_picker(&self) {
        self.rebuild(&self.lock());
    }

    fn rebuild(&self, members: &Members) {
        let list = &members.list;
        let views: Vec<_> = list.iter().map(|(endpoint, _)| endpoint.view(&self.settings.zone)).collect();
        for ((endpoint, _), view) in list.iter().zip(&views) {
            endpoint.measure(*view);
        }
        let selected = selection::select(&views, &self.settings.selection);
        let is_panic = selected.mode == selection::Mode::Panic;
        self.selection.set(match selected.mode {
            selection::Mode::Normal => SelectionMode::Normal,
            selection::Mode::Spilled { .. } => SelectionMode::Spilled,
            selection::Mode::Panic => SelectionMode::Panic,
        });
        let endpoints: Vec<_> = selected.indices.iter().map(|&index| Arc::clone(&list[index].0)).collect();
        endpoints.iter().for_each(|endpoint| endpoint.set_panic(is_panic));
        let picker = self.policy.picker(&endpoints, Instant::now());
        self.rotation.store(Arc::new(Rotation { endpoints, picker }));
    }

    /// Makes the members be these: new ones are connected at once, those that are gone drain.
    fn replace(self: &Arc<Self>, wanted: &[Member], stop: &CancellationToken) {
        let wanted = self.subset(wanted);
        let mut members = self.lock();
        members.list.retain(|(endpoint, stop)| {
            let member = wanted.iter().find(|member| member.address == *endpoint.address());
            match member {
                Some(member) => endpoint.describe(member),
                None => stop.cancel(),
            }
            member.is_some()
        });
        for member in wanted {
            if members.list.iter().any(|(endpoint, _)| *endpoint.address() == member.address) {
                continue;
            }
            let concurrency =
                Concurrency::new(self.settings.endpoint_in_flight_max, self.settings.adaptive_concurrency);
            let endpoint =
                Endpoint::new(member.clone(), concurrency, self.settings.slow_start, &self.metrics);
            let endpoint = Arc::new(endpoint);
            let stop = stop.child_token();
            tokio::spawn(supervise(Arc::clone(self), Arc::clone(&endpoint), stop.clone()));
            members.list.push((endpoint, stop));
        }
        drop(members);
        self.refresh();
    }

    /// The part of a large set that this channel connects to, for each priority by itself.
    fn subset<'a>(&self, members: &'a [Member]) -> Vec<&'a Member> {
        let Some(size) = self.settings.subset_size else { return members.iter().collect() };
        let mut levels = BTreeMap::<u32, Vec<&Member>>::new();
        for member in members {
            levels.entry(member.priority).or_default().push(member);
        }
        let chosen = levels.into_values().flat_map(|level| {
            let addresses: Vec<_> = level.iter().map(|member| member.address.as_str()).collect();
            subset::subset(&addresses, self.client, size).into_iter().map(move |index| level[index])
        });
        chosen.collect()
    }

    /// Whether the resolver has named any endpoint yet.
    pub(crate) fn has_endpoints(&self) -> bool {
        !self.lock().list.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rotation {
    /// A stream anywhere, for want of one where the picker would have it.
    fn any_stream(&self) -> Option<(Arc<Endpoint>, Stream)> {
        let mut available = self.endpoints.iter().filter(|endpoint| endpoint.is_available());
        available.find_map(|endpoint| Some((Arc::clone(endpoint), endpoint.stream().ok()?)))
    }

    fn pick(&self, tried: &[Address], hash: Option<u64>, now: Instant) -> Option<&Arc<Endpoint>> {
        let endpoints = &self.endpoints;
        let pick = |tried| self.picker.pick(&PickArgs { endpoints, tried, hash, now });
        let picked = match pick(tried) {
            None if !tried.is_empty() => pick(&[]),
            picked => picked,
        };
        picked.and_then(|index| endpoints.get(index)).or_else(|| {
            // Where all are on probation, and busy with it, more calls than a probe are better than none.
            let usable = endpoints.iter().filter(|endpoint| endpoint.is_connected() && endpoint.has_room());
            usable.min_by_key(|endpoint| endpoint.load().in_flight())
        })
    }
}

/// Follows the resolver's set until `stop`. A set that is empty changes nothing: the last good one stays.
pub(crate) async fn follow(pool: Arc<Pool>, stop: CancellationToken) {
    let mut resolutions = pool.resolver.watch();
    let following = async {
        loop {
            let resolution = resolutions.borrow_and_update().clone();
            pool.lock().resolver_error = resolution.error;
            if !resolution.members.is_empty() {
                pool.replace(&resolution.members, &stop);
            }
            if resolutions.changed().await.is_err() {
                // The resolver is gone: its last set stays.
                return;
            }
        }
    };
    stop.run_until_cancelled(following).await;
}

/// Sweeps for outliers and makes new pickers when it is time, until `stop`.
pub(crate) async fn maintain(pool: Arc<Pool>, stop: CancellationToken) {
    let sweeping = async {
        let Some(settings) = &pool.settings.ejection else { return };
        loop {
            sleep(settings.interval).await;
            pool.sweep(settings);
        }
    };
    let refreshing = async {
        let Some(interval) = pool.policy.refresh_interval() else { return };
        loop {
            sleep(interval).await;
            pool.refresh_picker();
        }
    };
    stop.run_until_cancelled(async { tokio::join!(sweeping, refreshing) }).await;
}
