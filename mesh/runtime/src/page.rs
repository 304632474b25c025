//! Pages of lists: a size with a limit, and a token that says where the next page begins.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::status::Problem;

/// The size of a page when the client names none.
pub const SIZE_DEFAULT: i64 = 50;
/// The largest page: what a screen of people can use, and far below the message limit.
pub const SIZE_MAX: i64 = 200;

/// The number of rows to fetch for the `page_size` that a client sent.
///
/// # Errors
/// `INVALID_ARGUMENT` when it is negative or above [`SIZE_MAX`].
pub fn size(requested: i32) -> Result<i64, Problem> {
    match i64::from(requested) {
        0 => Ok(SIZE_DEFAULT),
        size if (1..=SIZE_MAX).contains(&size) => Ok(size),
        _ => Err(Problem::invalid("page_size", format!("must be 1 to {SIZE_MAX}, or 0 for {SIZE_DEFAULT}"))),
    }
}

/// The page token for the key after which the next page begins.
#[must_use]
pub fn encode(key: &str) -> String {
    URL_SAFE_NO_PAD.encode(key)
}

/// The key in a page token; `None` for the first page.
///
/// # Errors
/// `INVALID_ARGUMENT` when the token is not one that [`encode`] made.
pub fn decode(token: &str) -> Result<Option<String>, Problem> {
    if token.is_empty() {
        return Ok(None);
    }
    URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .filter(|key| !key.contains('\0'))
        .map(Some)
        .ok_or_else(|| Problem::invalid("page_token", "must be a next_page_token of the answer before"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_back_to_its_key() {
        assert_eq!(decode(&encode("0198/ä")).unwrap().as_deref(), Some("0198/ä"));
        assert_eq!(decode("").unwrap(), None);
        assert!(decode("not a token!").is_err());
    }

    #[test]
    fn sizes_have_a_default_and_a_limit() {
        assert_eq!(size(0).unwrap(), SIZE_DEFAULT);
        assert_eq!(size(200).unwrap(), 200);
        assert!(size(201).is_err());
        assert!(size(-1).is_err());
    }
}
