//! The body of a request: its type checked, its size bounded while it is read.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body::Body as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::refusal::Refusal;

/// Reads a JSON body of up to `limit` bytes; no body is empty bytes.
pub(crate) async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Refusal> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let announced = body.size_hint().lower();
    if announced > 0 {
        check_type(headers)?;
    }
    if announced > limit as u64 {
        return Err(Refusal::TooLarge(limit));
    }
    let bytes = match Limited::new(body, limit).collect().await {
        Ok(whole) => whole.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(Refusal::TooLarge(limit)),
        Err(_) => return Err(Refusal::BodyBroken),
    };
    if !bytes.is_empty() {
        check_type(headers)?;
    }
    Ok(bytes)
}

fn check_type(headers: &HeaderMap) -> Result<(), Refusal> {
    const EXPECTED: &str = "must be application/json";
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(Refusal::MediaType("goes without content-encoding: compressed bodies are not taken"));
    }
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mut parts = value.ok_or(Refusal::MediaType(EXPECTED))?.split(';').map(str::trim);
    if !parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json")) {
        return Err(Refusal::MediaType(EXPECTED));
    }
    for parameter in parts {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        if name.eq_ignore_ascii_case("charset") && !value.trim_matches('"').eq_ignore_ascii_case("utf-8") {
            return Err(Refusal::MediaType("must be application/json in UTF-8"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(headers: &[(&'static str, &str)]) -> bool {
        let headers =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        check_type(&headers).is_ok()
    }

    #[test]
    fn only_json_in_utf_8_without_compression_is_taken() {
        assert!(accepts(&[("content-type", "application/json")]));
        assert!(accepts(&[("content-type", "Application/JSON; charset=\"UTF-8\"; x=y")]));
        assert!(accepts(&[("content-type", "application/json"), ("content-encoding", "identity")]));
        for wrong in
            ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", ""]
        {
            assert!(!accepts(&[("content-type", wrong)]), "{wrong}");
        }
        assert!(!accepts(&[]));
        assert!(!accepts(&[("content-type", "application/json"), ("content-encoding", "gzip")]));
    }
}
