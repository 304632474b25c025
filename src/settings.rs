//! The settings of the whole process: what the roles share, and one section per role.

use std::collections::BTreeMap;

use plexus_client::{Address, AddressError};
use plexus_runtime::{
    server::ServerSettings,
    service::Service,
    settings::{Secret, SettingError, Settings as Check},
    telemetry::TelemetrySettings,
};
use serde::{Deserialize, Serialize};

use crate::roles::RoleName;

/// A secret that services show each other has at least so many characters.
const MESH_SECRET_CHARACTERS_MIN: usize = 32;

/// Everything that can be set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Where the embedded stores live.
    pub(crate) data_dir: String,
    /// `postgres://…` for all services; empty: a SQLite file per service in `data_dir`.
    pub(crate) database_url: Secret,
    /// `redis://…` for the shared tier; empty: the memory of this process.
    pub(crate) shared_url: Secret,
    /// What services show each other to be believed, at least 32 characters; `plexus up` makes its own when empty.
    pub(crate) mesh_secret: Secret,
    /// Where everything listens; loopback unless told otherwise.
    pub(crate) listen_address: String,
    /// The ports.
    pub(crate) ports: Ports,
    /// Addresses of services that run elsewhere: `quota = ["quota-1:50052", "quota-2:50052"]`.
    pub(crate) peers: BTreeMap<String, Vec<String>>,
    /// How servers protect themselves and end.
    pub(crate) server: ServerSettings,
    /// Traces, logs and metrics.
    pub(crate) telemetry: TelemetrySettings,
    /// The REST bridge.
    pub(crate) bridge: plexus_bridge::Settings,
    /// The auth service.
    pub(crate) auth: <plexus_auth::Auth as Service>::Settings,
    /// The quota service.
    pub(crate) quota: <plexus_quota::Quota as Service>::Settings,
    /// The ai service.
    pub(crate) ai: <plexus_ai::Ai as Service>::Settings,
    /// The card service.
    pub(crate) card: <plexus_card::Card as Service>::Settings,
    /// The analytics service.
    pub(crate) analytics: <plexus_analytics::Analytics as Service>::Settings,
}

/// Where each role listens; 0 for any free port.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Ports {
    /// The bridge, for browsers.
    pub(crate) bridge: u16,
    /// The auth service.
    pub(crate) auth: u16,
    /// The quota service.
    pub(crate) quota: u16,
    /// The ai service.
    pub(crate) ai: u16,
    /// The card service.
    pub(crate) card: u16,
    /// The analytics service.
    pub(crate) analytics: u16,
    /// Probes and metrics.
    pub(crate) admin: u16,
}

impl Default for Ports {
    fn default() -> Self {
        Self {
            bridge: 8080,
            auth: 50051,
            quota: 50052,
            ai: 50053,
            card: 50054,
            analytics: 50055,
            admin: 9100,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data_dir: "plexus-data".to_owned(),
            database_url: Secret::default(),
            shared_url: Secret::default(),
            mesh_secret: Secret::default(),
            listen_address: "127.0.0.1".to_owned(),
            ports: Ports::default(),
            peers: BTreeMap::new(),
            server: ServerSettings::default(),
            telemetry: TelemetrySettings::default(),
            bridge: plexus_bridge::Settings::default(),
            auth: Default::default(),
            quota: Default::default(),
            ai: Default::default(),
            card: Default::default(),
            analytics: Default::default(),
        }
    }
}

impl Check for Settings {
    fn check(&self) -> Result<(), SettingError> {
        let secret = self.mesh_secret.reveal().chars().count();
        if secret > 0 && secret < MESH_SECRET_CHARACTERS_MIN {
            return Err(SettingError::new(
                "mesh_secret",
                format!("must be at least {MESH_SECRET_CHARACTERS_MIN} characters"),
            ));
        }
        if self.data_dir.trim().is_empty() {
            return Err(SettingError::new("data_dir", "must name a folder, such as plexus-data"));
        }
        if self.listen_address.parse::<std::net::IpAddr>().is_err() {
            return Err(SettingError::new(
                "listen_address",
                "must be an IP address, such as 127.0.0.1 or 0.0.0.0",
            ));
        }
        self.peer_addresses()?;
        check("server", &self.server)?;
        check("telemetry", &self.telemetry)?;
        check("bridge", &self.bridge)?;
        check("auth", &self.auth)?;
        check("quota", &self.quota)?;
        check("ai", &self.ai)?;
        check("card", &self.card)?;
        check("analytics", &self.analytics)
    }
}

impl Settings {
    /// The addresses of the services that run elsewhere.
    pub(crate) fn peer_addresses(&self) -> Result<BTreeMap<String, Vec<Address>>, SettingError> {
        let parse = |(service, addresses): (&String, &Vec<String>)| {
            let known = RoleName::SERVICES.iter().any(|role| role.name() == service);
            if !known {
                return Err(SettingError::new(
                    format!("peers.{service}"),
                    "there is no service of this name",
                ));
            }
            let parsed: Result<Vec<Address>, _> = addresses.iter().map(|address| address.parse()).collect();
            let refused =
                |error: AddressError| SettingError::new(format!("peers.{service}"), format!("{error}"));
            Ok((service.clone(), parsed.map_err(refused)?))
        };
        self.peers.iter().map(parse).collect()
    }
}

fn check(section: &str, settings: &impl Check) -> Result<(), SettingError> {
    settings.check().map_err(|error| SettingError::new(format!("{section}.{}", error.key), error.message))
}
