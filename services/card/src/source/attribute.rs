//! Reads the attributes of an element, each by the rule for what may stand in it.

use super::{
    cursor::Item,
    element::{self, AttributeRule},
    error::Fault,
    expression::Reader,
    html::{self, Parser},
    space::collapse_text,
    tree::{Attribute, AttributeValue, Element, Expression, Part},
};
use crate::{number, parameter::Type, style, url};

/// More than any element of a card needs.
const ATTRIBUTES_MAX: usize = 32;

/// The attributes up to ">", and whether the element closes itself with "/>".
pub(super) fn read_all(parser: &mut Parser<'_, '_>, element: &str) -> Result<(Vec<Attribute>, bool), Fault> {
    let mut attributes: Vec<Attribute> = Vec::new();
    loop {
        let before = parser.cursor.offset();
        parser.cursor.skip_space();
        let offset = parser.cursor.offset();
        if parser.cursor.take_text(">") {
            return Ok((attributes, false));
        }
        if parser.cursor.take_text("/>") {
            return Ok((attributes, true));
        }
        match parser.cursor.peek() {
            Item::Character(first) if first.is_ascii_alphabetic() => {}
            Item::Output(_) | Item::Tag(_) => {
                return Err(Fault::new(
                    offset,
                    "a tag of Tera can stand in text and in quoted values of attributes, not here",
                ));
            }
            Item::End => return Err(Fault::new(offset, format!("<{element}> is not closed with \">\""))),
            Item::Character(_) => {
                return Err(Fault::new(offset, "the name of an attribute is expected here"));
            }
        }
        if before == offset {
            return Err(Fault::new(offset, "a space is expected before an attribute"));
        }
        if attributes.len() == ATTRIBUTES_MAX {
            return Err(Fault::new(offset, format!("an element has at most {ATTRIBUTES_MAX} attributes")));
        }
        let attribute = read(parser, element)?;
        if attributes.iter().any(|other| other.name == attribute.name) {
            return Err(Fault::new(offset, format!("the attribute {:?} stands here twice", attribute.name)));
        }
        attributes.push(attribute);
    }
}

/// Rules about an element with all its attributes.
pub(super) fn check_element(element: &Element) -> Result<(), String> {
    let find = |name: &str| element.attributes.iter().find(|attribute| attribute.name == name);
    if element.name == "img" && (find("src").is_none() || find("alt").is_none()) {
        return Err("<img> needs \"src\", and \"alt\" for those who do not see it".to_owned());
    }
    let safe = find("rel").is_some_and(|rel| matches!(&rel.value, AttributeValue::Parts(parts) if matches!(&parts[..], [Part::Text(text)] if text.contains("noopener"))));
    if find("target").is_some() && !safe {
        return Err("a link with \"target\" needs rel=\"noopener\"".to_owned());
    }
    Ok(())
}

fn read(parser: &mut Parser<'_, '_>, element: &str) -> Result<Attribute, Fault> {
    let offset = parser.cursor.offset();
    let name = parser.cursor.name().to_ascii_lowercase();
    let Some(rule) = element::attribute(element, &name) else {
        return Err(Fault::new(
            offset,
            format!("the attribute {name:?} of <{element}> cannot be used in a card"),
        ));
    };
    let parts = if parser.cursor.take_text_after_space("=") { Some(quoted(parser)?) } else { None };
    let value = by_rule(&name, rule, parts).map_err(|message| Fault::new(offset, message))?;
    Ok(Attribute { name, value })
}

fn quoted(parser: &mut Parser<'_, '_>) -> Result<Vec<Part>, Fault> {
    parser.cursor.skip_space();
    let offset = parser.cursor.offset();
    let quote = match parser.cursor.peek() {
        Item::Character(quote @ ('"' | '\'')) => quote,
        _ => return Err(Fault::new(offset, "the value of an attribute must be in quotes")),
    };
    parser.cursor.advance();
    let parts = parts(parser, quote)?;
    match parser.cursor.peek() {
        Item::Character(found) if found == quote => parser.cursor.advance(),
        Item::End => return Err(Fault::new(offset, "this value is not closed")),
        _ => return Err(Fault::new(parser.cursor.offset(), "this tag has no beginning within the value")),
    }
    Ok(parts)
}

/// Text and tags up to the quote, or to a tag that goes on or ends a choice.
fn parts(parser: &mut Parser<'_, '_>, quote: char) -> Result<Vec<Part>, Fault> {
    let mut parts = Vec::new();
    let mut text = String::new();
    loop {
        let part = match parser.cursor.peek() {
            Item::End => break,
            Item::Character(found) if found == quote => break,
            Item::Character('&') => {
                text.push(parser.cursor.entity()?);
                continue;
            }
            Item::Character(character) => {
                text.push(character);
                parser.cursor.advance();
                continue;
            }
            Item::Output(segment) => {
                parser.cursor.advance();
                Part::Output(Reader::new(segment.text, segment.offset, &parser.names)?.whole_expression()?)
            }
            Item::Tag(segment) => match html::keyword(segment) {
                "if" => {
                    Part::Choice(html::read_choice(parser, segment, |parser| self::parts(parser, quote))?)
                }
                "elif" | "else" | "endif" => break,
                other => return Err(html::refused_tag(segment, other)),
            },
        };
        flush(&mut parts, &mut text);
        parts.push(part);
    }
    flush(&mut parts, &mut text);
    Ok(parts)
}

fn flush(parts: &mut Vec<Part>, text: &mut String) {
    if !text.is_empty() {
        parts.push(Part::Text(collapse_text(&std::mem::take(text))));
    }
}

/// The value that `rule` makes of `parts`; the error says what it takes.
fn by_rule(name: &str, rule: AttributeRule, parts: Option<Vec<Part>>) -> Result<AttributeValue, String> {
    match (rule, parts) {
        (AttributeRule::Boolean, None) => Ok(AttributeValue::Present),
        (AttributeRule::Boolean, Some(parts)) => match &parts[..] {
            [] => Ok(AttributeValue::Present),
            [Part::Text(text)] if text == name => Ok(AttributeValue::Present),
            [Part::Output(expression)] if expression.kind == Type::Boolean => {
                Ok(AttributeValue::When(expression.clone()))
            }
            _ => Err(format!("{name:?} takes no value, or one boolean")),
        },
        (_, None) => Err(format!("{name:?} needs a value in quotes")),
        (AttributeRule::Text, Some(parts)) => {
            check_text(name, &parts)?;
            Ok(AttributeValue::Parts(parts))
        }
        (AttributeRule::Word(words), Some(parts)) => match &parts[..] {
            [Part::Text(text)] if words.contains(&text.as_str()) => Ok(AttributeValue::Parts(parts)),
            _ => Err(format!("{name:?} takes one of {words:?}")),
        },
        (AttributeRule::Number, Some(parts)) => number_value(name, &parts),
        (AttributeRule::Url, Some(parts)) => url_value(name, parts),
        (AttributeRule::Style, Some(parts)) => match &parts[..] {
            [] => Ok(AttributeValue::Style(Vec::new())),
            [Part::Text(text)] => Ok(AttributeValue::Style(style::declarations(text)?)),
            _ => Err("\"style\" takes no values; choose a class instead".to_owned()),
        },
    }
}

fn check_text(name: &str, parts: &[Part]) -> Result<(), String> {
    for part in parts {
        match part {
            Part::Text(_) => {}
            Part::Output(expression) if is_shown(expression) => {}
            Part::Output(expression) => {
                return Err(format!("{} cannot stand in {name:?}", expression.kind.describe()));
            }
            Part::Choice(choice) => {
                for branch in choice.branches.iter().map(|(_, branch)| branch).chain([&choice.otherwise]) {
                    check_text(name, branch)?;
                }
            }
        }
    }
    Ok(())
}

fn is_shown(expression: &Expression) -> bool {
    expression.kind.is_text() || expression.kind.is_number()
}

fn number_value(name: &str, parts: &[Part]) -> Result<AttributeValue, String> {
    match parts {
        [Part::Text(text)] => match text.trim().parse::<f64>() {
            Ok(value) if value.abs() <= 1e6 => Ok(AttributeValue::Number(number::to_text(value))),
            _ => Err(format!("{name:?} takes a number")),
        },
        [Part::Output(expression)] if expression.kind.is_number() => {
            Ok(AttributeValue::Numeric(expression.clone()))
        }
        _ => Err(format!("{name:?} takes a number")),
    }
}

fn url_value(name: &str, parts: Vec<Part>) -> Result<AttributeValue, String> {
    match &parts[..] {
        [] => Ok(AttributeValue::Parts(parts)),
        [Part::Text(text)] if url::is_allowed(text) => Ok(AttributeValue::Parts(parts)),
        [Part::Text(_)] => {
            Err(format!("{name:?} takes the schemes http, https, mailto and tel, and relative URLs"))
        }
        [Part::Output(expression)] if expression.kind == Type::Url => {
            Ok(AttributeValue::Url(expression.clone()))
        }
        [Part::Output(_)] => Err(format!("only a parameter that is a URL can be the whole of {name:?}")),
        [Part::Text(beginning), rest @ ..] if url::is_fixed_beginning(beginning) => {
            let encodable = |part: &Part| match part {
                Part::Text(_) => true,
                Part::Output(expression) => is_shown(expression),
                Part::Choice(_) => false,
            };
            if rest.iter().all(encodable) {
                Ok(AttributeValue::UrlParts(parts))
            } else {
                Err(format!("{name:?} takes texts and numbers after its beginning"))
            }
        }
        _ => Err(format!(
            "{name:?} must begin with where it leads, such as \"https://host/\" or \"/\", before values follow"
        )),
    }
}
