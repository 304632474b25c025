//! Reads the source of a template: the subset of Tera and HTML that the contract describes, as one tree.
//!
//! The tree is what makes a template safe: each value in it has a type and a place, each loop a list, and nothing
//! else can grow. HTML and TSX are both made from it, never from the text of the source.

mod attribute;
mod cursor;
pub(crate) mod element;
mod entity;
mod error;
mod expression;
mod filter;
mod html;
mod nesting;
mod scope;
mod segment;
mod space;
#[cfg(test)]
pub(crate) mod tests;
mod token;
pub(crate) mod tree;

pub(crate) use error::SourceError;

use crate::parameter::Parameter;

/// A long card; what is larger is a site.
pub(crate) const SOURCE_BYTES_MAX: usize = 64 * 1024;

/// The tree of `source`, whose values are those of `parameters`.
pub(crate) fn parse(source: &str, parameters: &[Parameter]) -> Result<Vec<tree::Node>, SourceError> {
    parse_at(source, parameters).map_err(|fault| fault.locate(source))
}

fn parse_at(source: &str, parameters: &[Parameter]) -> Result<Vec<tree::Node>, error::Fault> {
    if source.trim().is_empty() {
        return Err(error::Fault::new(0, "there is nothing to show"));
    }
    if source.len() > SOURCE_BYTES_MAX {
        return Err(error::Fault::new(
            SOURCE_BYTES_MAX,
            format!("a source has at most {SOURCE_BYTES_MAX} bytes"),
        ));
    }
    if let Some(offset) =
        source.find(|character: char| character.is_control() && !"\t\n\r".contains(character))
    {
        return Err(error::Fault::new(offset, "a source cannot hold control characters"));
    }
    let segments = segment::split(source)?;
    html::Parser::new(segments, scope::Names::new(parameters), source.len()).document()
}
