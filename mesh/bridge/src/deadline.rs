//! How long a request may take: what it says in `x-request-timeout` or `grpc-timeout`, or the setting.

use std::time::Duration;

use http::HeaderMap;
use plexus_client::deadline::GRPC_TIMEOUT;

use crate::refusal::Refusal;

/// Seconds, such as `2.5` or `2.5s`.
const REQUEST_TIMEOUT: &str = "x-request-timeout";

/// The time that a request asks for, at most `longest`; `otherwise` when it does not say.
pub(crate) fn of(headers: &HeaderMap, otherwise: Duration, longest: Duration) -> Result<Duration, Refusal> {
    let asked = if let Some(value) = headers.get(REQUEST_TIMEOUT) {
        value
            .to_str()
            .ok()
            .and_then(seconds)
            .ok_or(Refusal::Header(REQUEST_TIMEOUT, "must be seconds above 0, such as 2.5"))?
    } else if let Some(value) = headers.get(&GRPC_TIMEOUT) {
        plexus_client::deadline::parse(value).filter(|timeout| !timeout.is_zero()).ok_or(Refusal::Header(
            "grpc-timeout",
            "must be up to eight digits and one of H, M, S, m, u, n",
        ))?
    } else {
        otherwise
    };
    Ok(asked.min(longest))
}

fn seconds(text: &str) -> Option<Duration> {
    let number = text.strip_suffix('s').unwrap_or(text);
    if !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    Duration::try_from_secs_f64(number.parse().ok()?).ok().filter(|duration| !duration.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: &'static str, value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        of(&headers, Duration::from_secs(60), Duration::from_secs(600)).ok()
    }

    #[test]
    fn both_headers_are_read_and_bounded() {
        assert_eq!(asked(REQUEST_TIMEOUT, "2.5"), Some(Duration::from_millis(2500)));
        assert_eq!(asked(REQUEST_TIMEOUT, "3s"), Some(Duration::from_secs(3)));
        assert_eq!(asked(REQUEST_TIMEOUT, "99999"), Some(Duration::from_secs(600)), "the longest");
        assert_eq!(asked("grpc-timeout", "250m"), Some(Duration::from_millis(250)));
        assert_eq!(asked("grpc-timeout", "99999999H"), Some(Duration::from_secs(600)));
        assert_eq!(asked("x-other", "1"), Some(Duration::from_secs(60)), "the setting");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "0", "-1", "x", "1e3", "inf", "1.2.3", "s", "."] {
            assert_eq!(asked(REQUEST_TIMEOUT, text), None, "{text}");
        }
        for text in ["", "5", "m", "123456789m", "1.5S", "5x", "+5S", "5ü"] {
            let mut headers = HeaderMap::new();
            headers.insert(GRPC_TIMEOUT, http::HeaderValue::from_bytes(text.as_bytes()).unwrap());
            let read = of(&headers, Duration::from_secs(60), Duration::from_secs(600));
            assert!(read.is_err(), "{text}");
        }
    }
}
