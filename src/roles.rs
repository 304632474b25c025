//! The roles that a process can play, and the one place that knows every service's type.

use std::{collections::BTreeMap, fmt, str::FromStr};

use plexus_ai::Ai;
use plexus_analytics::Analytics;
use plexus_auth::Auth;
use plexus_card::Card;
use plexus_quota::Quota;
use plexus_runtime::{
    replica::{self, Place, Process, Replica},
    service::{Service, StartError},
    stores::database::Migrations,
};

use crate::settings::Settings;

/// A role, in the order in which roles are started: whoever is called comes before its callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RoleName {
    Auth,
    Quota,
    Analytics,
    Card,
    Ai,
    Bridge,
}

impl RoleName {
    /// All services, without the bridge.
    pub(crate) const SERVICES: [Self; 5] = [Self::Auth, Self::Quota, Self::Analytics, Self::Card, Self::Ai];

    /// The name in settings, on the command line and in traces.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Auth => Auth::NAME,
            Self::Quota => Quota::NAME,
            Self::Analytics => Analytics::NAME,
            Self::Card => Card::NAME,
            Self::Ai => Ai::NAME,
            Self::Bridge => "bridge",
        }
    }

    /// The services it calls.
    pub(crate) fn calls(self) -> &'static [&'static str] {
        match self {
            Self::Auth => Auth::CALLS,
            Self::Quota => Quota::CALLS,
            Self::Analytics => Analytics::CALLS,
            Self::Card => Card::CALLS,
            Self::Ai => Ai::CALLS,
            Self::Bridge => &[],
        }
    }

    /// The port it listens on.
    pub(crate) fn port(self, settings: &Settings) -> u16 {
        match self {
            Self::Auth => settings.ports.auth,
            Self::Quota => settings.ports.quota,
            Self::Analytics => settings.ports.analytics,
            Self::Card => settings.ports.card,
            Self::Ai => settings.ports.ai,
            Self::Bridge => settings.ports.bridge,
        }
    }

    /// The tables of the service; the bridge has none.
    pub(crate) fn migrations(self) -> Option<Migrations> {
        match self {
            Self::Auth => Some(Auth::migrations()),
            Self::Quota => Some(Quota::migrations()),
            Self::Analytics => Some(Analytics::migrations()),
            Self::Card => Some(Card::migrations()),
            Self::Ai => Some(Ai::migrations()),
            Self::Bridge => None,
        }
    }

    /// Starts a replica of the service.
    pub(crate) async fn start(
        self,
        process: &Process,
        place: Place,
        settings: &Settings,
    ) -> Result<Replica, StartError> {
        match self {
            Self::Auth => replica::start::<Auth>(process, place, settings.auth.clone()).await,
            Self::Quota => replica::start::<Quota>(process, place, settings.quota.clone()).await,
            Self::Analytics => replica::start::<Analytics>(process, place, settings.analytics.clone()).await,
            Self::Card => replica::start::<Card>(process, place, settings.card.clone()).await,
            Self::Ai => replica::start::<Ai>(process, place, settings.ai.clone()).await,
            Self::Bridge => Err(StartError::because("the bridge is not a service")),
        }
    }
}

impl FromStr for RoleName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let roles: BTreeMap<&str, Self> =
            Self::SERVICES.into_iter().chain([Self::Bridge]).map(|role| (role.name(), role)).collect();
        roles.get(name).copied().ok_or_else(|| {
            format!(
                "there is no role {name}; the roles are {}",
                roles.keys().copied().collect::<Vec<_>>().join(", ")
            )
        })
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
