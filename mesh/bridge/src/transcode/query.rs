//! The query string as fields of the request message.

use std::collections::BTreeSet;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};

use super::{Fault, scalar};
use crate::route::{self, Body, Operation};

/// A longer chain of names than this is no field of any contract; it bounds the walk.
const DEPTH_MAX: usize = 16;

/// Sets the fields that the parameters of `query` name, by proto or JSON name, nested by dots.
/// What the path or the body fills cannot be set here.
pub(super) fn apply(operation: &Operation, query: &str, message: &mut DynamicMessage) -> Result<(), Fault> {
    let mut seen = BTreeSet::new();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, text) = parameter.split_once('=').unwrap_or((parameter, ""));
        let name = decode(name).map_err(|description| Fault::new(name, description))?;
        let wrong = |description: String| Fault::new(name.clone(), description);
        let text = decode(text).map_err(wrong)?;
        let fields = resolve(&operation.method.input(), &name).map_err(wrong)?;
        check(operation, &fields).map_err(wrong)?;
        let Some((field, parents)) = fields.split_last() else { continue };
        let value = scalar::value(&field.kind(), &text).map_err(wrong)?;
        let parent = parents
            .iter()
            .try_fold(&mut *message, |at, parent| at.get_field_mut(parent).as_message_mut())
            .ok_or_else(|| wrong("is no field of a message".to_owned()))?;
        if field.is_list() {
            parent.get_field_mut(field).as_list_mut().into_iter().for_each(|list| list.push(value.clone()));
            continue;
        }
        let numbers: Vec<u32> = fields.iter().map(FieldDescriptor::number).collect();
        if !seen.insert(numbers) {
            return Err(wrong("is given more than once".to_owned()));
        }
        set(parent, field, value).map_err(wrong)?;
    }
    Ok(())
}

/// Sets a singular field, unless another of its oneof is set.
fn set(parent: &mut DynamicMessage, field: &FieldDescriptor, value: Value) -> Result<(), String> {
    let mut siblings = field.containing_oneof().into_iter().flat_map(|one| one.fields().collect::<Vec<_>>());
    if let Some(other) = siblings.find(|other| other != field && parent.has_field(other)) {
        return Err(format!("excludes {}, which is given too", other.json_name()));
    }
    parent.set_field(field, value);
    Ok(())
}

fn resolve(message: &MessageDescriptor, name: &str) -> Result<Vec<FieldDescriptor>, String> {
    let mut fields: Vec<FieldDescriptor> = Vec::new();
    let mut at = message.clone();
    for part in name.split('.').take(DEPTH_MAX) {
        if let Some(parent) = fields.last() {
            at = match parent.kind() {
                Kind::Message(inner) if !parent.is_list() && !parent.is_map() => inner,
                _ => return Err(format!("{} has no fields that a query can set", parent.json_name())),
            };
        }
        let field = at.get_field_by_name(part).or_else(|| at.get_field_by_json_name(part));
        fields.push(field.ok_or_else(|| format!("is unknown: {} has no such field", at.full_name()))?);
    }
    match fields.last() {
        Some(field) if field.is_map() => Err("is a map: a query cannot set it".to_owned()),
        Some(field) if field.is_list() && !scalar::is_textual(&field.kind()) => {
            Err("is a list of messages: a query cannot set it".to_owned())
        }
        _ => Ok(fields),
    }
}

fn check(operation: &Operation, fields: &[FieldDescriptor]) -> Result<(), String> {
    if operation.bindings.iter().any(|bound| bound == fields) {
        return Err("is set by the path".to_owned());
    }
    match &operation.body {
        Body::Field(body) if fields.first() == Some(body) => Err("is set by the body".to_owned()),
        Body::Whole => Err("is not in the query here: the body holds the whole request".to_owned()),
        _ => Ok(()),
    }
}

fn decode(text: &str) -> Result<String, String> {
    route::decode(&text.replace('+', " ")).map_err(|malformed| malformed.to_string())
}
