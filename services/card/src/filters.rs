//! The filters that Tera is given: those of templates, equal to what an exported component does, and one per place.

use tera::{Kwargs, State, Tera, TeraResult, Value};

use crate::{number, url};

/// Tera with nothing in it but the filters of cards.
pub(crate) fn engine() -> Tera {
    let mut tera = Tera::default();
    // The filters of places escape; what has not gone through one of them is escaped all the same.
    tera.autoescape_on([".html"]);
    tera.register_filter("text", |value: &Value, _: Kwargs, _: &State| {
        Value::safe_string(&escape(&show(value)))
    });
    tera.register_filter("url", |value: &str, _: Kwargs, _: &State| {
        Value::safe_string(&escape(url::allowed_or_blocked(value)))
    });
    tera.register_filter("url_part", |value: &Value, _: Kwargs, _: &State| {
        Value::safe_string(&escape(&url::encode_component(&show(value))))
    });
    tera.register_filter("upper", |value: &str, _: Kwargs, _: &State| value.to_uppercase());
    tera.register_filter("lower", |value: &str, _: Kwargs, _: &State| value.to_lowercase());
    tera.register_filter("capitalize", |value: &str, _: Kwargs, _: &State| capitalize(value));
    tera.register_filter("trim", |value: &str, _: Kwargs, _: &State| trim(value).to_owned());
    tera.register_filter("truncate", truncate);
    tera.register_filter("default", default);
    tera.register_filter("length", |value: &Value, _: Kwargs, _: &State| value.len().unwrap_or(0) as u64);
    tera.register_filter("join", join);
    tera.register_filter("round", |value: f64, kwargs: Kwargs, _: &State| -> TeraResult<f64> {
        Ok(number::round(value, kwargs.must_get::<u8>("precision")?))
    });
    tera.register_filter("fixed", |value: f64, kwargs: Kwargs, _: &State| -> TeraResult<String> {
        Ok(number::fixed(value, kwargs.must_get::<u8>("digits")?))
    });
    tera
}

/// The signs that mean something in text or in a quoted attribute, as entities.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#x27;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A value as text, numbers as JavaScript writes them.
fn show(value: &Value) -> String {
    match (value.as_str(), value.as_i64(), value.as_f64()) {
        (Some(text), ..) => text.to_owned(),
        (_, Some(whole), _) if !value.is_f64() => whole.to_string(),
        (_, _, Some(number)) => number::to_text(number),
        _ => String::new(),
    }
}

fn capitalize(text: &str) -> String {
    let mut characters = text.chars();
    let first: String = characters.next().into_iter().flat_map(char::to_uppercase).collect();
    first + &characters.as_str().to_lowercase()
}

/// Without the white space that JavaScript's `trim` drops: that of Unicode and the byte order mark, but not U+0085.
fn trim(text: &str) -> &str {
    text.trim_matches(|character: char| {
        (character.is_whitespace() && character != '\u{85}') || character == '\u{feff}'
    })
}

fn truncate(value: &str, kwargs: Kwargs, _: &State) -> TeraResult<String> {
    let length = kwargs.must_get::<usize>("length")?;
    Ok(match value.char_indices().nth(length) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    })
}

fn default(value: &str, kwargs: Kwargs, _: &State) -> TeraResult<String> {
    Ok(if value.is_empty() { kwargs.must_get::<&str>("value")?.to_owned() } else { value.to_owned() })
}

fn join(value: &Value, kwargs: Kwargs, _: &State) -> TeraResult<String> {
    let texts: Vec<&str> = value.as_array().unwrap_or_default().iter().filter_map(Value::as_str).collect();
    Ok(texts.join(kwargs.must_get::<&str>("sep")?))
}
