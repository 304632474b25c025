//! What the bridge answers itself: health, the OpenAPI document, and the documentation page.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect},
    routing::get,
};
use bytes::Bytes;

use crate::{errors, gateway::Gateway, openapi, refusal::Refusal};

/// Says that the bridge takes requests.
pub(crate) const HEALTH: &str = "/healthz";

/// All paths that no contract can have.
pub(crate) const ALL: [&str; 6] = [HEALTH, "/", "/openapi.json", "/docs", "/docs/page.css", "/docs/page.js"];

/// The page runs its own script and style, and talks to the bridge alone.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The routes of all pages.
pub(crate) fn routes(gateway: &Gateway) -> Router<Arc<Gateway>> {
    let document = Bytes::from(openapi::document(&gateway.table, &gateway.descriptors).to_string());
    Router::new()
        .route(HEALTH, get(health))
        .route("/", get(|| async { Redirect::temporary("/docs") }))
        .route("/openapi.json", get(move || std::future::ready(asset("application/json", document.clone()))))
        .route("/docs", get(async || asset("text/html; charset=utf-8", include_str!("docs/page.html"))))
        .route(
            "/docs/page.css",
            get(async || asset("text/css; charset=utf-8", include_str!("docs/page.css"))),
        )
        .route(
            "/docs/page.js",
            get(async || asset("text/javascript; charset=utf-8", include_str!("docs/page.js"))),
        )
        .method_not_allowed_fallback(wrong_method)
}

async fn health() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")], "ok\n")
}

async fn wrong_method(State(gateway): State<Arc<Gateway>>) -> impl IntoResponse {
    errors::response(Refusal::WrongMethod("GET, HEAD, OPTIONS".to_owned()), &gateway.descriptors)
}

fn asset(kind: &'static str, content: impl Into<Bytes>) -> impl IntoResponse {
    let headers: [(HeaderName, HeaderValue); 3] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        // The next release of the bridge has another page under the same name.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY)),
    ];
    (StatusCode::OK, headers, content.into())
}
