//! Attributes in JSX: React's names, and values of the types that React declares.

use super::{
    expression::{condition, expression, quoted},
    jsx::bare,
};
use crate::source::tree::{Attribute, AttributeValue, Choice, Part};

/// HTML's name and React's, where they differ.
const NAMES: &[(&str, &str)] = &[
    ("class", "className"),
    ("colspan", "colSpan"),
    ("datetime", "dateTime"),
    ("hreflang", "hrefLang"),
    ("referrerpolicy", "referrerPolicy"),
    ("rowspan", "rowSpan"),
];

/// The attribute as it stands in a tag.
pub(super) fn attribute(Attribute { name, value }: &Attribute) -> String {
    let name = NAMES.iter().find(|(html, _)| html == name).map_or(name.as_str(), |(_, react)| react);
    match value {
        AttributeValue::Present => name.to_owned(),
        AttributeValue::When(value) | AttributeValue::Numeric(value) => {
            format!("{name}={{{}}}", bare(&expression(value)))
        }
        AttributeValue::Number(number) => format!("{name}={{{number}}}"),
        AttributeValue::Parts(parts) => text(name, parts),
        // A picture without a URL has no "src", in which React agrees with the rendered HTML.
        AttributeValue::Url(value) if name == "src" => {
            format!("{name}={{safeUrl({}) || undefined}}", expression(value))
        }
        AttributeValue::Url(value) => format!("{name}={{safeUrl({})}}", expression(value)),
        AttributeValue::UrlParts(parts) => format!("{name}={{`{}`}}", url_parts(parts)),
        AttributeValue::Style(declarations) => format!("{name}={{{}}}", style(declarations)),
    }
}

fn text(name: &str, parts: &[Part]) -> String {
    match parts {
        [] => format!("{name}=\"\""),
        [Part::Text(text)] if !text.contains(['"', '&', '\\', '{', '<']) => format!("{name}=\"{text}\""),
        [Part::Text(text)] => format!("{name}={{{}}}", quoted(text)),
        [Part::Output(value)] if value.kind.is_text() => format!("{name}={{{}}}", bare(&expression(value))),
        parts => format!("{name}={{`{}`}}", template(parts)),
    }
}

/// The inside of a template literal.
fn template(parts: &[Part]) -> String {
    let mut code = String::new();
    for part in parts {
        match part {
            Part::Text(text) => code.push_str(&template_text(text)),
            Part::Output(value) => code.push_str(&format!("${{{}}}", expression(value))),
            Part::Choice(choice) => code.push_str(&format!("${{{}}}", template_choice(choice))),
        }
    }
    code
}

fn template_choice(choice: &Choice<Part>) -> String {
    let mut code = String::new();
    for (condition, branch) in &choice.branches {
        code.push_str(&format!("{} ? `{}` : ", self::condition(condition), template(branch)));
    }
    code.push_str(&format!("`{}`", template(&choice.otherwise)));
    code
}

fn url_parts(parts: &[Part]) -> String {
    let mut code = String::new();
    for part in parts {
        match part {
            Part::Text(text) => code.push_str(&template_text(text)),
            Part::Output(value) => code.push_str(&format!("${{encodeURIComponent({})}}", expression(value))),
            // The source refuses a choice within a URL.
            Part::Choice(_) => {}
        }
    }
    code
}

fn template_text(text: &str) -> String {
    text.replace('\\', "\\\\").replace('`', "\\`").replace("${", "\\${")
}

/// An object of React's property names; `object` since React's types know fewer values than browsers.
fn style(declarations: &[(String, String)]) -> String {
    let entries: Vec<String> = declarations
        .iter()
        .map(|(property, value)| format!("{}: {}", style_name(property), quoted(value)))
        .collect();
    format!("{{ {} }} as object", entries.join(", "))
}

fn style_name(property: &str) -> String {
    if property.starts_with("--") {
        return quoted(property);
    }
    let property = property.strip_prefix("-ms-").map_or(property.to_owned(), |rest| format!("ms-{rest}"));
    let mut name = String::new();
    let mut upper = false;
    for character in property.chars() {
        match character {
            '-' => upper = true,
            _ if upper => {
                name.push(character.to_ascii_uppercase());
                upper = false;
            }
            _ => name.push(character),
        }
    }
    if name.starts_with(|first: char| first.is_ascii_digit()) { quoted(&name) } else { name }
}
