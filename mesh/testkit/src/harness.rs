//! One service on its own: real sockets, an embedded database, keys of the test, fakes for its peers.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use anyhow::{Context as _, Result};
use plexus_client::{Channel, StaticToken};
use plexus_runtime::{
    clock::Clock,
    identity::{AUDIENCE, Claims, ISSUER, Role, SigningKey, TrustState},
    notices::Notices,
    peers::Peers,
    replica::{self, Place, Process, Replica},
    server::ServerSettings,
    service::Service,
    settings::Secret,
    stores::{database::Database, shared::Shared},
    telemetry::Metrics,
};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use tonic::{service::Routes, transport::server::TcpIncoming};

use crate::stores::sqlite_url;

/// The secret of every mesh under test.
const MESH_SECRET: &str = "the secret of a mesh under test";
/// Far enough ahead that no test outlives its tokens, whatever its clock does.
const TOKEN_SECONDS: i64 = 100 * 365 * 24 * 3600;

/// A running service under test.
pub struct Harness {
    key: SigningKey,
    replica: Option<Replica>,
    address: SocketAddr,
    database: Database,
    process: Process,
    peers: Vec<JoinHandle<()>>,
    folder: Option<TempDir>,
}

/// What a harness is to start with.
pub struct HarnessBuilder<S: Service> {
    settings: S::Settings,
    clock: Clock,
    shared: Option<Shared>,
    peers: Vec<(String, Routes)>,
    database_url: Option<String>,
    server: ServerSettings,
}

impl Harness {
    /// Begins a harness for `S` with default settings, the system's clock, SQLite and the in-process shared tier.
    #[must_use]
    pub fn of<S: Service>() -> HarnessBuilder<S> {
        HarnessBuilder {
            settings: S::Settings::default(),
            clock: Clock::system(),
            shared: None,
            peers: Vec::new(),
            database_url: None,
            server: ServerSettings { lame_duck_ms: 0, ..ServerSettings::default() },
        }
    }

    /// A channel whose calls come from `subject` (`user:alice`) with `permissions`.
    #[must_use]
    pub fn channel(&self, subject: &str, permissions: &[&str]) -> Channel {
        self.channel_with_token(&self.token(subject, permissions))
    }

    /// A channel whose calls come from the service `name`.
    #[must_use]
    pub fn service_channel(&self, name: &str) -> Channel {
        self.channel(&format!("service:{name}"), &[])
    }

    /// A channel whose calls carry no token.
    #[must_use]
    pub fn anonymous_channel(&self) -> Channel {
        Channel::builder("under-test").endpoints([self.address]).build()
    }

    /// A channel whose calls carry `token`.
    #[must_use]
    pub fn channel_with_token(&self, token: &str) -> Channel {
        Channel::builder("under-test")
            .endpoints([self.address])
            .token(StaticToken::new(token).expect("a token of printable characters"))
            .build()
    }

    /// A token for `subject` with `permissions`, which stand as role names of the same text.
    #[must_use]
    pub fn token(&self, subject: &str, permissions: &[&str]) -> String {
        let now = self.process.clock.now_us().div_euclid(1_000_000);
        let claims = Claims {
            sub: subject.to_owned(),
            sid: "session-under-test".to_owned(),
            jti: "token-under-test".to_owned(),
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            iat: now,
            exp: now + TOKEN_SECONDS,
            roles: permissions.iter().map(ToString::to_string).collect(),
        };
        self.key.sign(&claims).unwrap_or_default()
    }

    /// The database of the service.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The clock of the service.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.process.clock
    }

    /// What the service said to whoever started it.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        self.process.notices.take()
    }

    /// The metrics in Prometheus's text format.
    #[must_use]
    pub fn metrics(&self) -> String {
        self.process.metrics.expose()
    }

    /// The secret of the mesh.
    #[must_use]
    pub fn mesh_secret(&self) -> &str {
        self.process.mesh_secret.reveal()
    }

    /// Where the service listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Drains the service and gives back the folder of its database, to start it again on.
    pub async fn stop(mut self) -> Option<TempDir> {
        if let Some(replica) = self.replica.take() {
            replica.drain().await;
        }
        self.database.close().await;
        self.folder.take()
    }
}

impl Drop for Harness {
    fn drop(&mut self) {
        self.peers.iter().for_each(JoinHandle::abort);
    }
}

impl<S: Service> HarnessBuilder<S> {
    /// With these settings.
    #[must_use]
    pub fn settings(mut self, settings: S::Settings) -> Self {
        self.settings = settings;
        self
    }

    /// With this clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// With this shared tier.
    #[must_use]
    pub fn shared(mut self, shared: Shared) -> Self {
        self.shared = Some(shared);
        self
    }

    /// With `routes` standing in for the service `name`.
    #[must_use]
    pub fn peer(mut self, name: &str, routes: Routes) -> Self {
        self.peers.push((name.to_owned(), routes));
        self
    }

    /// With these limits of the server.
    #[must_use]
    pub fn server(mut self, server: ServerSettings) -> Self {
        self.server = server;
        self
    }

    /// On the database at this URL.
    #[must_use]
    pub fn database_url(mut self, url: impl Into<String>) -> Self {
        self.database_url = Some(url.into());
        self
    }

    /// Starts the service and waits until it is ready.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(self) -> Result<Harness> {
        let folder = TempDir::new()?;
        self.start_in(folder).await
    }

    /// Starts the service on the database in `folder`, which an earlier harness may have left.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_in(self, folder: TempDir) -> Result<Harness> {
        let url = self.database_url.clone().unwrap_or_else(|| sqlite_url(&folder));
        let database = Database::open(&url, S::NAME, S::migrations()).await.context("the database")?;
        let process = Process {
            clock: self.clock,
            metrics: Metrics::new()?,
            shared: self.shared.unwrap_or_else(Shared::memory),
            mesh_secret: Secret::new(MESH_SECRET),
            server: self.server,
            notices: Notices::default(),
        };
        let mut tasks = Vec::new();
        let mut channels = BTreeMap::new();
        for (name, routes) in self.peers {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = listener.local_addr()?;
            channels.insert(name.clone(), Channel::builder(&name).endpoints([address]).build());
            tasks.push(tokio::spawn(serve_fake(listener, routes)));
        }
        let key = SigningKey::generate()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let place = Place {
            name: format!("{}-0", S::NAME),
            listener,
            database: database.clone(),
            peers: Peers::new(channels),
        };
        let replica = replica::start::<S>(&process, place, self.settings).await?;
        // auth trusts nobody's keys but its own; its tests log in for real.
        if S::NAME != "auth" {
            replica.trust().publish(&trust(&key));
        }
        replica.health().ready().await;
        Ok(Harness {
            key,
            replica: Some(replica),
            address,
            database,
            process,
            peers: tasks,
            folder: Some(folder),
        })
    }
}

async fn serve_fake(listener: TcpListener, routes: Routes) {
    let server = tonic::transport::Server::builder().add_routes(routes);
    let ended = server.serve_with_incoming(TcpIncoming::from(listener)).await;
    assert!(ended.is_ok(), "a fake peer failed");
}

/// The test's own key, and a role of the same name for each permission of the contract.
fn trust(key: &SigningKey) -> TrustState {
    let permissions: BTreeSet<&String> = plexus_runtime::identity::permissions().iter().collect();
    let roles = permissions.into_iter();
    let roles = roles.map(|name| Role { name: name.clone(), permissions: vec![name.clone()] }).collect();
    TrustState { keys: vec![key.jwk().clone()], roles }
}
