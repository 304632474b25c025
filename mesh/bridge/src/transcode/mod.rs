//! Between JSON and the protobuf wire format, as ProtoJSON: bytes in, bytes out.
//!
//! Nothing outside this module knows how a message is represented in between, so that the dynamic messages
//! of prost-reflect can give way to a transcoder that needs none.

mod json;
mod query;
mod request;
mod response;
mod scalar;

pub use request::{Parts, encode};
pub use response::{ResponseError, json_of, json_of_any};

/// What is wrong with a request, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {description}")]
pub struct Fault {
    /// The path of the field, such as `messages[2].content`, or the name of the query parameter.
    pub field: String,
    /// What is wrong and what is expected.
    pub description: String,
    /// The line and the column in the JSON text, from 1.
    pub at: Option<(usize, usize)>,
}

impl Fault {
    /// A fault that has no place in a text.
    pub fn new(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self { field: field.into(), description: description.into(), at: None }
    }
}
