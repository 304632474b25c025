//! Which pages of other origins may call, and which headers they see.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::config::Settings;

/// How long a browser may keep the answer to a preflight: as long as Chrome keeps any.
const MAX_AGE: Duration = Duration::from_secs(7200);

/// What scripts may send beside the headers that are passed on.
const REQUEST_HEADERS: [HeaderName; 7] = [
    header::CONTENT_TYPE,
    HeaderName::from_static("grpc-timeout"),
    HeaderName::from_static("last-event-id"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("x-request-timeout"),
];

/// What scripts may read of an answer.
const RESPONSE_HEADERS: [HeaderName; 5] = [
    header::ALLOW,
    header::RETRY_AFTER,
    header::WWW_AUTHENTICATE,
    HeaderName::from_static("traceresponse"),
    HeaderName::from_static("x-request-id"),
];

/// The layer, or none when no other origin may call. Cookies are allowed by a setting of their own, and never
/// together with `*`, which [`Settings`] refuses.
pub(crate) fn layer(settings: &Settings, forwarded: &[HeaderName]) -> Option<CorsLayer> {
    if settings.cors_allowed_origins.is_empty() {
        return None;
    }
    let origins = if settings.cors_allowed_origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(
            settings.cors_allowed_origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()),
        )
    };
    let headers: Vec<_> = REQUEST_HEADERS.iter().chain(forwarded).cloned().collect();
    Some(
        CorsLayer::new()
            .allow_origin(origins)
            .allow_credentials(settings.cors_allow_credentials)
            .allow_methods([
                Method::GET,
                Method::HEAD,
                Method::POST,
                Method::PUT,
                Method::PATCH,
                Method::DELETE,
            ])
            .allow_headers(headers)
            .expose_headers(RESPONSE_HEADERS)
            .max_age(MAX_AGE),
    )
}
