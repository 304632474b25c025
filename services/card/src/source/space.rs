//! White space as a browser shows it, so that HTML and React, which treat it differently in source, build the same text.

use super::{element, tree::Node};

/// Makes each run of white space one space, and none where a block begins or ends.
pub(super) fn settle(nodes: Vec<Node>, in_block: bool) -> Vec<Node> {
    let collapsed: Vec<Node> = nodes.into_iter().map(collapse).collect();
    let mut settled = Vec::with_capacity(collapsed.len());
    for (index, node) in collapsed.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|index| collapsed.get(index));
        let after = collapsed.get(index + 1);
        let Node::Text(text) = node else {
            settled.push(node.clone());
            continue;
        };
        let trim_start = before.map_or(in_block, is_block);
        let trim_end = after.map_or(in_block, is_block);
        let text = if trim_start { text.trim_start_matches(' ') } else { text };
        let text = if trim_end { text.trim_end_matches(' ') } else { text };
        if !text.is_empty() {
            settled.push(Node::Text(text.to_owned()));
        }
    }
    settled
}

/// `text` with each run of white space as one space. A no-break space is a character, not white space.
pub(super) fn collapse_text(text: &str) -> String {
    let mut collapsed = String::with_capacity(text.len());
    for character in text.chars() {
        if !matches!(character, ' ' | '\t' | '\n' | '\r' | '\u{c}') {
            collapsed.push(character);
        } else if !collapsed.ends_with(' ') {
            collapsed.push(' ');
        }
    }
    collapsed
}

fn collapse(node: Node) -> Node {
    match node {
        Node::Text(text) => Node::Text(collapse_text(&text)),
        other => other,
    }
}

/// Whether a line ends before and after it.
fn is_block(node: &Node) -> bool {
    match node {
        Node::Text(_) | Node::Output(_) => false,
        Node::Element(element) => !element::element(element.name).is_some_and(|rule| rule.inline),
        Node::Choice(choice) => {
            let mut nodes =
                choice.branches.iter().flat_map(|(_, nodes)| nodes).chain(&choice.otherwise).peekable();
            nodes.peek().is_some() && nodes.all(is_block)
        }
        Node::Loop(each) => !each.body.is_empty() && each.body.iter().all(is_block),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tree::Element, *};

    fn element(name: &'static str) -> Node {
        Node::Element(Element { name, attributes: Vec::new(), children: Vec::new() })
    }

    fn text(text: &str) -> Node {
        Node::Text(text.to_owned())
    }

    #[test]
    fn a_space_stays_between_words_and_goes_at_blocks() {
        let nodes = vec![
            text("\n  "),
            element("p"),
            text("\n a \n b "),
            element("b"),
            text(" \n"),
            element("i"),
            text("\n"),
        ];
        let expected = vec![element("p"), text("a b "), element("b"), text(" "), element("i")];
        assert_eq!(settle(nodes, true), expected);
        assert_eq!(settle(vec![text(" x\u{a0} ")], false), vec![text(" x\u{a0} ")]);
    }
}
