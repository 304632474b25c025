//! Makes the Tera source that is rendered from a tree: each value goes through the filter of the place where it stands.
//!
//! Only what this module writes reaches Tera. Fixed text is written with its signs escaped, "{" among them, so
//! that no text can become a tag.

use std::fmt::Write as _;

use crate::source::tree::{
    Attribute, AttributeValue, Choice, Condition, Element, Expression, Filter, Node, Operand, Part, Path,
};

/// The Tera source of `nodes`.
pub(crate) fn compile(nodes: &[Node]) -> String {
    let mut tera = String::new();
    write_nodes(&mut tera, nodes);
    tera
}

fn write_nodes(tera: &mut String, nodes: &[Node]) {
    for node in nodes {
        match node {
            Node::Text(text) => write_fixed(tera, text),
            Node::Output(value) => write_output(tera, value, "text"),
            Node::Element(element) => write_element(tera, element),
            Node::Choice(choice) => write_choice(tera, choice, write_nodes),
            Node::Loop(each) => {
                push(tera, format_args!("{{% for {} in {} %}}", each.variable, path(&each.list)));
                write_nodes(tera, &each.body);
                tera.push_str("{% endfor %}");
            }
        }
    }
}

fn write_element(tera: &mut String, element: &Element) {
    push(tera, format_args!("<{}", element.name));
    for attribute in &element.attributes {
        write_attribute(tera, attribute);
    }
    tera.push('>');
    if !matches!(element.name, "br" | "hr" | "img" | "wbr") {
        write_nodes(tera, &element.children);
        push(tera, format_args!("</{}>", element.name));
    }
}

fn write_attribute(tera: &mut String, Attribute { name, value }: &Attribute) {
    match value {
        AttributeValue::Present => push(tera, format_args!(" {name}=\"\"")),
        AttributeValue::When(value) => {
            push(tera, format_args!("{{% if {} %}} {name}=\"\"{{% endif %}}", expression(value)));
        }
        AttributeValue::Url(value) if name == "src" => {
            // An empty "src" would load the page itself; React leaves it out as well.
            push(tera, format_args!("{{% if {} %}} {name}=\"", expression(value)));
            write_output(tera, value, "url");
            tera.push_str("\"{% endif %}");
        }
        _ => {
            push(tera, format_args!(" {name}=\""));
            write_value(tera, value);
            tera.push('"');
        }
    }
}

fn write_value(tera: &mut String, value: &AttributeValue) {
    match value {
        AttributeValue::Present | AttributeValue::When(_) => {}
        AttributeValue::Parts(parts) => write_parts(tera, parts),
        AttributeValue::Number(number) => write_fixed(tera, number),
        AttributeValue::Numeric(value) => write_output(tera, value, "text"),
        AttributeValue::Url(value) => write_output(tera, value, "url"),
        AttributeValue::UrlParts(parts) => {
            for part in parts {
                match part {
                    Part::Text(text) => write_fixed(tera, text),
                    Part::Output(value) => write_output(tera, value, "url_part"),
                    Part::Choice(_) => {}
                }
            }
        }
        AttributeValue::Style(declarations) => {
            let text: Vec<String> =
                declarations.iter().map(|(property, value)| format!("{property}:{value}")).collect();
            write_fixed(tera, &text.join(";"));
        }
    }
}

fn write_parts(tera: &mut String, parts: &[Part]) {
    for part in parts {
        match part {
            Part::Text(text) => write_fixed(tera, text),
            Part::Output(value) => write_output(tera, value, "text"),
            Part::Choice(choice) => write_choice(tera, choice, write_parts),
        }
    }
}

fn write_choice<T>(tera: &mut String, choice: &Choice<T>, write: fn(&mut String, &[T])) {
    for (index, (condition, branch)) in choice.branches.iter().enumerate() {
        let word = if index == 0 { "if" } else { "elif" };
        push(tera, format_args!("{{% {word} {} %}}", self::condition(condition)));
        write(tera, branch);
    }
    if !choice.otherwise.is_empty() {
        tera.push_str("{% else %}");
        write(tera, &choice.otherwise);
    }
    tera.push_str("{% endif %}");
}

fn write_output(tera: &mut String, value: &Expression, place: &str) {
    push(tera, format_args!("{{{{ {} | {place} }}}}", expression(value)));
}

/// Writes fixed text as HTML that is the same in text and in a quoted attribute.
fn write_fixed(tera: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => tera.push_str("&amp;"),
            '<' => tera.push_str("&lt;"),
            '>' => tera.push_str("&gt;"),
            '"' => tera.push_str("&quot;"),
            '{' => tera.push_str("&#123;"),
            other => tera.push(other),
        }
    }
}

fn expression(value: &Expression) -> String {
    let mut tera = path(&value.path);
    for filter in &value.filters {
        tera.push_str(" | ");
        tera.push_str(&self::filter(filter));
    }
    tera
}

fn path(path: &Path) -> String {
    match path {
        Path::Name { name, .. } => name.clone(),
        Path::Field { variable, field, .. } => format!("{variable}.{field}"),
        Path::Counter { counter, .. } => format!("loop.{}", counter.name()),
    }
}

fn filter(filter: &Filter) -> String {
    match filter {
        Filter::Upper => "upper".to_owned(),
        Filter::Lower => "lower".to_owned(),
        Filter::Capitalize => "capitalize".to_owned(),
        Filter::Trim => "trim".to_owned(),
        Filter::Length => "length".to_owned(),
        Filter::Truncate { length } => format!("truncate(length={length})"),
        Filter::Default { value } => format!("default(value={})", quoted(value)),
        Filter::Join { separator } => format!("join(sep={})", quoted(separator)),
        Filter::Round { precision } => format!("round(precision={precision})"),
        Filter::Fixed { digits } => format!("fixed(digits={digits})"),
    }
}

/// Every condition stands in parentheses, so that it means what the tree says whatever Tera's precedence is.
fn condition(condition: &Condition) -> String {
    match condition {
        Condition::Holds(value) => format!("({})", expression(value)),
        Condition::Constant(value) => value.to_string(),
        Condition::Compare(left, comparison, right) => {
            format!("({} {} {})", operand(left), comparison.symbol(), operand(right))
        }
        Condition::Not(inner) => format!("(not {})", self::condition(inner)),
        Condition::And(left, right) => format!("({} and {})", self::condition(left), self::condition(right)),
        Condition::Or(left, right) => format!("({} or {})", self::condition(left), self::condition(right)),
    }
}

fn operand(operand: &Operand) -> String {
    match operand {
        Operand::Expression(value) => format!("({})", expression(value)),
        Operand::Text(text) => quoted(text),
        Operand::Number(value) if *value < 0.0 => format!("(0.0 - {:?})", value.abs()),
        Operand::Number(value) => format!("{value:?}"),
        Operand::Boolean(value) => value.to_string(),
    }
}

/// A string of Tera. Literals hold no backslash and not both kinds of quotes, since they cannot be written so.
fn quoted(text: &str) -> String {
    if text.contains('"') { format!("'{text}'") } else { format!("\"{text}\"") }
}

fn push(tera: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    if tera.write_fmt(arguments).is_err() {
        tera.clear();
    }
}
