//! The settings of the bridge.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use plexus_runtime::settings::{self, SettingError};
use serde::{Deserialize, Serialize};

/// The settings of the bridge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The largest request body. Default 1 MiB: far above any JSON of the contract.
    pub body_limit_bytes: usize,
    /// The largest answer of a service, and the largest message of a stream. Default 16 MiB: a page of 200
    /// large resources.
    pub answer_limit_bytes: usize,
    /// The longest path with its query. Default 16 KiB: what browsers and proxies let through.
    pub url_limit_bytes: usize,
    /// The origins whose pages may call, such as `https://app.example.com`; `*` is every one.
    /// Default none: only pages of the bridge itself.
    pub cors_allowed_origins: Vec<String>,
    /// Whether pages of those origins may send cookies. Default no: tokens travel in a header. Not with `*`.
    pub cors_allow_credentials: bool,
    /// How long a request may take when it does not say. Default 60 s: a long answer of a language model.
    pub deadline_ms: u64,
    /// The longest that a request may ask for. Default 10 min.
    pub deadline_max_ms: u64,
    /// How long a stream may last. Default 1 h: then a client connects again, and old replicas get rid of it.
    pub stream_deadline_ms: u64,
    /// The silence after which a stream carries a comment. Default 15 s: below what proxies close after.
    pub keep_alive_ms: u64,
    /// How many requests run at a time; more are refused. Default 1024.
    pub requests_max: usize,
    /// How many streams are open at a time; more are refused. Default 1024.
    pub streams_max: usize,
    /// How many connections are open at a time; more wait to be accepted. Default 4096.
    pub connections_max: usize,
    /// How long a connection may take for the head of a request, the first one included. Default 10 s: slow
    /// and silent ones hold a place.
    pub head_timeout_ms: u64,
    /// How long the body of a request may take to arrive. Default 10 s: it has no place among the running
    /// requests until it is there.
    pub body_timeout_ms: u64,
    /// How long running requests may take to end after the signal to stop. Default 20 s: below the 30 s
    /// after which Kubernetes kills.
    pub drain_ms: u64,
    /// The request headers that the services get to see. Default `authorization`, `accept-language`.
    /// `x-request-id` and the trace always go along.
    pub forwarded_headers: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            body_limit_bytes: 1024 * 1024,
            answer_limit_bytes: 16 * 1024 * 1024,
            url_limit_bytes: 16 * 1024,
            cors_allowed_origins: Vec::new(),
            cors_allow_credentials: false,
            deadline_ms: 60_000,
            deadline_max_ms: 600_000,
            stream_deadline_ms: 3_600_000,
            keep_alive_ms: 15_000,
            requests_max: 1024,
            streams_max: 1024,
            connections_max: 4096,
            head_timeout_ms: 10_000,
            body_timeout_ms: 10_000,
            drain_ms: 20_000,
            forwarded_headers: vec!["authorization".to_owned(), "accept-language".to_owned()],
        }
    }
}

impl settings::Settings for Settings {
    fn check(&self) -> Result<(), SettingError> {
        for (key, value) in [
            ("deadline_ms", self.deadline_ms),
            ("stream_deadline_ms", self.stream_deadline_ms),
            ("keep_alive_ms", self.keep_alive_ms),
            ("head_timeout_ms", self.head_timeout_ms),
            ("body_timeout_ms", self.body_timeout_ms),
        ] {
            if value == 0 {
                return Err(SettingError::new(key, "must be at least 1"));
            }
        }
        for (key, value) in [
            ("requests_max", self.requests_max),
            ("streams_max", self.streams_max),
            ("connections_max", self.connections_max),
        ] {
            if value == 0 || value > tokio::sync::Semaphore::MAX_PERMITS {
                return Err(SettingError::new(key, "must be at least 1"));
            }
        }
        if self.deadline_max_ms < self.deadline_ms {
            return Err(SettingError::new("deadline_max_ms", "must be at least deadline_ms"));
        }
        self.check_origins()?;
        self.forwarded().map(drop)
    }
}

impl Settings {
    fn check_origins(&self) -> Result<(), SettingError> {
        let wrong = |message| Err(SettingError::new("cors_allowed_origins", message));
        for origin in &self.cors_allowed_origins {
            if origin == "*" {
                if self.cors_allow_credentials {
                    return wrong("\"*\" and cors_allow_credentials exclude each other: name the origins");
                }
                continue;
            }
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            if host.is_none_or(|host| host.is_empty() || host.contains('/'))
                || HeaderValue::from_str(origin).is_err()
            {
                return wrong(
                    "an origin is a scheme and a host, such as https://app.example.com, without a path",
                );
            }
        }
        Ok(())
    }

    /// The headers that are passed on.
    pub(crate) fn forwarded(&self) -> Result<Vec<HeaderName>, SettingError> {
        self.forwarded_headers
            .iter()
            .map(|name| match HeaderName::try_from(name.to_lowercase()) {
                Ok(header) if !is_of_the_transport(header.as_str()) => Ok(header),
                _ => Err(SettingError::new(
                    "forwarded_headers",
                    format!("{name:?} is not a header that can be passed on"),
                )),
            })
            .collect()
    }

    /// How long a request may take when it does not say.
    pub(crate) fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }

    /// The longest that a request may ask for.
    pub(crate) fn deadline_max(&self) -> Duration {
        Duration::from_millis(self.deadline_max_ms)
    }

    /// How long a stream may last.
    pub(crate) fn stream_deadline(&self) -> Duration {
        Duration::from_millis(self.stream_deadline_ms)
    }
}

/// Headers that mean something between two hops, or that the gRPC call sets itself.
fn is_of_the_transport(name: &str) -> bool {
    name.starts_with("grpc-")
        || name.starts_with("content-")
        || name.ends_with("-bin")
        || [
            "connection",
            "host",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade",
            "traceparent",
            "tracestate",
        ]
        .contains(&name)
}

#[cfg(test)]
mod tests {
    use plexus_runtime::settings::Settings as _;

    use super::*;

    fn key_refused(change: impl FnOnce(&mut Settings)) -> String {
        let mut settings = Settings::default();
        change(&mut settings);
        settings.check().expect_err("the setting is wrong").key
    }

    #[test]
    fn the_defaults_pass() {
        Settings::default().check().expect("valid");
    }

    #[test]
    fn every_origin_and_credentials_exclude_each_other() {
        let both = |settings: &mut Settings| {
            settings.cors_allowed_origins = vec!["*".to_owned()];
            settings.cors_allow_credentials = true;
        };
        assert_eq!(key_refused(both), "cors_allowed_origins");
    }

    #[test]
    fn an_origin_has_a_scheme_and_no_path() {
        for origin in ["app.example.com", "https://app.example.com/", "https://", ""] {
            let change = |settings: &mut Settings| settings.cors_allowed_origins = vec![origin.to_owned()];
            assert_eq!(key_refused(change), "cors_allowed_origins", "{origin}");
        }
    }

    #[test]
    fn headers_of_the_transport_are_not_passed_on() {
        for name in ["grpc-timeout", "Host", "traceparent", "a b"] {
            let change = |settings: &mut Settings| settings.forwarded_headers = vec![name.to_owned()];
            assert_eq!(key_refused(change), "forwarded_headers", "{name}");
        }
    }
}
