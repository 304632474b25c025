//! Splits a source into HTML and the tags of Tera, and applies their trimming of white space.

use super::error::Fault;

/// A piece of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment<'s> {
    pub(super) kind: SegmentKind,
    /// What is inside the delimiters, or the HTML itself.
    pub(super) text: &'s str,
    /// Where `text` begins, in bytes.
    pub(super) offset: usize,
}

/// What a segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SegmentKind {
    Html,
    /// `{{ … }}`.
    Output,
    /// `{% … %}`.
    Tag,
}

/// The segments of `source`, without comments and without empty HTML.
pub(super) fn split(source: &str) -> Result<Vec<Segment<'_>>, Fault> {
    let mut segments = Vec::new();
    let (mut rest, mut trim_next) = (0, false);
    while rest < source.len() {
        let open = find_open(&source[rest..]).map_or(source.len(), |index| rest + index);
        let trim_before = source[open..].get(2..).is_some_and(|inside| inside.starts_with('-'));
        push_html(&mut segments, source, rest..open, (trim_next, trim_before));
        if open == source.len() {
            break;
        }
        let start = open + 2 + usize::from(trim_before);
        let (kind, close) = match &source[open..open + 2] {
            "{{" => (Some(SegmentKind::Output), find_close(source, start, "}}")),
            "{%" => (Some(SegmentKind::Tag), find_close(source, start, "%}")),
            _ => (None, source[start..].find("#}").map(|index| start + index)),
        };
        let Some(close) = close else { return Err(Fault::new(open, "this tag is not closed")) };
        trim_next = source[start..close].ends_with('-');
        let end = close - usize::from(trim_next);
        if let Some(kind) = kind {
            segments.push(Segment { kind, text: &source[start..end], offset: start });
        }
        rest = close + 2;
    }
    Ok(segments)
}

fn push_html<'s>(
    segments: &mut Vec<Segment<'s>>,
    source: &'s str,
    range: std::ops::Range<usize>,
    (trim_start, trim_end): (bool, bool),
) {
    let mut text = &source[range.clone()];
    let mut offset = range.start;
    if trim_start {
        let trimmed = text.trim_start();
        offset += text.len() - trimmed.len();
        text = trimmed;
    }
    if trim_end {
        text = text.trim_end();
    }
    if !text.is_empty() {
        segments.push(Segment { kind: SegmentKind::Html, text, offset });
    }
}

fn find_open(text: &str) -> Option<usize> {
    ["{{", "{%", "{#"].iter().filter_map(|open| text.find(open)).min()
}

/// Where `close` stands outside of a string.
fn find_close(source: &str, start: usize, close: &str) -> Option<usize> {
    let mut quote = None;
    for (index, character) in source[start..].char_indices() {
        match quote {
            Some(open) if open == character => quote = None,
            Some(_) => {}
            None if source[start + index..].starts_with(close) => return Some(start + index),
            None if character == '"' || character == '\'' => quote = Some(character),
            None => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(source: &str) -> Vec<(SegmentKind, &str)> {
        split(source).unwrap().into_iter().map(|segment| (segment.kind, segment.text)).collect()
    }

    #[test]
    fn html_tags_and_comments_are_told_apart() {
        use SegmentKind::{Html, Output, Tag};
        let source = "<p>{{ a }}{# {{ no }} #}{% if b == \"%}\" %}x{% endif %}";
        let expected =
            [(Html, "<p>"), (Output, " a "), (Tag, " if b == \"%}\" "), (Html, "x"), (Tag, " endif ")];
        assert_eq!(texts(source), expected);
    }

    #[test]
    fn dashes_trim_the_white_space_beside_them() {
        use SegmentKind::{Html, Output};
        assert_eq!(texts("a \n{{- b -}}\n c"), [(Html, "a"), (Output, " b "), (Html, "c")]);
        assert_eq!(split("a \n{{- b -}}\n c").unwrap()[2].offset, 14);
    }

    #[test]
    fn an_open_tag_is_refused_where_it_begins() {
        for (source, offset) in [("ab{{ c", 2), ("{% if '%}", 0), ("x{#", 1)] {
            assert_eq!(split(source).unwrap_err().offset, offset, "{source}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_split_or_refused(source in "[{}%#\"' a<\n-]{0,60}") {
            if let Ok(segments) = split(&source) {
                for segment in segments {
                    prop_assert_eq!(&source[segment.offset..segment.offset + segment.text.len()], segment.text);
                }
            }
        }
    }
}
