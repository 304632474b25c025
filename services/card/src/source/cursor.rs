//! Walks over a source: characters of HTML, and between them the tags of Tera.

use super::{
    entity,
    error::Fault,
    segment::{Segment, SegmentKind},
};

/// Longer than any name of an entity that is known.
const ENTITY_BYTES_MAX: usize = 12;

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item<'s> {
    Character(char),
    Output(Segment<'s>),
    Tag(Segment<'s>),
    End,
}

/// A place in a source.
pub(super) struct Cursor<'s> {
    segments: Vec<Segment<'s>>,
    index: usize,
    /// Bytes of the present segment that have been read.
    read: usize,
    end: usize,
}

impl<'s> Cursor<'s> {
    /// At the beginning of `segments`, whose source is `end` bytes long.
    pub(super) fn new(segments: Vec<Segment<'s>>, end: usize) -> Self {
        Self { segments, index: 0, read: 0, end }
    }

    pub(super) fn peek(&self) -> Item<'s> {
        let Some(segment) = self.segments.get(self.index) else { return Item::End };
        match segment.kind {
            SegmentKind::Output => Item::Output(*segment),
            SegmentKind::Tag => Item::Tag(*segment),
            SegmentKind::Html => segment.text[self.read..].chars().next().map_or(Item::End, Item::Character),
        }
    }

    /// The character after the next one.
    pub(super) fn peek_second(&self) -> Option<char> {
        self.html().chars().nth(1)
    }

    /// Goes past the next item.
    pub(super) fn advance(&mut self) {
        match self.html().chars().next() {
            Some(character) => self.skip(character.len_utf8()),
            None => self.index += 1,
        }
    }

    /// Where the next item is, in bytes of the source.
    pub(super) fn offset(&self) -> usize {
        match self.segments.get(self.index) {
            // The delimiter is what a person sees first.
            Some(segment) if segment.kind != SegmentKind::Html => segment.offset.saturating_sub(2),
            Some(segment) => segment.offset + self.read,
            None => self.end,
        }
    }

    /// Takes `text` if it comes next.
    pub(super) fn take_text(&mut self, text: &str) -> bool {
        let found = self.html().starts_with(text);
        if found {
            self.skip(text.len());
        }
        found
    }

    /// Takes `text`, and white space before it, if it comes next.
    pub(super) fn take_text_after_space(&mut self, text: &str) -> bool {
        let found = self.html().trim_ascii_start().starts_with(text);
        if found {
            self.skip_space();
            self.skip(text.len());
        }
        found
    }

    /// Takes the name of an element or attribute, which may be empty.
    pub(super) fn name(&mut self) -> &'s str {
        let html = self.html();
        let length =
            html.bytes().position(|byte| !byte.is_ascii_alphanumeric() && byte != b'-').unwrap_or(html.len());
        self.skip(length);
        &html[..length]
    }

    pub(super) fn skip_space(&mut self) {
        let html = self.html();
        self.skip(html.len() - html.trim_ascii_start().len());
    }

    /// Takes "&" and, where they make one, the characters of an entity.
    pub(super) fn entity(&mut self) -> Result<char, Fault> {
        let offset = self.offset();
        let html = self.html();
        let name = &html[1..];
        let length =
            name.bytes().position(|byte| !byte.is_ascii_alphanumeric() && byte != b'#').unwrap_or(name.len());
        // Without ";" it is an "&" that stands for itself, as in the query of a URL.
        if length == 0 || length > ENTITY_BYTES_MAX || !name[length..].starts_with(';') {
            self.skip(1);
            return Ok('&');
        }
        let Some(character) = entity::decode(&name[..length]) else {
            return Err(Fault::new(
                offset,
                format!("\"&{};\" is not known; write the character itself", &name[..length]),
            ));
        };
        self.skip(length + 2);
        Ok(character)
    }

    /// The rest of the present segment, if it is HTML.
    fn html(&self) -> &'s str {
        match self.segments.get(self.index) {
            Some(segment) if segment.kind == SegmentKind::Html => &segment.text[self.read..],
            _ => "",
        }
    }

    fn skip(&mut self, bytes: usize) {
        let Some(segment) = self.segments.get(self.index) else { return };
        if segment.kind != SegmentKind::Html {
            return;
        }
        self.read += bytes;
        if self.read >= segment.text.len() {
            self.index += 1;
            self.read = 0;
        }
    }
}
