//! Traces, logs and metrics of a process.

mod metrics;
mod names;
mod roles;

use std::time::Duration;

use http::HeaderMap;
use opentelemetry::{
    Context, global,
    propagation::{Extractor, TextMapCompositePropagator},
    trace::{TraceContextExt as _, TracerProvider as _},
};
use opentelemetry_sdk::{
    propagation::{BaggagePropagator, TraceContextPropagator},
    trace::{BatchSpanProcessor, Sampler, SdkTracerProvider},
};
use serde::{Deserialize, Serialize};
use tonic::Code;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _};

pub use metrics::{Metrics, RpcMetrics};
pub use plexus_client::telemetry::code_name;

use crate::settings::{SettingError, Settings};
use roles::{RoleExporter, RoleMarker};

/// How long the last spans may take on their way out; the drain deadline has room for it.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);
/// Spans of the exporter's own calls would be exported too, without end.
const NO_EXPORTER_NOISE: &str =
    "hyper=off,h2=off,tonic=off,tower=off,opentelemetry=off,opentelemetry_sdk=off";

/// A part of the mesh as operators see it in traces and metrics: a service, or the bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Role(&'static str);

impl Role {
    /// Work of the process that belongs to no part of the mesh.
    pub const PROCESS: Self = Self("plexus");

    /// The role of the part with this name.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The `service.name`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }
}

/// What is recorded, and where it goes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetrySettings {
    /// Where spans go by OTLP over gRPC, such as `http://127.0.0.1:4317`; empty: nowhere.
    pub otlp_endpoint: String,
    /// The share of traces that are recorded, 0 to 1; a caller's decision goes first.
    pub sample_ratio: f64,
    /// What is logged, as in `RUST_LOG`: `info`, `plexus_ai=debug,info`.
    pub log_filter: String,
    /// `json`, `text`, or `auto` for text on a terminal and JSON otherwise.
    pub log_format: String,
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        Self {
            otlp_endpoint: String::new(),
            sample_ratio: 1.0,
            // The pool of sqlx warns of every connection that a stopped database takes with it; health says it once.
            log_filter: "info,sqlx=error,sqlx_core=error".to_owned(),
            log_format: "auto".to_owned(),
        }
    }
}

impl Settings for TelemetrySettings {
    fn check(&self) -> Result<(), SettingError> {
        if !(0.0..=1.0).contains(&self.sample_ratio) {
            return Err(SettingError::new("sample_ratio", "must be 0 to 1"));
        }
        if !self.otlp_endpoint.is_empty() && !self.otlp_endpoint.contains("://") {
            return Err(SettingError::new("otlp_endpoint", "must begin with http:// or https://"));
        }
        if self.otlp_endpoint.contains('@') {
            return Err(SettingError::new(
                "otlp_endpoint",
                "must not hold a name or password; they would show",
            ));
        }
        if EnvFilter::try_new(&self.log_filter).is_err() {
            return Err(SettingError::new(
                "log_filter",
                "must be a filter such as info or plexus_ai=debug,info",
            ));
        }
        if !["auto", "json", "text"].contains(&self.log_format.as_str()) {
            return Err(SettingError::new("log_format", "must be auto, json or text"));
        }
        Ok(())
    }
}

/// The telemetry of this process; ended by [`Telemetry::shutdown`].
#[derive(Debug)]
pub struct Telemetry {
    tracer: SdkTracerProvider,
    metrics: Metrics,
}

/// Why telemetry could not start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The OTLP exporter cannot be made.
    #[error("the exporter of traces could not be made")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// The metrics cannot be exposed.
    #[error("the metrics could not be registered")]
    Metrics(#[from] opentelemetry_sdk::error::OTelSdkError),
    /// The process has a subscriber already.
    #[error("telemetry was started twice")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

impl Telemetry {
    /// Starts traces, logs and metrics for a process that plays `roles`; has to run inside a multi-threaded runtime.
    ///
    /// # Errors
    /// When the exporter cannot be made or telemetry runs already.
    pub fn start(
        settings: &TelemetrySettings,
        instance: &str,
        roles: &[Role],
    ) -> Result<Self, TelemetryError> {
        global::set_text_map_propagator(TextMapCompositePropagator::new(vec![
            Box::new(TraceContextPropagator::new()),
            Box::new(BaggagePropagator::new()),
        ]));
        let mut provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.sample_ratio))))
            .with_span_processor(RoleMarker);
        if !settings.otlp_endpoint.is_empty() {
            let exporter = RoleExporter::new(&settings.otlp_endpoint, instance, roles)?;
            provider = provider.with_span_processor(BatchSpanProcessor::builder(exporter).build());
        }
        let tracer = provider.build();

        let json = match settings.log_format.as_str() {
            "json" => true,
            "text" => false,
            _ => !std::io::IsTerminal::is_terminal(&std::io::stderr()),
        };
        let log = if json {
            tracing_subscriber::fmt::layer()
                .json()
                .with_current_span(true)
                .with_span_list(false)
                .with_writer(std::io::stderr)
                .boxed()
        } else {
            tracing_subscriber::fmt::layer().compact().with_writer(std::io::stderr).boxed()
        };
        let log_filter = EnvFilter::try_new(&settings.log_filter).unwrap_or_else(|_| EnvFilter::new("info"));
        let trace_filter = EnvFilter::new(format!("info,{NO_EXPORTER_NOISE}"));
        // Where in the code a span was made, which thread ran it and for how long tells operators nothing that its
        // name and its times do not, and costs each span allocations and looks at the clock.
        let spans = tracing_opentelemetry::layer()
            .with_tracer(tracer.tracer("plexus"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false);
        tracing_subscriber::registry()
            .with(spans.with_filter(trace_filter))
            .with(log.with_filter(log_filter))
            .try_init()?;
        Ok(Self { tracer, metrics: Metrics::new()? })
    }

    /// The metrics of this process.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Sends what is still waiting, for three seconds at most.
    pub async fn shutdown(self) {
        // The SDK's shutdown blocks, and waits for tasks of this very runtime.
        let ended = tokio::task::spawn_blocking(move || {
            self.metrics.shutdown();
            self.tracer.shutdown_with_timeout(FLUSH_TIMEOUT)
        });
        if let Ok(Ok(Err(error))) = tokio::time::timeout(FLUSH_TIMEOUT, ended).await {
            tracing::warn!(%error, "the last spans could not be sent");
        }
    }
}

/// The context that `headers` bring (W3C trace context), with `role` for all spans below it.
#[must_use]
pub fn parent(headers: &HeaderMap, role: Role) -> Context {
    global::get_text_map_propagator(|propagator| propagator.extract(&Headers(headers))).with_value(role)
}

/// Writes the id of the trace into the field `trace_id` of `span`, and so into each log line below it.
pub fn record_trace_id(span: &Span) {
    let trace_id = span.context().span().span_context().trace_id();
    span.record("trace_id", tracing::field::display(trace_id));
}

struct Headers<'h>(&'h HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        // More than one traceparent is as good as none (W3C trace context, section 3.2.2.5).
        let mut values = self.0.get_all(key).iter();
        let first = values.next()?;
        if key.eq_ignore_ascii_case("traceparent") && values.next().is_some() {
            return None;
        }
        first.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

/// Whether the semantic conventions count `code` as a failure of the server.
#[must_use]
pub fn is_server_error(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}
