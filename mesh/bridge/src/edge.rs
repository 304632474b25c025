//! The outermost layer: the root span of each request, its id, its route, and what every answer carries.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body::Body as _;
use opentelemetry::trace::{SpanContext, TraceContextExt as _};
use plexus_runtime::telemetry::{self, Role};
use tracing::{Instrument as _, Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::{
    errors,
    gateway::{Gateway, Routed},
    pages,
    refusal::Refusal,
    route::Found,
};

/// A longer id of a client is replaced: it goes into headers and logs.
const REQUEST_ID_LENGTH_MAX: usize = 128;

/// What the edge found out, for the handler inside.
#[derive(Clone)]
struct Arrived {
    found: Found,
    request_id: HeaderValue,
}

/// The layer around everything: finds the route, opens the span, and completes the answer.
pub(crate) async fn layer(State(gateway): State<Arc<Gateway>>, mut request: Request, next: Next) -> Response {
    let found = gateway.table.find(request.method(), request.uri().path());
    let span = span(&request, &found);
    let trace = span.context().span().span_context().clone();
    let request_id = request_id(request.headers(), &trace);
    let head = request.method() == Method::HEAD;
    let plain_options = request.method() == Method::OPTIONS
        && !request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        && !matches!(found, Found::Operation(..));
    let mut response = if plain_options {
        options(&gateway, request.uri().path(), &found)
    } else {
        request.extensions_mut().insert(Arrived { found, request_id: request_id.clone() });
        next.run(request).instrument(span.clone()).await
    };
    record(&span, response.status());
    complete(response.headers_mut(), request_id, &trace);
    if head { without_body(response) } else { response }
}

/// The handler of all requests that are not for a page of the bridge itself.
pub(crate) async fn handle(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let refused = |refusal| errors::response(refusal, &gateway.descriptors);
    let limit = gateway.settings.url_limit_bytes;
    if parts.uri.path_and_query().is_some_and(|url| url.as_str().len() > limit) {
        return refused(Refusal::UrlTooLong(limit));
    }
    let Some(Arrived { found, request_id }) = parts.extensions.remove() else {
        return refused(Refusal::Missing);
    };
    match found {
        Found::Operation(operation, values) => {
            let routed = Routed { operation, values, request_id };
            gateway.answer(routed, parts, body).await.unwrap_or_else(refused)
        }
        Found::WrongMethod(allowed) => refused(Refusal::WrongMethod(allowed)),
        Found::Missing => refused(Refusal::Missing),
        Found::Malformed => refused(Refusal::MalformedPath),
    }
}

/// The root span, with the trace that the client may have begun. Probes and preflights get none.
fn span(request: &Request, found: &Found) -> Span {
    let path = request.uri().path();
    if path == pages::HEALTH || request.method() == Method::OPTIONS {
        return Span::none();
    }
    let method = request.method();
    let route = match found {
        Found::Operation(operation, _) => operation.template.to_string(),
        _ if pages::ALL.contains(&path) => path.to_owned(),
        _ => String::new(),
    };
    // At the highest level, so that a log of warnings alone still carries the trace id.
    let span = tracing::error_span!(
        "request",
        otel.name = format!("{method} {route}").trim_end(),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = %method,
        http.route = Empty,
        http.response.status_code = Empty,
        url.path = path,
        error.type = Empty,
        trace_id = Empty,
    );
    if !route.is_empty() {
        span.record("http.route", route);
    }
    // The parent has to be set before anything enters the span: that starts it.
    if let Err(error) = span.set_parent(telemetry::parent(request.headers(), Role::new("bridge"))) {
        tracing::debug!(%error, "the trace of the client is not continued");
    }
    telemetry::record_trace_id(&span);
    span
}

/// The client's own id when it is well formed, the id of the trace, or a random one where nothing traces.
fn request_id(headers: &HeaderMap, trace: &SpanContext) -> HeaderValue {
    let own = headers.get("x-request-id").filter(|id| {
        !id.is_empty() && id.len() <= REQUEST_ID_LENGTH_MAX && id.as_bytes().iter().all(u8::is_ascii_graphic)
    });
    if let Some(own) = own {
        return own.clone();
    }
    let made = if trace.is_valid() {
        trace.trace_id().to_string()
    } else {
        uuid::Uuid::now_v7().simple().to_string()
    };
    HeaderValue::try_from(made).unwrap_or(HeaderValue::from_static("-"))
}

fn record(span: &Span, code: StatusCode) {
    span.record("http.response.status_code", code.as_u16());
    if code.is_server_error() {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", code.as_str());
    }
}

/// `traceresponse` is of W3C trace context level 2; the ids lead to the trace.
fn complete(headers: &mut HeaderMap, request_id: HeaderValue, trace: &SpanContext) {
    headers.insert("x-request-id", request_id);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if trace.is_valid() {
        let value =
            format!("00-{}-{}-{:02x}", trace.trace_id(), trace.span_id(), trace.trace_flags().to_u8());
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert("traceresponse", value);
        }
    }
}

fn options(gateway: &Gateway, path: &str, found: &Found) -> Response {
    let allowed = match found {
        _ if pages::ALL.contains(&path) => "GET, HEAD, OPTIONS".to_owned(),
        Found::WrongMethod(allowed) => allowed.clone(),
        Found::Missing | Found::Operation(..) => {
            return errors::response(Refusal::Missing, &gateway.descriptors);
        }
        Found::Malformed => return errors::response(Refusal::MalformedPath, &gateway.descriptors),
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    if let Ok(allowed) = HeaderValue::try_from(allowed) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

/// The answer to HEAD: all of the answer to GET but its body, whose length it tells when it is known.
fn without_body(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact() {
        parts.headers.insert(header::CONTENT_LENGTH, length.into());
    }
    Response::from_parts(parts, Body::empty())
}
