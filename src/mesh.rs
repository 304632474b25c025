//! Runs roles in this process: binds, opens, starts in order, waits, drains in reverse.

use std::{collections::BTreeMap, os::unix::fs::DirBuilderExt as _, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use futures_util::future::try_join_all;
use plexus_client::{Address, plexus::ServiceLogin};
use plexus_runtime::{
    admin::{self, Fleet as _},
    clock::Clock,
    notices::Notices,
    peers::{self, Peers},
    replica::{Place, Process},
    settings::Secret,
    stores::{database::Database, shared::Shared},
    telemetry::{Role, Telemetry},
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::oneshot,
    time::timeout,
};
use uuid::Uuid;

use crate::{bridge::RunningBridge, fleet::Replicas, output, roles::RoleName, settings::Settings, table};

/// How long requests on the admin port may go on after everything else has stopped.
const ADMIN_DRAIN: Duration = Duration::from_secs(2);
/// After this a start that is not ready says why, and goes on waiting.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs the whole mesh, `replicas` of each service.
pub(crate) async fn up(mut settings: Settings, replicas: u16) -> Result<()> {
    if settings.mesh_secret.is_empty() {
        // Everything that must know it lives in this process.
        settings.mesh_secret = Secret::new(format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()));
    }
    let mut roles = RoleName::SERVICES.to_vec();
    roles.push(RoleName::Bridge);
    run(settings, &roles, replicas).await
}

/// Runs `roles`, as one container of a larger mesh.
pub(crate) async fn serve(settings: Settings, roles: &[RoleName]) -> Result<()> {
    if settings.mesh_secret.is_empty() && roles.iter().any(|role| *role != RoleName::Bridge) {
        bail!(
            "mesh_secret is not set: give every service of the mesh the same PLEXUS_MESH_SECRET of 32 characters or more"
        );
    }
    let mut roles = roles.to_vec();
    roles.sort_unstable();
    roles.dedup();
    run(settings, &roles, 1).await
}

async fn run(settings: Settings, roles: &[RoleName], replicas: u16) -> Result<()> {
    let names: Vec<Role> = roles.iter().map(|role| Role::new(role.name())).collect();
    let telemetry = Telemetry::start(&settings.telemetry, &Uuid::new_v4().to_string(), &names)?;
    let outcome = run_traced(&settings, roles, replicas, &telemetry).await;
    telemetry.shutdown().await;
    outcome
}

async fn run_traced(
    settings: &Settings,
    roles: &[RoleName],
    replicas: u16,
    telemetry: &Telemetry,
) -> Result<()> {
    let mut signals = Signals::new()?;
    let listeners = bind_all(settings, roles, replicas).await?;
    let admin_listener = bind(settings, "admin", settings.ports.admin).await?;
    let addresses = addresses(settings, &listeners)?;
    let process = process(settings, telemetry)?;
    let databases = open_databases(settings, roles).await?;

    let fleet = Arc::new(Replicas::default());
    for (role, listeners) in listeners {
        if role == RoleName::Bridge {
            for listener in listeners {
                fleet.add_bridge(
                    RunningBridge::start(settings, &addresses, telemetry.metrics(), listener).await?,
                );
            }
            continue;
        }
        let peers = role.peers(&addresses, &process);
        let database = databases.get(role.name()).context("every service has a database")?;
        for (number, listener) in listeners.into_iter().enumerate() {
            let name = format!("{role}-{number}");
            let place = Place { name, listener, database: database.clone(), peers: peers.clone() };
            let started = role.start(&process, place, settings).await;
            // Told at once: what comes after may fail, and this is said only once.
            process.notices.take().iter().for_each(|notice| say(notice));
            fleet.add(started.with_context(|| format!("{role} did not start"))?);
        }
    }
    let admin_address = admin_listener.local_addr()?.to_string();
    let (stop_admin, admin_stopped) = oneshot::channel::<()>();
    let serving = admin::serve(admin_listener, fleet.clone(), telemetry.metrics().clone(), async {
        // The sender is dropped when the process ends, which is a sign to stop as good as any.
        let _stopped = admin_stopped.await;
    });
    let admin = tokio::spawn(serving);

    let ready = tokio::select! {
        () = announce(&fleet, &admin_address) => true,
        () = signals.any() => false,
    };
    if ready {
        signals.any().await;
    }
    tracing::info!("stopping: new work is refused, work under way is finished");
    fleet.drain_all().await;
    drop(stop_admin);
    if timeout(ADMIN_DRAIN, admin).await.is_err() {
        tracing::warn!("a request on the admin port was cut off");
    }
    for database in databases.values() {
        database.close().await;
    }
    Ok(())
}

fn process(settings: &Settings, telemetry: &Telemetry) -> Result<Process> {
    let shared = match settings.shared_url.reveal() {
        "" => Shared::memory(),
        url => Shared::redis(url).context("shared_url")?,
    };
    Ok(Process {
        clock: Clock::system(),
        metrics: telemetry.metrics().clone(),
        shared,
        mesh_secret: settings.mesh_secret.clone(),
        server: settings.server.clone(),
        notices: Notices::default(),
    })
}

/// Prints what listens where once everything is ready, and why not when that takes long.
async fn announce(fleet: &Replicas, admin: &str) {
    while timeout(PATIENCE, fleet.ready()).await.is_err() {
        say("not ready yet:");
        table::lines(&fleet.replicas()).iter().for_each(|line| say(&format!("  {line}")));
    }
    say(&format!("plexus {} is ready", env!("CARGO_PKG_VERSION")));
    let replicas = fleet.replicas();
    table::lines(&replicas).iter().for_each(|line| say(&format!("  {line}")));
    if let Some(bridge) = replicas.iter().find(|replica| replica.service == "bridge") {
        say(&format!("REST and documentation: http://{}/docs", bridge.address));
    }
    say(&format!("probes and metrics: http://{admin}/readyz /livez /status /metrics"));
}

/// Tells whoever reads; a mesh whose output nobody reads runs on.
fn say(line: &str) {
    let _unread = output::line(line);
}

type Listeners = BTreeMap<RoleName, Vec<TcpListener>>;

/// Binds every port before anything starts, so that a taken one stops the start at once.
async fn bind_all(settings: &Settings, roles: &[RoleName], replicas: u16) -> Result<Listeners> {
    let mut listeners = Listeners::new();
    for role in roles {
        let count = if *role == RoleName::Bridge { 1 } else { replicas };
        for number in 0..count {
            let port = if number == 0 { role.port(settings) } else { 0 };
            listeners.entry(*role).or_default().push(bind(settings, role.name(), port).await?);
        }
    }
    Ok(listeners)
}

async fn bind(settings: &Settings, name: &str, port: u16) -> Result<TcpListener> {
    let address = (settings.listen_address.as_str(), port);
    TcpListener::bind(address).await.with_context(|| {
        format!(
            "port {port} for {name} cannot be opened; is another program (or another plexus) using it? \
             Stop that, or choose another with --set ports.{name}=PORT"
        )
    })
}

/// Where each service can be reached: as configured, or in this process.
fn addresses(settings: &Settings, listeners: &Listeners) -> Result<BTreeMap<String, Vec<Address>>> {
    let mut addresses = settings.peer_addresses()?;
    for (role, listeners) in listeners {
        let local = listeners.iter().filter_map(|listener| listener.local_addr().ok());
        let local = local.map(|address| reachable(&address.to_string()).parse());
        let local: Vec<Address> = local.collect::<Result<_, _>>()?;
        addresses.entry(role.name().to_owned()).or_insert(local);
    }
    Ok(addresses)
}

/// An address that listens on all interfaces is reached from inside by loopback.
pub(crate) fn reachable(address: &str) -> String {
    address.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:")
}

async fn open_databases(settings: &Settings, roles: &[RoleName]) -> Result<BTreeMap<&'static str, Database>> {
    let embedded = settings.database_url.is_empty();
    if embedded {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&settings.data_dir)
            .with_context(|| format!("the folder {} could not be made; set data_dir", settings.data_dir))?;
    }
    let opened = roles.iter().filter_map(|role| Some((role.name(), role.migrations()?)));
    let opened = opened.map(|(name, migrations)| async move {
        let url = match settings.database_url.reveal() {
            "" => format!("sqlite://{}/{name}.db?mode=rwc", settings.data_dir),
            url => url.to_owned(),
        };
        let database = Database::open(&url, name, migrations).await;
        Ok::<_, anyhow::Error>((
            name,
            database.with_context(|| format!("the database of {name} could not be opened"))?,
        ))
    });
    Ok(try_join_all(opened).await?.into_iter().collect())
}

/// The signals that ask a process to stop.
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

impl RoleName {
    /// Channels to the services that this one calls, each call signed with this service's own token.
    fn peers(self, addresses: &BTreeMap<String, Vec<Address>>, process: &Process) -> Peers {
        let begin = |name: &str, addresses: &[Address]| {
            peers::builder(name).meter(process.metrics.channels()).endpoints(addresses.to_vec())
        };
        let Some(auth) = addresses.get(Self::Auth.name()) else { return Peers::default() };
        let auth = begin(Self::Auth.name(), auth).build();
        let login = ServiceLogin::new(self.name(), process.mesh_secret.reveal(), auth);
        let called = self.calls().iter().copied().chain([Self::Auth.name()]);
        let channels = called.filter_map(|name| {
            Some((name.to_owned(), begin(name, addresses.get(name)?).token(login.clone()).build()))
        });
        Peers::new(channels.collect())
    }
}
