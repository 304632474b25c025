//! Errors as JSON, in the form of AIP-193: `{"error": {"code", "message", "status", "details"}}`.
//!
//! `code` is the HTTP code, `status` the name of the gRPC code, `details` the messages of
//! `google/rpc/error_details.proto` with their `@type`. Source: <https://google.aip.dev/193>.

use axum::{body::Body, response::Response};
use http::{HeaderValue, StatusCode, header};
use plexus_runtime::telemetry::code_name;
use prost::Message as _;
use prost_reflect::DescriptorPool;
use serde::Serialize;
use serde_json::Value;
use tonic::Status;
use tonic_types::StatusExt as _;

use crate::{refusal::Refusal, transcode};

/// The answer to a request that was refused or failed.
pub(crate) fn response(refusal: Refusal, descriptors: &DescriptorPool) -> Response {
    let allow = match &refusal {
        Refusal::WrongMethod(allowed) => HeaderValue::from_str(allowed).ok(),
        _ => None,
    };
    let (code, status) = refusal.into_parts();
    let mut response = Response::new(Body::from(json_of(code, &status, descriptors)));
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(allow) = allow {
        headers.insert(header::ALLOW, allow);
    }
    if let Some(seconds) = retry_after_seconds(&status) {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    if code == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// The JSON text of an error.
pub(crate) fn json_of(code: StatusCode, status: &Status, descriptors: &DescriptorPool) -> String {
    let details = tonic_types::Status::decode(status.details())
        .map(|decoded| decoded.details)
        .unwrap_or_default()
        .iter()
        .map(|detail| transcode::json_of_any(descriptors, &detail.type_url, &detail.value))
        .collect();
    let error =
        Error { code: code.as_u16(), message: status.message(), status: code_name(status.code()), details };
    // What cannot fail has no error to tell: text, numbers and values that are JSON already.
    serde_json::to_string(&Envelope { error }).unwrap_or_default()
}

#[derive(Serialize)]
struct Envelope<'e> {
    error: Error<'e>,
}

#[derive(Serialize)]
struct Error<'e> {
    code: u16,
    message: &'e str,
    status: &'static str,
    details: Vec<Value>,
}

/// `RetryInfo` in whole seconds, rounded up so that nobody comes back too early.
fn retry_after_seconds(status: &Status) -> Option<u64> {
    let delay = status.get_details_retry_info()?.retry_delay?;
    Some(delay.as_secs() + u64::from(delay.subsec_nanos() > 0))
}
