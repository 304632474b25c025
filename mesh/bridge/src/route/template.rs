//! The path templates of `google.api.http`: parsed, printed, and asked what their variables captured.
//!
//! ```text
//! Template  = "/" Segments [ ":" LITERAL ] ;
//! Segments  = Segment { "/" Segment } ;
//! Segment   = "*" | "**" | LITERAL | Variable ;
//! Variable  = "{" FieldPath [ "=" Segments ] "}" ;
//! FieldPath = IDENT { "." IDENT } ;
//! ```
//! `*` is one segment that is not empty, `**` is any number of them and stands last; variables do not nest.
//! Source: google/api/http.proto, <https://google.aip.dev/127>.

use std::{collections::BTreeSet, fmt, ops::Range};

use super::percent;

/// One segment of a template.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Segment {
    /// This text, percent-decoded.
    Literal(String),
    /// `*`: any one segment that is not empty.
    One,
    /// `**`: all that is left, also nothing; always the last.
    Rest,
}

/// What of a path fills which field of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// The names that lead to the field, outermost first.
    pub field_path: Vec<String>,
    /// The segments of the template that it captures.
    pub segments: Range<usize>,
}

impl Variable {
    /// The path of the field with dots.
    pub fn name(&self) -> String {
        self.field_path.join(".")
    }
}

/// A path template, such as `/v1/{name=shelves/*}/books:sort`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    segments: Vec<Segment>,
    variables: Vec<Variable>,
    verb: Option<String>,
}

/// A template breaks the grammar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("path template {template:?} is wrong at character {at}: {problem}")]
pub struct TemplateError {
    template: String,
    at: usize,
    problem: &'static str,
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// [`TemplateError`] says where the text breaks the grammar.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parser = Parser { text, at: 0, segments: Vec::new(), variables: Vec::new() };
        let parsed = parser.template();
        let verb = parsed.map_err(|problem| TemplateError {
            template: text.to_owned(),
            at: parser.at + 1,
            problem,
        })?;
        Ok(Self { segments: parser.segments, variables: parser.variables, verb })
    }

    /// The segments in order, those inside variables too.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The variables in order.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// The custom verb after the last `:`.
    pub fn verb(&self) -> Option<&str> {
        self.verb.as_deref()
    }

    /// What `variable` captured of the raw segments of a path that matched.
    pub(super) fn capture(&self, variable: &Variable, path: &[&str]) -> Result<String, percent::Malformed> {
        let range = variable.segments.clone();
        if self.segments[range.clone()] == [Segment::One] {
            return percent::decode(path[range.start]);
        }
        let end = if self.segments[range.end - 1] == Segment::Rest { path.len() } else { range.end };
        percent::decode_except_slash(&path[range.start..end].join("/"))
    }
}

impl fmt::Display for Template {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut at = 0;
        for variable in &self.variables {
            self.print(out, at..variable.segments.start)?;
            write!(out, "/{{{}", variable.name())?;
            if self.segments[variable.segments.clone()] != [Segment::One] {
                let inner: Vec<_> =
                    self.segments[variable.segments.clone()].iter().map(Segment::to_string).collect();
                write!(out, "={}", inner.join("/"))?;
            }
            out.write_str("}")?;
            at = variable.segments.end;
        }
        self.print(out, at..self.segments.len())?;
        match &self.verb {
            Some(verb) => write!(out, ":{}", percent::encode_literal(verb)),
            None => Ok(()),
        }
    }
}

impl Template {
    fn print(&self, out: &mut fmt::Formatter<'_>, range: Range<usize>) -> fmt::Result {
        self.segments[range].iter().try_for_each(|segment| write!(out, "/{segment}"))
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(text) => out.write_str(&percent::encode_literal(text)),
            Self::One => out.write_str("*"),
            Self::Rest => out.write_str("**"),
        }
    }
}

/// Recursive descent over the grammar above.
struct Parser<'t> {
    text: &'t str,
    at: usize,
    segments: Vec<Segment>,
    variables: Vec<Variable>,
}

type Parsed<T> = Result<T, &'static str>;

impl Parser<'_> {
    fn template(&mut self) -> Parsed<Option<String>> {
        if !self.skip('/') {
            return Err("it begins with \"/\"");
        }
        self.segments(true)?;
        let verb = if self.skip(':') { Some(self.literal()?) } else { None };
        if self.at != self.text.len() {
            return Err("a segment, a \"/\" or the end belongs here");
        }
        let mut names = BTreeSet::new();
        if !self.variables.iter().all(|variable| names.insert(&variable.field_path)) {
            return Err("a field is captured twice");
        }
        let inner = self.segments.len().saturating_sub(1);
        if self.segments[..inner].contains(&Segment::Rest) {
            return Err("\"**\" is not the last segment");
        }
        Ok(verb)
    }

    fn segments(&mut self, variables_allowed: bool) -> Parsed<()> {
        loop {
            if self.skip('{') {
                if !variables_allowed {
                    return Err("variables do not nest");
                }
                self.variable()?;
            } else if self.skip('*') {
                let segment = if self.skip('*') { Segment::Rest } else { Segment::One };
                self.segments.push(segment);
            } else {
                let literal = self.literal()?;
                self.segments.push(Segment::Literal(literal));
            }
            if !self.skip('/') {
                return Ok(());
            }
        }
    }

    fn variable(&mut self) -> Parsed<()> {
        let mut field_path = vec![self.identifier()?];
        while self.skip('.') {
            field_path.push(self.identifier()?);
        }
        let start = self.segments.len();
        if self.skip('=') {
            self.segments(false)?;
        } else {
            self.segments.push(Segment::One);
        }
        self.variables.push(Variable { field_path, segments: start..self.segments.len() });
        if self.skip('}') { Ok(()) } else { Err("a \"}\" is missing") }
    }

    fn identifier(&mut self) -> Parsed<String> {
        if !self.text[self.at..].starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
            return Err("the name of a field belongs here");
        }
        Ok(self.take(|character| character.is_ascii_alphanumeric() || character == '_').to_owned())
    }

    fn literal(&mut self) -> Parsed<String> {
        let start = self.at;
        let raw = self
            .take(|character| character.is_ascii_alphanumeric() || "-_.~!$&'()+,;=@%".contains(character));
        if raw.is_empty() {
            return Err("a segment is empty, or holds a character that no path may hold");
        }
        percent::decode(raw).map_err(|_| {
            self.at = start;
            "a % belongs before two hexadecimal digits"
        })
    }

    fn take(&mut self, wanted: impl Fn(char) -> bool) -> &str {
        let rest = &self.text[self.at..];
        let length = rest.find(|character| !wanted(character)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn skip(&mut self, character: char) -> bool {
        let there = self.text[self.at..].starts_with(character);
        if there {
            self.at += character.len_utf8();
        }
        there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> Segment {
        Segment::Literal(text.to_owned())
    }

    #[test]
    fn every_form_of_the_grammar_is_parsed() {
        let template = Template::parse("/v1/{name=shelves/*}/a%20b/{book.id}/{rest=**}:sort").expect("valid");
        assert_eq!(
            template.segments(),
            [literal("v1"), literal("shelves"), Segment::One, literal("a b"), Segment::One, Segment::Rest]
        );
        let names: Vec<_> = template.variables().iter().map(Variable::name).collect();
        assert_eq!(names, ["name", "book.id", "rest"]);
        assert_eq!(template.variables()[0].segments, 1..3);
        assert_eq!(template.verb(), Some("sort"));
        assert_eq!(Template::parse("/**").expect("valid").segments(), [Segment::Rest]);
        assert_eq!(Template::parse("/a/*").expect("valid").segments(), [literal("a"), Segment::One]);
    }

    #[test]
    fn what_breaks_the_grammar_is_refused_with_its_place() {
        for (text, at) in [
            ("", 1),
            ("v1", 1),
            ("/", 2),
            ("/v1/", 5),
            ("/v1//a", 5),
            ("/v1/{}", 6),
            ("/v1/{a", 7),
            ("/v1/{a=}", 8),
            ("/v1/{a={b}}", 9),
            ("/v1/{1a}", 6),
            ("/v1/{a.}", 8),
            ("/v1/{a}{b}", 8),
            ("/v1/a:b:c", 8),
            ("/v1/a:", 7),
            ("/v1/a:b/c", 8),
            ("/v1/a?b", 6),
            ("/v1/***", 7),
            ("/v1/%zz", 5),
            ("/v1/ü", 5),
        ] {
            let error = Template::parse(text).expect_err(text);
            assert_eq!(error.at, at, "{error}");
        }
        for text in ["/**/a", "/{a=**}/b", "/{a=**/b}", "/{a}/{a}", "/{a=x/**}/{b}"] {
            Template::parse(text).expect_err(text);
        }
    }

    #[test]
    fn a_printed_template_is_the_one_that_was_parsed() {
        for text in
            ["/v1/users", "/v1/{a.b}/c:verb", "/v1/{a=x/*/**}", "/{a=**}", "/a%3Ab/*", "/v1/{a}/{b=c}"]
        {
            assert_eq!(Template::parse(text).expect(text).to_string(), text);
        }
    }

    #[test]
    fn a_variable_of_one_segment_is_decoded_whole_and_a_longer_one_keeps_escaped_slashes() {
        let template = Template::parse("/v1/{one}/{rest=a/**}").expect("valid");
        let path = ["v1", "x%2Fy%20z", "a", "b%2Fc%20d", "e"];
        let captured: Vec<_> = template
            .variables()
            .iter()
            .map(|variable| template.capture(variable, &path).expect("decodes"))
            .collect();
        assert_eq!(captured, ["x/y z", "a/b%2Fc d/e"]);
    }
}
