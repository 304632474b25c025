//! Reads the content of a card: text, elements, and the tags of Tera between them.

use super::{
    attribute,
    cursor::{Cursor, Item},
    element::{self, Content},
    error::Fault,
    expression::Reader,
    nesting::Open,
    scope::Names,
    segment::Segment,
    space,
    tree::{Choice, Condition, Element, Loop, Node},
};
use crate::parameter::Type;

/// Choices and loops within each other; Tera's own parser gives up at 40.
const TAG_DEPTH_MAX: usize = 12;

/// Reads one source.
pub(super) struct Parser<'s, 'p> {
    pub(super) cursor: Cursor<'s>,
    pub(super) names: Names<'p>,
    open: Open,
    tag_depth: usize,
}

impl<'s, 'p> Parser<'s, 'p> {
    pub(super) fn new(segments: Vec<Segment<'s>>, names: Names<'p>, end: usize) -> Self {
        Self { cursor: Cursor::new(segments, end), names, open: Open::default(), tag_depth: 0 }
    }

    /// The whole content.
    pub(super) fn document(mut self) -> Result<Vec<Node>, Fault> {
        let nodes = self.content()?;
        match self.cursor.peek() {
            Item::End => Ok(space::settle(nodes, true)),
            Item::Tag(tag) => Err(Fault::new(tag.offset, format!("{:?} has no beginning", tag.text.trim()))),
            _ => Err(Fault::new(self.cursor.offset(), "this end tag closes nothing")),
        }
    }

    /// Content up to an end tag, a tag of Tera that goes on or ends something, or the end.
    fn content(&mut self) -> Result<Vec<Node>, Fault> {
        let mut nodes = Vec::new();
        loop {
            let offset = self.cursor.offset();
            match self.cursor.peek() {
                Item::End => break,
                Item::Output(segment) => {
                    self.text_may_stand(offset)?;
                    nodes.push(Node::Output(self.output(segment)?));
                }
                Item::Tag(segment) => match keyword(segment) {
                    "if" => nodes.push(self.choice(segment)?),
                    "for" => nodes.push(self.each(segment)?),
                    "elif" | "else" | "endif" | "endfor" => break,
                    other => return Err(refused_tag(segment, other)),
                },
                Item::Character('<') => match self.cursor.peek_second() {
                    Some('/') => break,
                    Some('!') => self.comment(offset)?,
                    Some(next) if next.is_ascii_alphabetic() => nodes.push(self.element(offset)?),
                    _ => return Err(Fault::new(offset, "\"<\" in text is written \"&lt;\"")),
                },
                Item::Character(_) => {
                    let text = self.text()?;
                    if !text.trim_ascii().is_empty() {
                        self.text_may_stand(offset)?;
                    }
                    push_text(&mut nodes, text);
                }
            }
        }
        // Between the items of a list or the rows of a table white space means nothing.
        if self.open.text().is_err() {
            nodes.retain(|node| !matches!(node, Node::Text(text) if text.trim_ascii().is_empty()));
        }
        Ok(space::settle(nodes, false))
    }

    fn text(&mut self) -> Result<String, Fault> {
        let mut text = String::new();
        while let Item::Character(character) = self.cursor.peek() {
            match character {
                '<' => break,
                '&' => text.push(self.cursor.entity()?),
                _ => {
                    text.push(character);
                    self.cursor.advance();
                }
            }
        }
        Ok(text)
    }

    fn text_may_stand(&self, offset: usize) -> Result<(), Fault> {
        self.open.text().map_err(|name| Fault::new(offset, format!("<{name}> holds no text of its own")))
    }

    fn output(&mut self, segment: Segment<'s>) -> Result<super::tree::Expression, Fault> {
        self.cursor.advance();
        let expression = Reader::new(segment.text, segment.offset, &self.names)?.whole_expression()?;
        match &expression.kind {
            Type::Text | Type::Url | Type::Number | Type::Integer => Ok(expression),
            other => Err(Fault::new(segment.offset, format!("{} cannot be shown as text", other.describe()))),
        }
    }

    fn comment(&mut self, offset: usize) -> Result<(), Fault> {
        if !self.cursor.take_text("<!--") {
            return Err(Fault::new(offset, "only comments can begin with \"<!\""));
        }
        while !self.cursor.take_text("-->") {
            match self.cursor.peek() {
                Item::Character(_) => self.cursor.advance(),
                Item::End => return Err(Fault::new(offset, "this comment is not closed")),
                _ => {
                    return Err(Fault::new(
                        self.cursor.offset(),
                        "no tag of Tera can stand in a comment of HTML",
                    ));
                }
            }
        }
        Ok(())
    }

    fn element(&mut self, offset: usize) -> Result<Node, Fault> {
        self.cursor.advance();
        let written = self.cursor.name();
        let lower = written.to_ascii_lowercase();
        let Some(rule) = element::element(&lower) else {
            return Err(Fault::new(offset, format!("<{lower}> cannot be used in a card")));
        };
        let (name, content) = (rule.name, rule.content);
        let inline = rule.inline;
        let (attributes, closed) = attribute::read_all(self, name)?;
        self.open.enter(rule).map_err(|message| Fault::new(offset, message))?;
        let mut element = Element { name, attributes, children: Vec::new() };
        attribute::check_element(&element).map_err(|message| Fault::new(offset, message))?;
        if content != Content::Void {
            if closed {
                return Err(Fault::new(offset, format!("<{name}> needs an end tag: </{name}>")));
            }
            let children = self.content()?;
            element.children = if inline { children } else { space::settle(children, true) };
            self.end_tag(name, offset)?;
        }
        self.open.leave();
        Ok(Node::Element(element))
    }

    fn end_tag(&mut self, name: &str, offset: usize) -> Result<(), Fault> {
        let here = self.cursor.offset();
        if !self.cursor.take_text("</") {
            return Err(Fault::new(offset, format!("<{name}> is not closed where it was opened")));
        }
        let written = self.cursor.name();
        self.cursor.skip_space();
        if !written.eq_ignore_ascii_case(name) || !self.cursor.take_text(">") {
            return Err(Fault::new(here, format!("</{name}> is expected here")));
        }
        Ok(())
    }

    fn each(&mut self, segment: Segment<'s>) -> Result<Node, Fault> {
        self.deeper(segment)?;
        let mut reader = Reader::new(segment.text, segment.offset, &self.names)?;
        reader.word()?;
        let (variable, list) = reader.whole_loop()?;
        self.names.enter(&variable, &list, segment.offset)?;
        let body = self.content()?;
        self.names.leave();
        self.end(segment, "endfor")?;
        Ok(Node::Loop(Loop { variable, list, body }))
    }

    fn choice(&mut self, segment: Segment<'s>) -> Result<Node, Fault> {
        let choice = read_choice(self, segment, Self::content)?;
        Ok(Node::Choice(choice))
    }

    /// Takes a tag that begins something.
    fn deeper(&mut self, segment: Segment<'s>) -> Result<(), Fault> {
        self.cursor.advance();
        self.tag_depth += 1;
        if self.tag_depth > TAG_DEPTH_MAX {
            return Err(Fault::new(segment.offset, format!("tags can be at most {TAG_DEPTH_MAX} deep")));
        }
        Ok(())
    }

    /// Takes the tag `word`, which ends what `begun` began.
    fn end(&mut self, begun: Segment<'s>, word: &str) -> Result<(), Fault> {
        self.tag_depth -= 1;
        match self.cursor.peek() {
            Item::Tag(tag) if tag.text.trim() == word => {
                self.cursor.advance();
                Ok(())
            }
            Item::End => Err(Fault::new(begun.offset, format!("this tag needs {word:?}"))),
            _ => Err(Fault::new(self.cursor.offset(), format!("{word:?} is expected here"))),
        }
    }
}

/// Reads `{% if %}` up to `{% endif %}`; `branch` reads the content of one branch.
pub(super) fn read_choice<'s, 'p, T>(
    parser: &mut Parser<'s, 'p>,
    begun: Segment<'s>,
    mut branch: impl FnMut(&mut Parser<'s, 'p>) -> Result<Vec<T>, Fault>,
) -> Result<Choice<T>, Fault> {
    parser.deeper(begun)?;
    let mut choice = Choice { branches: Vec::new(), otherwise: Vec::new() };
    let mut condition = condition(parser, begun)?;
    loop {
        choice.branches.push((condition, branch(parser)?));
        match parser.cursor.peek() {
            Item::Tag(tag) if keyword(tag) == "elif" => {
                parser.cursor.advance();
                condition = self::condition(parser, tag)?;
            }
            _ => break,
        }
    }
    if matches!(parser.cursor.peek(), Item::Tag(tag) if tag.text.trim() == "else") {
        parser.cursor.advance();
        choice.otherwise = branch(parser)?;
    }
    parser.end(begun, "endif")?;
    Ok(choice)
}

fn condition(parser: &Parser<'_, '_>, segment: Segment<'_>) -> Result<Condition, Fault> {
    let mut reader = Reader::new(segment.text, segment.offset, &parser.names)?;
    reader.word()?;
    reader.whole_condition()
}

/// The first word of a tag.
pub(super) fn keyword<'s>(segment: Segment<'s>) -> &'s str {
    segment.text.split_whitespace().next().unwrap_or_default()
}

pub(super) fn refused_tag(segment: Segment<'_>, keyword: &str) -> Fault {
    Fault::new(segment.offset, format!("the tag {keyword:?} is not in the subset of Tera that cards use"))
}

fn push_text(nodes: &mut Vec<Node>, text: String) {
    match nodes.last_mut() {
        Some(Node::Text(last)) => last.push_str(&text),
        _ => nodes.push(Node::Text(text)),
    }
}
