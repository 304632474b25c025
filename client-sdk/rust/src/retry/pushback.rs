//! What a server says about a retry, in `grpc-retry-pushback-ms` (gRFC A6, "Pushback").

use std::time::Duration;

use http::{HeaderMap, HeaderName};

/// The header, in the trailers of a failed call.
pub const PUSHBACK_HEADER: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");

/// The longest wait that a server may ask for (as linkerd2-proxy bounds its hints). A call that is
/// told to come back later than this fails now, instead of holding its caller for up to 24 days.
pub const PUSHBACK_MAX: Duration = Duration::from_secs(300);

/// What a server says about a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushback {
    /// Nothing: the client's policy decides.
    Absent,
    /// Retry after exactly this.
    After(Duration),
    /// Do not retry: the value is negative, no number, or more than [`PUSHBACK_MAX`].
    Stop,
}

impl Pushback {
    /// Reads the header from the trailers, or from the headers of a response that has only them.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Self {
        headers.get(&PUSHBACK_HEADER).map_or(Self::Absent, |value| Self::parse(value.as_bytes()))
    }

    /// Reads a value: a signed 32-bit integer of milliseconds without a plus or leading zeros.
    #[must_use]
    pub fn parse(value: &[u8]) -> Self {
        let is_padded = value.starts_with(b"+") || (value.starts_with(b"0") && value.len() > 1);
        let text = std::str::from_utf8(value).ok().filter(|_| !is_padded);
        let millis = text.and_then(|text| text.parse::<i32>().ok());
        let wait = millis.and_then(|millis| u64::try_from(millis).ok()).map(Duration::from_millis);
        wait.filter(|&wait| wait <= PUSHBACK_MAX).map_or(Self::Stop, Self::After)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_number_that_is_not_negative_is_the_wait() {
        for (text, millis) in [("0", 0), ("1", 1), ("250", 250), ("300000", 300_000)] {
            assert_eq!(Pushback::parse(text.as_bytes()), Pushback::After(Duration::from_millis(millis)));
        }
    }

    #[test]
    fn all_else_means_do_not_retry() {
        for text in ["", "-1", "-0x", "abc", "1.5", "007", "+5", " 5", "5ms", "300001", "2147483648"] {
            assert_eq!(Pushback::parse(text.as_bytes()), Pushback::Stop, "{text:?}");
        }
        assert_eq!(Pushback::parse(b"\xff"), Pushback::Stop);
    }

    #[test]
    fn it_is_read_from_the_header_and_absent_without_one() {
        let mut headers = HeaderMap::new();
        assert_eq!(Pushback::from_headers(&headers), Pushback::Absent);
        headers.insert("grpc-retry-pushback-ms", HeaderValue::from_static("20"));
        assert_eq!(Pushback::from_headers(&headers), Pushback::After(Duration::from_millis(20)));
    }
}
