//! The bridge as a member of this process: its channels, its health, its end.

use std::collections::BTreeMap;

use anyhow::Result;
use plexus_bridge::{Backends, Bridge};
use plexus_client::{Address, Channel};
use plexus_runtime::{
    health::{Health, State},
    peers::{self, is_reachable},
    service::{Check, Severity},
    telemetry::{Metrics, Role},
};
use prost_reflect::DescriptorPool;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{mesh::reachable, roles::RoleName, settings::Settings};

/// The bridge while it runs.
pub(crate) struct RunningBridge {
    address: String,
    health: Health,
    stop: CancellationToken,
    server: JoinHandle<()>,
}

impl RunningBridge {
    /// Serves the bridge on `listener`, in front of the services at `addresses`.
    pub(crate) async fn start(
        settings: &Settings,
        addresses: &BTreeMap<String, Vec<Address>>,
        metrics: &Metrics,
        listener: TcpListener,
    ) -> Result<Self> {
        let address = reachable(&listener.local_addr()?.to_string());
        let channels = RoleName::SERVICES.into_iter().filter_map(|role| {
            let addresses = addresses.get(role.name())?.clone();
            let builder = peers::builder(role.name()).meter(metrics.channels()).endpoints(addresses);
            Some((role.name().to_owned(), builder.build()))
        });
        let channels: BTreeMap<String, Channel> = channels.collect();
        let stop = CancellationToken::new();
        let checks = channels.iter().map(|(name, channel)| reached(name, channel.clone())).collect();
        let health =
            Health::follow(Role::new(RoleName::Bridge.name()), metrics.clone(), checks, stop.clone()).await;
        let backends = channels.into_iter().fold(Backends::new(), |backends, (name, channel)| {
            backends.with(format!("plexus.{name}.v1"), channel)
        });
        let descriptors = DescriptorPool::decode(plexus_proto::DESCRIPTORS)?;
        let bridge = Bridge::new(settings.bridge.clone(), backends, descriptors)?;
        let server = tokio::spawn(bridge.serve(listener, stop.clone().cancelled_owned()));
        Ok(Self { address, health, stop, server })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Its health.
    pub(crate) fn health(&self) -> &Health {
        &self.health
    }

    /// Takes nothing new and finishes the answers it has begun, within its drain deadline.
    pub(crate) async fn drain(self) {
        self.health.leave(State::Draining).await;
        self.stop.cancel();
        if let Err(error) = self.server.await {
            tracing::error!(%error, "the bridge did not end by itself");
        }
        self.health.leave(State::Stopped).await;
    }
}

/// Whether a replica of the service `name` can be reached.
fn reached(name: &str, channel: Channel) -> Check {
    Check::new(name, Severity::RequiredAtStart, move || {
        let ready = is_reachable(&channel);
        async move { if ready { Ok(()) } else { Err("no replica can be reached".to_owned()) } }
    })
}
