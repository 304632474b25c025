//! The elements and attributes that a card may use: what shows something, and nothing that acts.

/// What may stand in an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Nothing; it has no end tag.
    Void,
    /// Text and inline elements.
    Phrasing,
    /// Anything that may stand where the element stands.
    Flow,
    /// Only these elements, no text.
    Only(&'static [&'static str]),
}

/// An element of the allow-list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ElementRule {
    pub(crate) name: &'static str,
    pub(crate) content: Content,
    /// Whether it flows with text rather than standing on its own.
    pub(crate) inline: bool,
    /// The only parents it may have; empty: any.
    pub(crate) parents: &'static [&'static str],
}

/// What an attribute takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AttributeRule {
    Text,
    /// One of these, fixed.
    Word(&'static [&'static str]),
    Number,
    Boolean,
    Url,
    Style,
}

use Content::{Flow, Only, Phrasing, Void};

const SECTION: &[&str] = &[
    "div",
    "section",
    "article",
    "header",
    "footer",
    "nav",
    "aside",
    "main",
    "figure",
    "figcaption",
    "address",
    "blockquote",
    "details",
];
const TEXT_BLOCK: &[&str] = &["p", "h1", "h2", "h3", "h4", "h5", "h6", "summary", "caption"];
const INLINE: &[&str] = &[
    "span", "strong", "em", "b", "i", "u", "s", "small", "mark", "sub", "sup", "code", "kbd", "samp", "var",
    "q", "cite", "abbr", "time", "data", "del", "ins", "dfn", "bdi", "bdo", "progress", "meter",
];

static SPECIAL: &[ElementRule] = &[
    rule("a", Flow, true, &[]),
    rule("img", Void, true, &[]),
    rule("br", Void, true, &[]),
    rule("wbr", Void, true, &[]),
    rule("hr", Void, false, &[]),
    rule("ul", Only(&["li"]), false, &[]),
    rule("ol", Only(&["li"]), false, &[]),
    rule("li", Flow, false, &["ul", "ol"]),
    rule("dl", Only(&["dt", "dd"]), false, &[]),
    rule("dt", Phrasing, false, &["dl"]),
    rule("dd", Flow, false, &["dl"]),
    rule("table", Only(&["caption", "thead", "tbody", "tfoot"]), false, &[]),
    rule("thead", Only(&["tr"]), false, &["table"]),
    rule("tbody", Only(&["tr"]), false, &["table"]),
    rule("tfoot", Only(&["tr"]), false, &["table"]),
    rule("tr", Only(&["th", "td"]), false, &["thead", "tbody", "tfoot"]),
    rule("th", Flow, false, &["tr"]),
    rule("td", Flow, false, &["tr"]),
];

const fn rule(
    name: &'static str,
    content: Content,
    inline: bool,
    parents: &'static [&'static str],
) -> ElementRule {
    ElementRule { name, content, inline, parents }
}

/// The rule for the element `name`, which is in lower case.
pub(crate) fn element(name: &str) -> Option<ElementRule> {
    if let Some(special) = SPECIAL.iter().find(|special| special.name == name) {
        return Some(rule(special.name, special.content, special.inline, special.parents));
    }
    let among = |names: &'static [&'static str]| names.iter().find(|known| **known == name);
    if let Some(name) = among(SECTION) {
        return Some(rule(name, Flow, false, &[]));
    }
    if let Some(name) = among(TEXT_BLOCK) {
        let parents: &[&str] = match *name {
            "summary" => &["details"],
            "caption" => &["table"],
            _ => &[],
        };
        return Some(rule(name, Phrasing, false, parents));
    }
    among(INLINE).map(|name| rule(name, Phrasing, true, &[]))
}

/// The rule for the attribute `name`, in lower case, of the element `element`.
pub(crate) fn attribute(element: &str, name: &str) -> Option<AttributeRule> {
    use AttributeRule::{Boolean, Number, Style, Text, Url, Word};
    Some(match (element, name) {
        (_, "class" | "title" | "lang" | "role") => Text,
        (_, "style") => Style,
        (_, "hidden") | ("details", "open") | ("ol", "reversed") => Boolean,
        (_, "dir") => Word(&["ltr", "rtl", "auto"]),
        ("a", "href") | ("img", "src") | ("blockquote" | "q" | "del" | "ins", "cite") => Url,
        ("a", "target") => Word(&["_blank"]),
        ("a", "rel") => Word(&[
            "noopener",
            "noreferrer",
            "nofollow",
            "noopener noreferrer",
            "noopener noreferrer nofollow",
        ]),
        ("a", "hreflang") | ("img", "alt") | ("time" | "del" | "ins", "datetime") | ("data", "value") => Text,
        ("img", "loading") => Word(&["lazy", "eager"]),
        ("img", "decoding") => Word(&["async", "sync", "auto"]),
        ("img", "referrerpolicy") => Word(&["no-referrer"]),
        ("img", "width" | "height")
        | ("ol", "start")
        | ("li", "value")
        | ("th" | "td", "colspan" | "rowspan") => Number,
        ("progress", "value" | "max") | ("meter", "value" | "min" | "max" | "low" | "high" | "optimum") => {
            Number
        }
        ("th", "scope") => Word(&["row", "col", "rowgroup", "colgroup"]),
        ("th", "abbr") => Text,
        _ if is_aria(name) => Text,
        _ => return None,
    })
}

/// `aria-…` says something about an element and does nothing. `data-…` is absent: pages let scripts act on it.
fn is_aria(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("aria-") else { return false };
    !rest.is_empty() && rest.len() <= 32 && rest.bytes().all(|byte| byte.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_acts_is_on_the_list() {
        for name in [
            "script", "style", "iframe", "object", "embed", "form", "input", "button", "base", "meta",
            "link", "svg", "math", "template", "noscript", "frame", "applet", "textarea", "select", "audio",
            "video", "source", "html", "body", "title", "slot",
        ] {
            assert_eq!(element(name), None, "{name}");
        }
        for name in [
            "onclick",
            "onerror",
            "id",
            "name",
            "srcdoc",
            "srcset",
            "ping",
            "formaction",
            "is",
            "slot",
            "xmlns",
            "data-x",
            "aria-",
            "aria-Label",
            "nonce",
        ] {
            assert_eq!(attribute("img", name), None, "{name}");
            assert_eq!(attribute("a", name), None, "{name}");
        }
    }
}
