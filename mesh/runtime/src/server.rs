//! A gRPC server on a listener that the caller owns, ended by a signal that the caller gives.

use std::{future::Future, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    service::Routes,
    transport::{Error, Server, server::TcpIncoming},
};
use tonic_health::server::HealthReporter;

use crate::{
    layers::{self, Layers},
    service::StartError,
    settings::{SettingError, Settings},
};

/// Streams on one connection; a client that wants more opens another connection.
const STREAMS_PER_CONNECTION_MAX: u32 = 1024;
/// All headers of a call together; a token of 8 KiB has room.
const HEADER_BYTES_MAX: u32 = 32 * 1024;
/// A peer that does not answer a PING for this long after [`PING_INTERVAL`] is gone.
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a silent connection is asked whether it lives.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// How a server protects itself and how it ends.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerSettings {
    /// Calls under way in one replica; beyond, callers are refused at once.
    pub calls_in_flight_max: usize,
    /// How long a replica that is told to stop goes on with what it has begun.
    pub drain_seconds: u64,
    /// How long it still takes calls after it has told everybody that it is going.
    pub lame_duck_ms: u64,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self { calls_in_flight_max: 1024, drain_seconds: 10, lame_duck_ms: 200 }
    }
}

impl Settings for ServerSettings {
    fn check(&self) -> Result<(), SettingError> {
        if self.calls_in_flight_max == 0 {
            return Err(SettingError::new("calls_in_flight_max", "must be at least 1"));
        }
        if self.drain_seconds > 3600 {
            return Err(SettingError::new("drain_seconds", "must be at most 3600"));
        }
        Ok(())
    }
}

/// `routes` with health, reflection and all layers.
pub(crate) fn assemble(
    routes: Routes,
    reporter: HealthReporter,
    layers: &Layers,
) -> Result<Routes, StartError> {
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(plexus_proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|error| StartError::new("the contract could not be offered by reflection", error))?;
    let health = tonic_health::pb::health_server::HealthServer::new(
        tonic_health::server::HealthService::from_health_reporter(reporter),
    );
    let routes = routes.add_service(health).add_service(reflection);
    Ok(Routes::from(layers::wrap(routes.prepare().into_axum_router(), layers)))
}

/// Serves `routes` on `listener`; on `stop` it sends GOAWAY and finishes what is under way.
///
/// # Errors
/// When the listener fails.
pub(crate) async fn serve(
    listener: TcpListener,
    routes: Routes,
    stop: impl Future<Output = ()>,
) -> Result<(), Error> {
    let incoming = TcpIncoming::from(TcpListenerStream::new(listener).into_inner()).with_nodelay(Some(true));
    Server::builder()
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .http2_keepalive_interval(Some(PING_INTERVAL))
        .http2_keepalive_timeout(Some(PING_TIMEOUT))
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, stop)
        .await
}
