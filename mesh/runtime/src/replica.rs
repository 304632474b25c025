//! One replica of one service: started on a listener, drained, stopped.

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use tokio::{
    net::TcpListener,
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{
    clock::Clock,
    connections::{self, Ending},
    health::{Health, State},
    identity::{self, Trust},
    layers::{Admission, Layers, Load},
    notices::Notices,
    peers::{self, Peers},
    server::{self, ServerSettings},
    service::{Check, Dependencies, Service, Severity, StartError},
    settings::{Secret, Settings as _},
    stores::{database::Database, shared::Shared},
    tasks::Tasks,
    telemetry::{Metrics, Role},
};

/// The service whose keys everybody needs.
const AUTH: &str = "auth";

/// How long what is cut off at the drain deadline may take to be gone: it only has to be dropped.
const CUT_TIMEOUT: Duration = Duration::from_secs(1);

/// What the replicas of a process share.
#[derive(Clone, Debug)]
pub struct Process {
    /// The present moment.
    pub clock: Clock,
    /// The metrics of the process.
    pub metrics: Metrics,
    /// The shared tier.
    pub shared: Shared,
    /// The secret that the services of this mesh share.
    pub mesh_secret: Secret,
    /// How servers protect themselves and end.
    pub server: ServerSettings,
    /// What the person who started the process should read.
    pub notices: Notices,
}

/// What one replica has for itself.
#[derive(Debug)]
pub struct Place {
    /// Its name, such as `quota-0`.
    pub name: String,
    /// Where it listens.
    pub listener: TcpListener,
    /// Its database, which it may share with other replicas of the same service.
    pub database: Database,
    /// The other services.
    pub peers: Peers,
}

/// A running replica.
#[derive(Debug)]
pub struct Replica {
    name: String,
    service: &'static str,
    address: SocketAddr,
    health: Health,
    trust: Trust,
    tasks: Tasks,
    ending: Ending,
    server: JoinHandle<()>,
    settings: ServerSettings,
}

/// Starts a replica of `S`. It answers health probes at once and serves when its dependencies are well.
///
/// # Errors
/// When a setting makes no sense or the service cannot start.
pub async fn start<S: Service>(
    process: &Process,
    place: Place,
    settings: S::Settings,
) -> Result<Replica, StartError> {
    settings.check().map_err(|error| StartError::new(format!("the settings of {}", S::NAME), error))?;
    let role = Role::new(S::NAME);
    let address =
        place.listener.local_addr().map_err(|error| StartError::new("the listener has no address", error))?;
    let tasks = Tasks::default();
    let trust = Trust::default();
    let started = S::start(settings, dependencies(process, &place, &tasks, &trust)).await?;

    let reporter = tonic_health::server::HealthReporter::new();
    let health = Health::new(&place.name, role, reporter.clone(), process.metrics.clone()).await;
    let load = process.server.load_reports.then(Arc::<Load>::default);
    let layers = Layers {
        role,
        metrics: process.metrics.rpc(),
        clock: process.clock.clone(),
        trust: trust.clone(),
        admission: Arc::new(Admission::new(
            process.server.calls_in_flight_max,
            process.server.adaptive_concurrency,
        )),
        load: load.clone(),
        unary_deadline: process.server.unary_deadline(),
    };
    let router = server::assemble(started.routes, reporter, &layers)?;
    let ending = Ending::default();
    let limits = process.server.connections();
    let server = tokio::spawn(connections::serve(place.listener, router, limits, ending.clone()));

    if let Some(load) = load {
        tasks.spawn("sample_load", |stop| async move { load.sample(stop).await });
    }
    if S::NAME != AUTH
        && let Some(auth) = place.peers.find(AUTH)
    {
        tasks.spawn("watch_trust", |stop| identity::watch::run(auth, trust.clone(), stop));
    }
    let mut checks = checks::<S>(&place.database, &process.shared, &place.peers, &trust);
    checks.push(loops(tasks.clone()));
    checks.extend(started.checks);
    tasks.spawn("check_dependencies", |stop| health.clone().run(checks, stop));
    Ok(Replica {
        name: place.name,
        service: S::NAME,
        address,
        health,
        trust,
        tasks,
        ending,
        server,
        settings: process.server.clone(),
    })
}

fn dependencies(process: &Process, place: &Place, tasks: &Tasks, trust: &Trust) -> Dependencies {
    Dependencies {
        database: place.database.clone(),
        shared: process.shared.clone(),
        peers: place.peers.clone(),
        clock: process.clock.clone(),
        tasks: tasks.clone(),
        trust: trust.clone(),
        mesh_secret: process.mesh_secret.clone(),
        notices: process.notices.clone(),
    }
}

/// What the health of every service depends on.
fn checks<S: Service>(database: &Database, shared: &Shared, channels: &Peers, trust: &Trust) -> Vec<Check> {
    let (database, shared, trust) = (database.clone(), shared.clone(), trust.clone());
    let mut checks = vec![
        Check::new("database", Severity::Required, move || {
            let database = database.clone();
            async move { database.check().await.map_err(|error| error.to_string()) }
        }),
        Check::new("shared tier", Severity::Optional, move || {
            let shared = shared.clone();
            async move { shared.check().await.map_err(|error| error.to_string()) }
        }),
        Check::new("keys of auth", Severity::Required, move || {
            let known = trust.is_known();
            async move { if known { Ok(()) } else { Err("have not arrived yet".to_owned()) } }
        }),
    ];
    for name in S::CALLS {
        let channel = channels.find(name);
        checks.push(Check::new(*name, Severity::RequiredAtStart, move || {
            let ready = channel.as_ref().is_some_and(peers::is_reachable);
            async move { if ready { Ok(()) } else { Err("no replica can be reached".to_owned()) } }
        }));
    }
    checks
}

/// Whether all background loops still do what they are for.
fn loops(tasks: Tasks) -> Check {
    Check::new("background loops", Severity::Required, move || {
        let panicked = tasks.panicked();
        async move {
            panicked
                .map_or(Ok(()), |name| Err(format!("{name} panicked and runs no more; restart the replica")))
        }
    })
}

impl Replica {
    /// Its name, such as `quota-0`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The service it is a replica of.
    #[must_use]
    pub fn service(&self) -> &'static str {
        self.service
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its health.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// What its tokens are verified against.
    #[must_use]
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// Ends its loops and the streams that have no end of their own; it goes on to serve calls.
    pub fn end_streams(&self) {
        self.tasks.stop();
    }

    /// Says that it is going, ends its loops and endless streams, takes calls for the lame duck time, tells every
    /// connection to go, finishes what it has begun, and cuts off what is left at the drain deadline.
    pub async fn drain(self) {
        self.health.leave(State::Draining).await;
        self.end_streams();
        sleep(Duration::from_millis(self.settings.lame_duck_ms)).await;
        self.ending.drain.cancel();
        self.health.end_watches().await;
        let (name, server) = (self.name, self.server);
        let mut finished = pin!(async {
            if let Err(error) = server.await {
                tracing::error!(replica = name, %error, "a server did not end by itself");
            }
            self.tasks.stopped().await;
        });
        let drain_seconds = self.settings.drain_seconds;
        if timeout(Duration::from_secs(drain_seconds), &mut finished).await.is_err() {
            tracing::warn!(
                replica = name,
                drain_seconds,
                "calls still under way at the drain deadline are cut"
            );
            self.ending.cut.cancel();
            self.tasks.cut();
            if timeout(CUT_TIMEOUT, finished).await.is_err() {
                tracing::error!(replica = name, "a call or a loop does not yield; it ends with the process");
            }
        }
        self.health.leave(State::Stopped).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_replica_whose_loop_panicked_is_not_well() {
        let tasks = Tasks::default();
        let check = loops(tasks.clone());
        assert_eq!((check.severity, (check.probe)().await), (Severity::Required, Ok(())));
        tasks.spawn("settle", |_| async { panic!("a bug in a loop") });
        tasks.stop();
        tasks.stopped().await;
        let error = (check.probe)().await.unwrap_err();
        assert!(error.starts_with("settle panicked"), "{error}");
    }
}
