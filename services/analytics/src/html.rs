//! HTML and SVG that cannot be broken out of: text is escaped where it goes in, and there is no other way in.

use std::fmt;

/// A piece of markup. What came from outside is in it only as escaped text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Markup(String);

/// A name and value, both of which are escaped.
pub type Attribute<'a> = (&'static str, &'a str);

/// Elements that have no content and no end tag.
const VOID: [&str; 1] = ["meta"];

impl Markup {
    /// Text, escaped.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self(escape(text))
    }

    /// Content of a style element, which is a constant of this crate.
    #[must_use]
    pub fn style(css: &'static str) -> Self {
        Self(format!("<style>{css}</style>"))
    }

    /// The whole document: the doctype and its root element.
    #[must_use]
    pub fn document(root: &Self) -> String {
        format!("<!doctype html>\n{root}\n")
    }

    /// An element with these attributes and content.
    #[must_use]
    pub fn element(
        name: &'static str,
        attributes: &[Attribute<'_>],
        content: impl IntoIterator<Item = Self>,
    ) -> Self {
        let mut markup = format!("<{name}");
        for (key, value) in attributes {
            markup.push_str(&format!(" {key}=\"{}\"", escape(value)));
        }
        markup.push('>');
        if !VOID.contains(&name) {
            content.into_iter().for_each(|piece| markup.push_str(&piece.0));
            markup.push_str(&format!("</{name}>"));
        }
        Self(markup)
    }

    /// An element that holds only text.
    #[must_use]
    pub fn labelled(name: &'static str, attributes: &[Attribute<'_>], text: &str) -> Self {
        Self::element(name, attributes, [Self::text(text)])
    }
}

impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Escapes text for content and for quoted attributes, and drops what HTML does not allow at all.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ if character.is_control() && !character.is_whitespace() => {}
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_can_open_a_tag_or_close_an_attribute(text in ".*") {
            let markup = Markup::labelled("p", &[("title", &text)], &text).to_string();
            let (attribute, content) = markup
                .strip_prefix("<p title=\"")
                .and_then(|rest| rest.strip_suffix("</p>"))
                .and_then(|rest| rest.split_once("\">"))
                .unwrap();
            for part in [attribute, content] {
                prop_assert!(!part.contains(['<', '>', '"', '\'']), "{part}");
            }
        }
    }

    #[test]
    fn elements_nest_and_void_ones_have_no_end() {
        let inner = Markup::element("meta", &[("charset", "utf-8")], []);
        let outer = Markup::element("head", &[], [inner]);
        assert_eq!(outer.to_string(), "<head><meta charset=\"utf-8\"></head>");
    }

    #[test]
    fn control_characters_do_not_pass() {
        assert_eq!(Markup::text("a\0b\u{1b}c d").to_string(), "abc d");
    }
}
