//! The one trait that a service implements.

use std::{future::Future, sync::Arc};

use futures_util::future::BoxFuture;
use tonic::service::Routes;

use crate::{
    clock::Clock,
    identity::Trust,
    notices::Notices,
    peers::Peers,
    settings::{Secret, SettingError, Settings},
    stores::{
        database::{Database, Error as DatabaseError, Migrations},
        shared::Shared,
    },
    tasks::Tasks,
};

/// A service of the mesh.
pub trait Service: Send + Sync + 'static {
    /// Its name: that of its package, its section in the settings and its role in traces.
    const NAME: &'static str;
    /// The services it calls. `auth` need not be named: everybody needs its keys.
    const CALLS: &'static [&'static str];
    /// Its own settings.
    type Settings: Settings;

    /// The schema of its tables, per engine.
    fn migrations() -> Migrations;

    /// Starts it; the database is open and migrated.
    fn start(
        settings: Self::Settings,
        with: Dependencies,
    ) -> impl Future<Output = Result<Started, StartError>> + Send;
}

/// What a service is given.
#[derive(Clone, Debug)]
pub struct Dependencies {
    /// Its durable store.
    pub database: Database,
    /// The shared tier, which may be lost.
    pub shared: Shared,
    /// The other services.
    pub peers: Peers,
    /// The present moment.
    pub clock: Clock,
    /// Its background loops. Long-lived streams end when [`Tasks::stopping`] is cancelled.
    pub tasks: Tasks,
    /// What tokens are verified against; only `auth` publishes to it.
    pub trust: Trust,
    /// The secret that the services of this mesh share; only `auth` looks at it.
    pub mesh_secret: Secret,
    /// What the person who started the process should read.
    pub notices: Notices,
}

/// A service that has started.
pub struct Started {
    /// Its RPCs.
    pub routes: Routes,
    /// What its health depends on, besides the database, the shared tier, the keys and its peers.
    pub checks: Vec<Check>,
}

/// How much a failing check matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Without it no call can succeed: the service is not ready.
    Required,
    /// It has to be there once before the service is ready; later its absence degrades.
    RequiredAtStart,
    /// Its absence degrades.
    Optional,
}

/// Something that the health of a service depends on.
#[derive(Clone)]
pub struct Check {
    /// What is checked, such as `database`.
    pub name: String,
    /// How much it matters.
    pub severity: Severity,
    /// Asks it; the error says in a few words what is wrong.
    pub probe: Probe,
}

/// Asks a dependency whether it is well.
pub type Probe = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

impl Started {
    /// A service with these RPCs.
    #[must_use]
    pub fn new(routes: Routes) -> Self {
        Self { routes, checks: Vec::new() }
    }

    /// Adds something that the health depends on.
    #[must_use]
    pub fn check(mut self, check: Check) -> Self {
        self.checks.push(check);
        self
    }
}

impl Check {
    /// A check called `name` that asks with `probe`.
    pub fn new<F, T>(name: impl Into<String>, severity: Severity, probe: F) -> Self
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self { name: name.into(), severity, probe: Arc::new(move || Box::pin(probe())) }
    }
}

/// Why a service did not start.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct StartError {
    what: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl StartError {
    /// What could not be done, and why.
    pub fn new(what: impl Into<String>, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { what: what.into(), source: Some(source.into()) }
    }

    /// What could not be done.
    pub fn because(what: impl Into<String>) -> Self {
        Self { what: what.into(), source: None }
    }
}

impl From<DatabaseError> for StartError {
    fn from(error: DatabaseError) -> Self {
        Self::new("the database could not be used", error)
    }
}

impl From<sqlx::Error> for StartError {
    fn from(error: sqlx::Error) -> Self {
        DatabaseError::from(error).into()
    }
}

impl From<SettingError> for StartError {
    fn from(error: SettingError) -> Self {
        Self::new("a setting cannot be used", error)
    }
}
