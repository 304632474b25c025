//! From the parts of an HTTP request to the wire bytes of the request message.

use bytes::Bytes;
use prost::Message as _;
use prost_reflect::{DynamicMessage, Value};

use super::{Fault, json, query, scalar};
use crate::route::{Body, Operation};

/// How many messages may lie in one another below the request: the decoders of services stop at 100, and
/// what a service wraps the message in for its answer or its own calls needs some of them. An object in a
/// `google.protobuf.Struct` takes 3, an array 2.
const NESTING_MAX: usize = 90;

/// The parts of an HTTP request that a message is made of.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'r> {
    /// The decoded value of each variable of the path template.
    pub path: &'r [String],
    /// The raw query, without `?`.
    pub query: &'r str,
    /// The JSON body; empty is none.
    pub body: &'r [u8],
}

/// Encodes the request message of `operation`: the body, then the query, then the path.
///
/// The path wins over the same field in the body, since a client may send back a whole resource. A query
/// parameter that the path or the body already fills is refused, so that no value is dropped without a word.
///
/// # Errors
/// The first field, parameter or place of the JSON text that is wrong.
pub fn encode(operation: &Operation, parts: Parts<'_>) -> Result<Bytes, Fault> {
    let mut message = body(operation, parts.body)?;
    query::apply(operation, parts.query, &mut message)?;
    for (fields, text) in operation.bindings.iter().zip(parts.path) {
        let name = || fields.iter().map(|field| field.json_name()).collect::<Vec<_>>().join(".");
        let Some((field, parents)) = fields.split_last() else { continue };
        let value = scalar::value(&field.kind(), text).map_err(|problem| Fault::new(name(), problem))?;
        let parent = parents
            .iter()
            .try_fold(&mut message, |at, parent| at.get_field_mut(parent).as_message_mut())
            .ok_or_else(|| Fault::new(name(), "is no field of a message"))?;
        parent.set_field(field, value);
    }
    // Encoding recurses too, so this comes before it.
    for (field, value) in message.fields() {
        if !fits(value, NESTING_MAX) {
            let description = format!("is nested deeper than {NESTING_MAX} messages");
            return Err(Fault::new(field.json_name(), description));
        }
    }
    Ok(message.encode_to_vec().into())
}

/// Whether at most `levels` messages lie in one another in `value`; an entry of a map is one as well.
fn fits(value: &Value, levels: usize) -> bool {
    match value {
        Value::Message(message) => levels > 0 && message.fields().all(|(_, inner)| fits(inner, levels - 1)),
        Value::List(values) => values.iter().all(|inner| fits(inner, levels)),
        Value::Map(entries) => levels > 0 && entries.values().all(|inner| fits(inner, levels - 1)),
        _ => true,
    }
}

fn body(operation: &Operation, text: &[u8]) -> Result<DynamicMessage, Fault> {
    let input = operation.method.input();
    match &operation.body {
        Body::None if !text.is_empty() => Err(Fault::new("(body)", "this route takes no body")),
        Body::Whole if !text.is_empty() => json::message(&input, text),
        Body::Field(field) if !text.is_empty() => {
            let mut message = DynamicMessage::new(input);
            if let Some(value) = json::field(field, text)? {
                message.set_field(field, value);
            }
            Ok(message)
        }
        _ => Ok(DynamicMessage::new(input)),
    }
}
