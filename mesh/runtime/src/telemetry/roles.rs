//! Several services in one process, each with a `service.name` of its own in its traces.
//!
//! OpenTelemetry's SDK knows one resource per process. Here the role of a server is put into the context from which
//! its spans come, inherited by every span below, and used at export to choose among exporters.

use std::{collections::BTreeMap, time::Duration};

use opentelemetry::{Context, KeyValue, trace::Span as _};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter as OtlpExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanExporter, SpanProcessor},
};

use super::Role;

/// The attribute that carries the role from a span's start to its export.
const ROLE_ATTRIBUTE: &str = "plexus.role";

/// Marks each span with the role of the context it starts in.
#[derive(Debug)]
pub(super) struct RoleMarker;

impl SpanProcessor for RoleMarker {
    fn on_start(&self, span: &mut Span, context: &Context) {
        if let Some(role) = context.get::<Role>() {
            span.set_attribute(KeyValue::new(ROLE_ATTRIBUTE, role.name()));
        }
    }

    fn on_end(&self, _: SpanData) {}

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Hands each span to the exporter of its role.
#[derive(Debug)]
pub(super) struct RoleExporter {
    exporters: BTreeMap<&'static str, OtlpExporter>,
}

impl RoleExporter {
    /// One exporter for each of `roles` and one for the process, all to `endpoint`.
    pub(super) fn new(endpoint: &str, instance: &str, roles: &[Role]) -> Result<Self, ExporterBuildError> {
        let mut exporters = BTreeMap::new();
        for role in roles.iter().chain([&Role::PROCESS]) {
            let mut exporter = OtlpExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
            exporter.set_resource(
                &Resource::builder()
                    .with_service_name(role.name())
                    .with_attributes([
                        KeyValue::new("service.namespace", "plexus"),
                        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
                        KeyValue::new("service.instance.id", instance.to_owned()),
                    ])
                    .build(),
            );
            exporters.insert(role.name(), exporter);
        }
        Ok(Self { exporters })
    }
}

impl SpanExporter for RoleExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let mut by_role: BTreeMap<&'static str, Vec<SpanData>> = BTreeMap::new();
        for span in batch {
            by_role.entry(self.role_of(&span)).or_default().push(span);
        }
        let mut outcome = Ok(());
        for (role, spans) in by_role {
            if let Some(exporter) = self.exporters.get(role)
                && let Err(error) = exporter.export(spans).await
            {
                outcome = Err(error);
            }
        }
        outcome
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporters.values().try_for_each(|exporter| exporter.shutdown_with_timeout(timeout))
    }
}

impl RoleExporter {
    /// The role that `span` was marked with, if it is one of this process.
    fn role_of(&self, span: &SpanData) -> &'static str {
        let marked = span.attributes.iter().find(|attribute| attribute.key.as_str() == ROLE_ATTRIBUTE);
        let named =
            marked.and_then(|attribute| self.exporters.get_key_value(attribute.value.as_str().as_ref()));
        named.map_or(Role::PROCESS.name(), |(name, _)| name)
    }
}
