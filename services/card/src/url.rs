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

/// Whether `beginning` settles where a URL leads, so that encoded values may follow.
///
/// A host is settled by the "/", "?" or "#" after it, none of which an encoded value can hold.
pub(crate) fn is_fixed_beginning(beginning: &str) -> bool {
    // Browsers drop white space before a URL.
    let lower = beginning.trim_start().to_ascii_lowercase();
    if lower.starts_with("mailto:") || lower.starts_with("tel:") {
        return true;
    }
    let after_scheme = lower.strip_prefix("https:").or_else(|| lower.strip_prefix("http:"));
    // Browsers read "\" as "/".
    let is_separator = |character: char| "/\\?#".contains(character);
    match after_scheme.or_else(|| lower.starts_with(['/', '\\']).then_some(lower.as_str())) {
        Some(rest) => {
            let host = rest.trim_start_matches(['/', '\\']);
            match rest.len() - host.len() {
                // After a bare "/" an empty value and another "/" would make "//", which begins a host.
                1 if after_scheme.is_none() => !host.is_empty(),
                2 => host.find(is_separator).is_some_and(|index| index > 0),
                _ => false,
            }
        }
        None => is_allowed(&lower) && lower.contains(is_separator),
    }
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
        for url in [
            "",
            "/a?b=c:d",
            "a/b:c",
            "?q=:",
            "#:",
            "//host/x",
            "https://a.b/",
            "HTTP://a",
            "mailto:a@b.c",
            "tel:+1",
            "photo.jpg",
        ] {
            assert!(is_allowed(url), "{url}");
        }
        for url in [
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            " javascript:alert(1)",
            "java\nscript:alert(1)",
            "\u{1}javascript:x",
            "data:text/html,x",
            "vbscript:x",
            "file:///etc",
            "blob:x",
            ":",
            "http :x",
            "https\t:x",
            "javascript\u{200b}:x",
        ] {
            assert!(!is_allowed(url), "{url:?}");
            assert_eq!(allowed_or_blocked(url), BLOCKED);
        }
    }

    #[test]
    fn values_follow_only_where_a_url_leads_somewhere_for_certain() {
        for beginning in
            ["/p", "/p/", "?q=", "#", "https://a.b/", "HTTPS://a.b?x=", "mailto:", "tel:+", "a/b", "./"]
        {
            assert!(is_fixed_beginning(beginning), "{beginning}");
        }
        for beginning in [
            "",
            "/",
            " //",
            "//",
            "///",
            "/\\",
            "https:",
            "https:/",
            "https://",
            "https://a.b",
            "https:///x",
            "//a",
            "javascript:",
            "java",
            "data:x/",
            "\\\\x",
        ] {
            assert!(!is_fixed_beginning(beginning), "{beginning}");
        }
    }

    #[test]
    fn parts_of_urls_cannot_leave_their_place() {
        assert_eq!(encode_component("a b/c?d=e&f#g:é'"), "a%20b%2Fc%3Fd%3De%26f%23g%3A%C3%A9'");
    }
}
