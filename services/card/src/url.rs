//! URLs that a card may point to, and values as parts of them.

/// What stands where a URL is not allowed: it leads nowhere and says why.
pub(crate) const BLOCKED: &str = "about:invalid#blocked";
/// The schemes that lead to something without running anything.
const SCHEMES: [&str; 4] = ["http", "https", "mailto", "tel"];

/// Whether `url` is relative or has one of the schemes that are allowed.
///
/// What stands before the first colon is the scheme, unless "/", "?" or "#" comes first (RFC 3986, 4.2). An
/// allow-list on it needs no cleaning of white space or control characters, which only blocked URLs hold there.
pub(crate) fn is_allowed(url: &str) -> bool {
    match url.find([':', '/', '?', '#']) {
        Some(index) if url.as_bytes()[index] == b':' => {
            SCHEMES.iter().any(|scheme| url[..index].eq_ignore_ascii_case(scheme))
        }
        _ => true,
    }
}

/// `url`, or what stands for a blocked one.
pub(crate) fn allowed_or_blocked(url: &str) -> &str {
    if is_allowed(url) { url } else { BLOCKED }
}

/// `text` as a part of a URL: what JavaScript's `encodeURIComponent` makes of it (ECMA-262, 19.2.6.4).
pub(crate) fn encode_component(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            for digit in [byte >> 4, byte & 15] {
                encoded.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_harmless_schemes_and_relative_urls_are_allowed() {
        for url in ["", "/a?b=c:d", "a/b:c", "?q=:", "#:", "//host/x", "https://a.b/", "HTTP://a", "mailto:a@b.c", "tel:+1", "photo.jpg"] {
            assert!(is_allowed(url), "{url}");
        }
        for url in [
            "javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "java\nscript:alert(1)", "\u{1}javascript:x",
            "data:text/html,x", "vbscript:x", "file:///etc", "blob:x", ":", "http :x", "https\t:x", "javascript\u{200b}:x",
        ] {
            assert!(!is_allowed(url), "{url:?}");
            assert_eq!(allowed_or_blocked(url), BLOCKED);
        }
    }

    #[test]
    fn parts_of_urls_cannot_leave_their_place() {
        assert_eq!(encode_component("a b/c?d=e&f#g:é'"), "a%20b%2Fc%3Fd%3De%26f%23g%3A%C3%A9'");
    }
}
