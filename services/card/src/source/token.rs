//! The words and signs inside a tag of Tera.

use super::error::Fault;

/// A word or sign.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Word(String),
    Text(String),
    Number(f64),
    /// One of the signs that the subset knows.
    Sign(&'static str),
}

/// Two-character signs come first, since "=" begins "==".
const SIGNS: [&str; 12] = ["==", "!=", "<=", ">=", "<", ">", "=", "|", ".", ",", "(", ")"];

/// The tokens of `text`, which begins at `offset`, each with its own offset.
pub(super) fn tokens(text: &str, offset: usize) -> Result<Vec<(Token, usize)>, Fault> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let (token, length) = if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        } else if first.is_ascii_alphabetic() || first == '_' {
            let word = take(rest, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
            (Token::Word(word.to_owned()), word.len())
        } else if first == '"' || first == '\'' {
            string(rest, first, offset + at)?
        } else if first.is_ascii_digit()
            || (first == '-' && rest[1..].starts_with(|next: char| next.is_ascii_digit()))
        {
            number(rest, offset + at)?
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            (Token::Sign(sign), sign.len())
        } else {
            return Err(Fault::new(
                offset + at,
                format!("{first:?} is not in the subset of Tera that cards use"),
            ));
        };
        tokens.push((token, offset + at));
        at += length;
    }
    Ok(tokens)
}

fn string(rest: &str, quote: char, offset: usize) -> Result<(Token, usize), Fault> {
    let Some(end) = rest[1..].find(quote) else {
        return Err(Fault::new(offset, "this string is not closed"));
    };
    let text = &rest[1..=end];
    if text.contains('\\') {
        return Err(Fault::new(offset, "a string cannot hold \"\\\""));
    }
    Ok((Token::Text(text.to_owned()), end + 2))
}

fn number(rest: &str, offset: usize) -> Result<(Token, usize), Fault> {
    let sign = usize::from(rest.starts_with('-'));
    let digits = take(&rest[sign..], |byte| byte.is_ascii_digit() || byte == b'.');
    let text = &rest[..sign + digits.len()];
    // Fifteen digits are exact in every language that reads them.
    match text.parse::<f64>() {
        Ok(value) if digits.len() <= 16 && !digits.ends_with('.') => Ok((Token::Number(value), text.len())),
        _ => Err(Fault::new(offset, "this number cannot be read")),
    }
}

fn take(text: &str, keep: impl Fn(u8) -> bool) -> &str {
    &text[..text.bytes().position(|byte| !keep(byte)).unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_strings_numbers_and_signs_are_read() {
        let read: Vec<Token> =
            tokens("a.b|join(sep=\", \") >= -1.5", 7).unwrap().into_iter().map(|(token, _)| token).collect();
        let word = |text: &str| Token::Word(text.to_owned());
        let expected = [
            word("a"),
            Token::Sign("."),
            word("b"),
            Token::Sign("|"),
            word("join"),
            Token::Sign("("),
            word("sep"),
            Token::Sign("="),
            Token::Text(", ".to_owned()),
            Token::Sign(")"),
            Token::Sign(">="),
            Token::Number(-1.5),
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn signs_outside_the_subset_are_refused_where_they_stand() {
        for (text, offset) in [
            ("a ~ b", 2),
            ("a + 1", 2),
            ("[a]", 0),
            ("a[0]", 1),
            ("{a}", 0),
            ("a?.b", 1),
            ("a ? b", 2),
            ("a`", 1),
            ("a * 2", 2),
            ("\"a\\\"", 0),
        ] {
            assert_eq!(tokens(text, 10).unwrap_err().offset, 10 + offset, "{text}");
        }
    }
}
