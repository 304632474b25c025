//! How a gRPC server protects itself and how it ends, and what it serves besides its service.

use std::time::Duration;

use axum::Router;
use serde::{Deserialize, Serialize};
use tonic::service::Routes;
use tonic_health::server::HealthReporter;

use crate::{
    connections,
    layers::{self, Layers},
    service::StartError,
    settings::{SettingError, Settings},
};

/// A connection or a call of more than a month is as good as one without end, which 0 says.
const AGE_SECONDS_MAX: u64 = 31 * 24 * 3600;
/// A drain, or the grace of a connection, of more than an hour is a mistake.
const DRAIN_SECONDS_MAX: u64 = 3600;
/// Orchestrators kill a process that is not gone within a minute or so of being told to stop.
const LAME_DUCK_MS_MAX: u64 = 60_000;

/// How a server protects itself and how it ends.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerSettings {
    /// Calls under way in one replica; beyond, callers are refused at once.
    pub calls_in_flight_max: usize,
    /// Whether unary calls are also held to as many at once as the measured latency bears, between 16 and
    /// `calls_in_flight_max`. Off: it takes latency that grows as overload, which is right where calls resemble
    /// each other, and wrong where one waits a minute for somebody else's model and the next reads a cache.
    pub adaptive_concurrency: bool,
    /// Connections to one replica; beyond, they are closed at once. A caller needs one or two, each costs a
    /// file descriptor, and processes often start with 1024 of those or little more.
    pub connections_max: usize,
    /// How long a connection may be silent before its HTTP/2 preface, which clients send at once.
    pub preface_timeout_ms: u64,
    /// When a connection is told to go, 10 % more or less at random, so that clients find new replicas; 0: never.
    pub connection_age_seconds: u64,
    /// How long calls and streams on it may go on after that: the longest answer of the mesh by default.
    pub connection_age_grace_seconds: u64,
    /// The deadline of a unary call whose caller sets none: the longest answer of the mesh by default; 0: none.
    pub unary_deadline_seconds: u64,
    /// Whether answers carry a load report (ORCA) for clients that balance by it; some 100 bytes each.
    pub load_reports: bool,
    /// How long a replica that is told to stop goes on with what it has begun.
    pub drain_seconds: u64,
    /// How long it still takes calls after it has told everybody that it is going.
    pub lame_duck_ms: u64,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            calls_in_flight_max: 1024,
            adaptive_concurrency: false,
            connections_max: 1024,
            preface_timeout_ms: 10_000,
            connection_age_seconds: 1800,
            connection_age_grace_seconds: 600,
            unary_deadline_seconds: 600,
            load_reports: true,
            drain_seconds: 10,
            lame_duck_ms: 200,
        }
    }
}

impl Settings for ServerSettings {
    fn check(&self) -> Result<(), SettingError> {
        for (key, value) in
            [("calls_in_flight_max", self.calls_in_flight_max), ("connections_max", self.connections_max)]
        {
            if value == 0 {
                return Err(SettingError::new(key, "must be at least 1"));
            }
        }
        if self.preface_timeout_ms == 0 {
            return Err(SettingError::new("preface_timeout_ms", "must be at least 1"));
        }
        for (key, value, max) in [
            ("connection_age_seconds", self.connection_age_seconds, AGE_SECONDS_MAX),
            ("unary_deadline_seconds", self.unary_deadline_seconds, AGE_SECONDS_MAX),
            ("connection_age_grace_seconds", self.connection_age_grace_seconds, DRAIN_SECONDS_MAX),
            ("drain_seconds", self.drain_seconds, DRAIN_SECONDS_MAX),
            ("lame_duck_ms", self.lame_duck_ms, LAME_DUCK_MS_MAX),
        ] {
            if value > max {
                return Err(SettingError::new(key, format!("must be at most {max}")));
            }
        }
        Ok(())
    }
}

impl ServerSettings {
    /// What holds for connections.
    pub(crate) fn connections(&self) -> connections::Limits {
        connections::Limits {
            connections_max: self.connections_max,
            preface_timeout: Duration::from_millis(self.preface_timeout_ms),
            age: set(self.connection_age_seconds),
            age_grace: Duration::from_secs(self.connection_age_grace_seconds),
        }
    }

    /// The deadline of a unary call whose caller sets none.
    pub(crate) fn unary_deadline(&self) -> Option<Duration> {
        set(self.unary_deadline_seconds)
    }
}

/// `seconds`, where 0 stands for none.
fn set(seconds: u64) -> Option<Duration> {
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

/// `routes` with health, reflection and all layers.
pub(crate) fn assemble(
    routes: Routes,
    reporter: HealthReporter,
    layers: &Layers,
) -> Result<Router, StartError> {
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(plexus_proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|error| StartError::new("the contract could not be offered by reflection", error))?;
    let health = tonic_health::pb::health_server::HealthServer::new(
        tonic_health::server::HealthService::from_health_reporter(reporter),
    );
    let routes = routes.add_service(health).add_service(reflection);
    Ok(layers::wrap(routes.prepare().into_axum_router(), layers))
}
