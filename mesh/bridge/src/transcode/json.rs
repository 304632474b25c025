//! JSON text to dynamic messages, with faults that say where.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};
use serde::de::DeserializeSeed as _;
use serde_path_to_error::Track;

use super::Fault;

/// The path that a fault of the text as a whole carries.
const WHOLE: &str = "(body)";

/// How prost-reflect's text on an unknown field begins.
const UNKNOWN: &str = "unrecognized field name '";

/// Reads a message of `descriptor`.
pub(super) fn message(descriptor: &MessageDescriptor, text: &[u8]) -> Result<DynamicMessage, Fault> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let mut track = Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut json, &mut track);
    let message =
        descriptor.clone().deserialize(tracked).map_err(|error| fault(&track.path().to_string(), &error))?;
    json.end().map_err(|error| fault("", &error))?;
    Ok(message)
}

/// Reads the value of one field of any kind; `None` for the JSON `null` of a field that it leaves unset.
pub(super) fn field(field: &FieldDescriptor, text: &[u8]) -> Result<Option<Value>, Fault> {
    if let Kind::Message(descriptor) = field.kind()
        && !field.is_list()
        && !field.is_map()
    {
        return match message(&descriptor, text) {
            Ok(message) => Ok(Some(Value::Message(message))),
            Err(mut fault) => {
                fault.field = match fault.field.as_str() {
                    WHOLE => field.json_name().to_owned(),
                    inner => format!("{}.{inner}", field.json_name()),
                };
                Err(fault)
            }
        };
    }
    // Lists, maps and scalars can be read only as a field of their message.
    let value: serde_json::Value =
        serde_json::from_slice(text).map_err(|error| fault(field.json_name(), &error))?;
    let mut track = Track::new();
    let object = serde_json::Value::Object([(field.json_name().to_owned(), value)].into_iter().collect());
    let tracked = serde_path_to_error::Deserializer::new(object, &mut track);
    let mut parent = field
        .parent_message()
        .clone()
        .deserialize(tracked)
        .map_err(|error| fault(&track.path().to_string(), &error))?;
    Ok(parent.take_field(field))
}

fn fault(path: &str, error: &serde_json::Error) -> Fault {
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = error.to_string();
    let description = text.strip_suffix(&place).unwrap_or(&text);
    let at = (error.line() > 0).then(|| (error.line(), error.column()));
    // "?" is a part that was not yet read when the text broke off.
    let path = path.trim_matches(['.', '?']);
    // The path of an unknown field ends at its parent; its own name is only in the text.
    if let Some(name) = description.strip_prefix(UNKNOWN).and_then(|rest| rest.strip_suffix('\'')) {
        let field = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        return Fault { field, description: "is unknown".to_owned(), at };
    }
    let field = if path.is_empty() { WHOLE } else { path };
    Fault { field: field.to_owned(), description: description.to_owned(), at }
}
