//! Percent-encoding of paths and queries (RFC 3986, 2.1), strict: what cannot be decoded is refused.

/// The text holds a `%` without two hexadecimal digits, or bytes that are not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("holds a % without two hexadecimal digits, or bytes that are not UTF-8")]
pub(crate) struct Malformed;

/// Decodes every escape.
pub(crate) fn decode(text: &str) -> Result<String, Malformed> {
    decode_unless(text, |_| false)
}

/// Decodes every escape but that of `/`, which stays `%2F` as it was written: in a value of several
/// segments an escaped slash must not become a separator (google/api/http.proto, reserved expansion).
pub(crate) fn decode_except_slash(text: &str) -> Result<String, Malformed> {
    decode_unless(text, |byte| byte == b'/')
}

/// Encodes a literal of a template: the characters that a path segment may hold stay readable, except
/// `*` and `:`, which mean something in a template.
pub(super) fn encode_literal(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~!$&'()+,;@".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(char::from(HEX[usize::from(byte >> 4)]));
            encoded.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    encoded
}

fn decode_unless(text: &str, keep: impl Fn(u8) -> bool) -> Result<String, Malformed> {
    let mut rest = text.as_bytes();
    let mut decoded = Vec::with_capacity(rest.len());
    while let Some((&first, tail)) = rest.split_first() {
        if first != b'%' {
            decoded.push(first);
            rest = tail;
            continue;
        }
        let (escape, after) = rest.split_at_checked(3).ok_or(Malformed)?;
        let digits = std::str::from_utf8(&escape[1..]).map_err(|_| Malformed)?;
        if !escape[1..].iter().all(u8::is_ascii_hexdigit) {
            return Err(Malformed);
        }
        let byte = u8::from_str_radix(digits, 16).map_err(|_| Malformed)?;
        if keep(byte) {
            decoded.extend_from_slice(escape);
        } else {
            decoded.push(byte);
        }
        rest = after;
    }
    String::from_utf8(decoded).map_err(|_| Malformed)
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_and_faulty_ones_refused() {
        assert_eq!(decode("a%20b%2Fc%C3%BC+"), Ok("a b/cü+".to_owned()));
        for faulty in ["%", "%2", "%zz", "%+1", "%ff", "a%2"] {
            assert_eq!(decode(faulty), Err(Malformed), "{faulty}");
        }
    }

    #[test]
    fn an_escaped_slash_stays_escaped_as_it_was_written() {
        assert_eq!(decode_except_slash("a%2Fb%2fc%20d"), Ok("a%2Fb%2fc d".to_owned()));
    }

    #[test]
    fn what_is_encoded_decodes_to_the_same() {
        let text = "a b/c:d*ü%{}~";
        assert_eq!(decode(&encode_literal(text)), Ok(text.to_owned()));
        assert!(!encode_literal(text).contains(['/', ':', '*', '{']));
    }
}
