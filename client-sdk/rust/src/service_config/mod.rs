//! gRPC's service config, read from its standard JSON: what a service's owner asks of its clients.
//!
//! The same text that clients in other languages take. Sources: gRFC A2 (service configs) and A21
//! (a config with a fault is refused as a whole), A6 (retries and hedging), A17 (health checks),
//! A42, A48, A50, A58 and A76 (load balancing), and `grpc/service_config/service_config.proto`,
//! whose JSON mapping says that `null` is the same as absent.
//!
//! - [`attempts`]: how often a call may be sent;
//! - [`load_balancing`] and [`outlier_detection`]: where to;
//! - [`method`]: which settings a method has;
//! - `json`, `duration`, [`status_codes`]: reading, with the path of each fault.
//!
//! Fields that are not known are ignored, since other languages may read them, and are
//! [listed](ServiceConfig::ignored). So are those that this channel does not act on:
//! `maxRequestMessageBytes`, the sizes of a ring, and load reports on a stream of their own. Of a field that is given twice the last one counts.

pub mod attempts;
mod duration;
mod error;
mod json;
pub mod load_balancing;
pub mod method;
pub mod outlier_detection;
pub mod status_codes;

use serde_json::Value;

pub use attempts::{AttemptPolicy, HedgingPolicy, RetryPolicy, RetryThrottling};
pub use error::ServiceConfigError;
pub use load_balancing::{LoadBalancing, WeightedRoundRobin};
pub use method::MethodConfig;
pub use outlier_detection::{FailurePercentageEjection, OutlierDetection, SuccessRateEjection};
pub use status_codes::CodeSet;

use json::Field;
use method::Methods;

/// The longest config. DNS carries at most 64 KiB of it (gRFC A2); four times that leaves room for a
/// file with all methods of a large fleet and keeps a wrong file from filling memory.
pub const SERVICE_CONFIG_BYTES_MAX: usize = 256 * 1024;

/// What a service's owner asks of its clients.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceConfig {
    methods: Methods,
    retry_throttling: Option<RetryThrottling>,
    health_check_service: Option<String>,
    load_balancing: Option<LoadBalancing>,
    outlier_detection: Option<OutlierDetection>,
    ignored: Vec<String>,
}

impl ServiceConfig {
    /// Reads the standard JSON.
    ///
    /// # Errors
    /// When it is too long, is no JSON, or a known field holds what it may not; the error names
    /// the field and what is allowed.
    pub fn from_json(text: &str) -> Result<Self, ServiceConfigError> {
        if text.len() > SERVICE_CONFIG_BYTES_MAX {
            let bytes_max = SERVICE_CONFIG_BYTES_MAX;
            return Err(ServiceConfigError::TooLong { bytes: text.len(), bytes_max });
        }
        let value: Value = serde_json::from_str(text).map_err(ServiceConfigError::Syntax)?;
        let mut ignored = Vec::new();
        let mut root = Field::root(&value).object("an object: {} for an empty config")?;
        let methods = method::methods(&mut root, &mut ignored)?;

        let mut retry_throttling = None;
        if let Some(field) = root.optional("retryThrottling") {
            let mut fields = field.object("an object such as {\"maxTokens\": 10, \"tokenRatio\": 0.1}")?;
            retry_throttling = Some(attempts::throttling(&mut fields)?);
            fields.finish(&mut ignored);
        }
        let mut health_check_service = None;
        if let Some(field) = root.optional("healthCheckConfig") {
            let mut fields = field.object("an object such as {\"serviceName\": \"pkg.Service\"}")?;
            if let Some(name) = fields.optional("serviceName") {
                let name =
                    name.text("a string: the name that the health service knows, \"\" for the server")?;
                health_check_service = Some(name.to_owned());
            }
            fields.finish(&mut ignored);
        }
        // The deprecated field counts only without the other, but is known either way.
        let deprecated = root.optional("loadBalancingPolicy");
        let mut chosen = match root.optional("loadBalancingConfig") {
            Some(list) => load_balancing::first_known(&list, &mut ignored)?,
            None => load_balancing::Chosen::default(),
        };
        if let Some(field) = deprecated
            && chosen.load_balancing.is_none()
        {
            chosen = load_balancing::named(&field)?;
        }
        root.finish(&mut ignored);
        Ok(Self {
            methods,
            retry_throttling,
            health_check_service,
            load_balancing: chosen.load_balancing,
            outlier_detection: chosen.outlier_detection,
            ignored,
        })
    }

    /// The settings of the method with this path, `/pkg.Service/Method`: those that name it, or else
    /// its service, or else the defaults of the config. They are not merged.
    #[must_use]
    pub fn method(&self, path: &str) -> Option<&MethodConfig> {
        self.methods.get(path)
    }

    /// When to stop retrying and hedging.
    #[must_use]
    pub fn retry_throttling(&self) -> Option<RetryThrottling> {
        self.retry_throttling
    }

    /// The name to ask of the endpoints' health services (gRFC A17); empty for the whole server.
    #[must_use]
    pub fn health_check_service(&self) -> Option<&str> {
        self.health_check_service.as_deref()
    }

    /// How to spread calls; `None` leaves it to the channel.
    #[must_use]
    pub fn load_balancing(&self) -> Option<&LoadBalancing> {
        self.load_balancing.as_ref()
    }

    /// When to eject endpoints; `None` leaves it to the channel.
    #[must_use]
    pub fn outlier_detection(&self) -> Option<&OutlierDetection> {
        self.outlier_detection.as_ref()
    }

    /// The paths of what was not acted on: fields and policies that are not known here, and method
    /// configs without names. Worth a line in the log, since each may be a misspelling.
    #[must_use]
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }
}

#[cfg(test)]
mod error_tests;
#[cfg(test)]
#[path = "tests.rs"]
mod tests;
