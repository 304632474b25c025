//! The content of a card in JSX, line by line.

use super::{
    attribute::attribute,
    expression::{condition, expression, index_name, path, quoted},
};
use crate::source::tree::{Choice, Element, Loop, Node};

/// What is shorter stands on one line.
const LINE_CHARACTERS_MAX: usize = 100;

/// The lines of `nodes`, without indentation of their own.
pub(super) fn lines(nodes: &[Node]) -> Vec<String> {
    nodes.iter().flat_map(|node| node_lines(node, "")).collect()
}

/// `key` stands in the tag of an element that a loop repeats.
fn node_lines(node: &Node, key: &str) -> Vec<String> {
    match node {
        Node::Text(text) if is_plain(text) && text.trim() == text => vec![text.clone()],
        Node::Text(text) => vec![format!("{{{}}}", quoted(text))],
        Node::Output(value) => vec![format!("{{{}}}", bare(&expression(value)))],
        Node::Element(element) => element_lines(element, key),
        Node::Choice(choice) => choice_lines(choice),
        Node::Loop(each) => loop_lines(each),
    }
}

fn element_lines(element: &Element, key: &str) -> Vec<String> {
    let mut tag = format!("<{}{key}", element.name);
    for written in element.attributes.iter().map(attribute) {
        tag.push(' ');
        tag.push_str(&written);
    }
    if element.children.is_empty() {
        return vec![format!("{tag} />")];
    }
    if let Some(line) = one_line(&element.children) {
        let line = format!("{tag}>{line}</{}>", element.name);
        if line.chars().count() <= LINE_CHARACTERS_MAX {
            return vec![line];
        }
    }
    around(format!("{tag}>"), lines(&element.children), format!("</{}>", element.name))
}

/// Text and values on one line, where JSX keeps every space.
fn one_line(nodes: &[Node]) -> Option<String> {
    let mut line = String::new();
    for node in nodes {
        match node {
            Node::Text(text) if is_plain(text) => line.push_str(text),
            Node::Text(text) => line.push_str(&format!("{{{}}}", quoted(text))),
            Node::Output(value) => line.push_str(&format!("{{{}}}", bare(&expression(value)))),
            Node::Element(_) | Node::Choice(_) | Node::Loop(_) => return None,
        }
    }
    Some(line)
}

fn choice_lines(choice: &Choice<Node>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut before = "{".to_owned();
    for (condition, branch) in &choice.branches {
        lines.push(format!("{before}{} ? (", bare(&self::condition(condition))));
        lines.extend(indent(one(branch, None)));
        before = ") : ".to_owned();
    }
    if choice.otherwise.is_empty() {
        lines.push(format!("{before}null}}"));
    } else {
        lines.push(format!("{before}("));
        lines.extend(indent(one(&choice.otherwise, None)));
        lines.push(")}".to_owned());
    }
    lines
}

fn loop_lines(each: &Loop) -> Vec<String> {
    let index = index_name(&each.variable);
    let open = format!("{{{}.map(({}, {index}) => (", path(&each.list), each.variable);
    around(open, one(&each.body, Some(&index)), "))}".to_owned())
}

/// `nodes` as one element or fragment; `index` makes its key.
fn one(nodes: &[Node], index: Option<&str>) -> Vec<String> {
    let key = index.map_or(String::new(), |index| format!(" key={{{index}}}"));
    match nodes {
        [node @ Node::Element(_)] => node_lines(node, &key),
        nodes if key.is_empty() => around("<>".to_owned(), lines(nodes), "</>".to_owned()),
        nodes => around(format!("<Fragment{key}>"), lines(nodes), "</Fragment>".to_owned()),
    }
}

fn around(open: String, inside: Vec<String>, close: String) -> Vec<String> {
    let mut lines = vec![open];
    lines.extend(indent(inside));
    lines.push(close);
    lines
}

fn indent(lines: Vec<String>) -> impl Iterator<Item = String> {
    lines.into_iter().map(|line| format!("  {line}"))
}

/// `code` without the parentheses around all of it.
pub(super) fn bare(code: &str) -> &str {
    let Some(inside) = code.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) else { return code };
    // Strings and templates may hold parentheses of their own; such code stays as it is.
    if inside.contains(['"', '`']) {
        return code;
    }
    let mut depth = 0_i32;
    let closes_early = inside.chars().any(|character| {
        depth += i32::from(character == '(') - i32::from(character == ')');
        depth < 0
    });
    if closes_early { code } else { inside }
}

/// Whether `text` means itself in JSX: no sign of it, and no white space that some compiler might drop.
fn is_plain(text: &str) -> bool {
    !text
        .chars()
        .any(|character| "{}<>&".contains(character) || (character.is_whitespace() && character != ' '))
}
