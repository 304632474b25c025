//! Metrics: recorded through OpenTelemetry, exposed in Prometheus's text format.

use std::time::Duration;

use opentelemetry::{
    KeyValue,
    metrics::{Gauge, Histogram, Meter, MeterProvider as _, UpDownCounter},
};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Encoder as _, Registry, TextEncoder};
use tonic::Code;

use super::{Role, code_name, is_server_error, names};

/// The metrics of a process and the registry that exposes them.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    provider: SdkMeterProvider,
    rpc: RpcMetrics,
    ready: Gauge<u64>,
    degraded: Gauge<u64>,
}

/// The instruments of the measure layer.
#[derive(Clone, Debug)]
pub struct RpcMetrics {
    duration: Histogram<f64>,
    active: UpDownCounter<i64>,
}

impl Metrics {
    /// An empty registry with all instruments of the runtime.
    ///
    /// # Errors
    /// When the exporter cannot be registered.
    pub fn new() -> Result<Self, opentelemetry_sdk::error::OTelSdkError> {
        let registry = Registry::new();
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .scope_info_enabled(false)
            .without_target_info()
            .build()?;
        let provider = SdkMeterProvider::builder().with_reader(exporter).build();
        let meter = provider.meter("plexus");
        let rpc = RpcMetrics {
            duration: meter
                .f64_histogram(names::RPC_SERVER_CALL_DURATION)
                .with_unit("s")
                .with_description("How long calls take that this server answers")
                .with_boundaries(names::DURATION_BOUNDS_SECONDS.to_vec())
                .build(),
            active: meter
                .i64_up_down_counter(names::RPC_SERVER_ACTIVE_CALLS)
                .with_description("Calls that this server works on at this moment")
                .build(),
        };
        let ready =
            meter.u64_gauge(names::SERVICE_READY).with_description("1 when the service is ready").build();
        let degraded = meter
            .u64_gauge(names::SERVICE_DEGRADED)
            .with_description("1 when the service runs without something it would like to have")
            .build();
        Ok(Self { registry, provider, rpc, ready, degraded })
    }

    /// Where channels of this process put their metrics.
    #[must_use]
    pub fn channels(&self) -> Meter {
        self.provider.meter(plexus_client::telemetry::names::METER)
    }

    /// The instruments of the measure layer.
    pub(crate) fn rpc(&self) -> RpcMetrics {
        self.rpc.clone()
    }

    /// Notes whether the replica `name` of `role` is ready, and whether it is degraded.
    pub(crate) fn record_health(&self, role: Role, name: &str, ready: bool, degraded: bool) {
        let labels = [KeyValue::new("service.name", role.name()), KeyValue::new("replica", name.to_owned())];
        self.ready.record(u64::from(ready), &labels);
        self.degraded.record(u64::from(degraded), &labels);
    }

    /// All metrics in Prometheus's text format 0.0.4.
    #[must_use]
    pub fn expose(&self) -> String {
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "the metrics could not be written");
        }
        String::from_utf8(text).unwrap_or_default()
    }

    /// Ends the provider.
    pub(crate) fn shutdown(&self) {
        if let Err(error) = self.provider.shutdown() {
            tracing::debug!(%error, "the metrics did not end cleanly");
        }
    }
}

impl RpcMetrics {
    /// Notes that a call has begun.
    pub(crate) fn begin(&self, role: Role, method: String) -> Call {
        let labels = vec![
            KeyValue::new("rpc.system.name", "grpc"),
            KeyValue::new("rpc.method", method),
            KeyValue::new("service.name", role.name()),
        ];
        self.active.add(1, &labels[2..]);
        Call { metrics: self.clone(), labels }
    }
}

/// A call under way.
pub(crate) struct Call {
    metrics: RpcMetrics,
    labels: Vec<KeyValue>,
}

impl Call {
    /// Notes how the call ended and how long it took.
    pub(crate) fn end(mut self, code: Code, duration: Duration) {
        self.metrics.active.add(-1, &self.labels[2..]);
        self.labels.push(KeyValue::new("rpc.status_code", code_name(code)));
        if is_server_error(code) {
            self.labels.push(KeyValue::new("error.type", code_name(code)));
        }
        self.metrics.duration.record(duration.as_secs_f64(), &self.labels);
    }
}
