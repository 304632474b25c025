//! From the wire bytes of an answer to JSON.
//!
//! 64-bit integers are strings, as ProtoJSON asks, since JavaScript's numbers lose their last digits.
//! Fields at their default value are printed (`false`, `0`, `""`, `[]`), so that a browser need not know the
//! contract to read them; a message that is not set stays absent.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde_json::{Value, json};

use crate::route::Operation;

/// An answer that cannot be told as JSON: the service broke the contract.
#[derive(Debug, thiserror::Error)]
pub enum ResponseError {
    /// The bytes are not the message that the contract says.
    #[error("the answer is not a {0}")]
    Wire(String, #[source] prost::DecodeError),
    /// A value has no JSON form, such as a timestamp beyond the year 9999.
    #[error("the answer has no JSON form")]
    Json(#[from] serde_json::Error),
}

/// The JSON text of one answer of `operation`.
///
/// # Errors
/// The bytes are no answer of this operation.
pub fn json_of(operation: &Operation, wire: Bytes) -> Result<Vec<u8>, ResponseError> {
    let output = operation.method.output();
    let name = output.full_name().to_owned();
    let message = DynamicMessage::decode(output, wire).map_err(|error| ResponseError::Wire(name, error))?;
    let Some(field) = &operation.response_body else {
        let mut text = serde_json::Serializer::new(Vec::new());
        message.serialize_with_options(&mut text, &options())?;
        return Ok(text.into_inner());
    };
    let mut whole = message.serialize_with_options(serde_json::value::Serializer, &options())?;
    let part = whole.get_mut(field.json_name()).map(Value::take).unwrap_or_default();
    Ok(serde_json::to_vec(&part)?)
}

/// The JSON of a `google.protobuf.Any`.
///
/// A type that the contract does not know, or bytes that are not of that type, come as
/// `{"@type": ..., "value": base64}`: a detail must never destroy the error it explains.
pub fn json_of_any(descriptors: &DescriptorPool, type_url: &str, wire: &[u8]) -> Value {
    let name = type_url.rsplit('/').next().unwrap_or_default();
    known(descriptors, name, wire).map_or_else(
        || json!({ "@type": type_url, "value": BASE64_STANDARD.encode(wire) }),
        |value| match value {
            Value::Object(mut fields) if !name.starts_with("google.protobuf.") => {
                fields.insert("@type".to_owned(), type_url.into());
                Value::Object(fields)
            }
            special => json!({ "@type": type_url, "value": special }),
        },
    )
}

fn known(descriptors: &DescriptorPool, name: &str, wire: &[u8]) -> Option<Value> {
    let message = DynamicMessage::decode(descriptors.get_message_by_name(name)?, wire).ok()?;
    message.serialize_with_options(serde_json::value::Serializer, &SerializeOptions::new()).ok()
}

fn options() -> SerializeOptions {
    SerializeOptions::new().stringify_64_bit_integers(true).skip_default_fields(false)
}
