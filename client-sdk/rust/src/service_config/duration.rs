//! Protobuf's JSON form of a duration: decimal seconds with an `s`, such as `"1.5s"`.

use std::time::Duration;

/// The most seconds that `google.protobuf.Duration` holds: about 10,000 years.
const SECONDS_MAX: u64 = 315_576_000_000;

/// The digits after the point, down to a nanosecond.
const DECIMALS_MAX: usize = 9;

/// Reads `1s`, `1.5s`, `0.000000001s`, and `.5s`, which the examples of grpc-go use. `None` for all
/// else, negative ones included: no duration of a service config may be negative.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let number = text.strip_suffix('s')?;
    let (whole, decimals) = match number.split_once('.') {
        Some((_, "")) => return None,
        Some(("", decimals)) => ("0", decimals),
        Some(parts) => parts,
        None => (number, ""),
    };
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if decimals.len() > DECIMALS_MAX || !are_digits(whole) || !are_digits(decimals) {
        return None;
    }
    let seconds = whole.parse().ok().filter(|&seconds: &u64| seconds <= SECONDS_MAX)?;
    let nanoseconds = format!("{decimals:0<DECIMALS_MAX$}").parse().ok()?;
    Some(Duration::new(seconds, nanoseconds))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_documented_forms_are_read() {
        for (text, expected) in [
            ("0s", Duration::ZERO),
            ("1s", Duration::from_secs(1)),
            ("1.5s", Duration::from_millis(1500)),
            (".01s", Duration::from_millis(10)),
            ("1.000000001s", Duration::new(1, 1)),
            ("315576000000s", Duration::from_secs(SECONDS_MAX)),
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in
            ["", "s", ".s", "1", "1.s", "1ms", "-1s", "+1s", "1e3s", " 1s", "1 s", "1.5.5s", "1.0000000001s"]
        {
            assert_eq!(parse(text), None, "{text:?}");
        }
        assert_eq!(parse("315576000001s"), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(seconds in 0..=SECONDS_MAX, nanoseconds in 0_u32..1_000_000_000) {
            let text = format!("{seconds}.{nanoseconds:09}s");
            prop_assert_eq!(parse(&text), Some(Duration::new(seconds, nanoseconds)));
        }
    }
}
