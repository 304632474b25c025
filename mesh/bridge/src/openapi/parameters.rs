//! The path of an operation as OpenAPI writes it, and its path and query parameters.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Value, json};

use super::schema::{Schemas, is_special};
use crate::route::{Body, Operation, Segment};

/// How deep fields of messages are listed as query parameters; deeper ones can be given all the same.
const QUERY_DEPTH: usize = 3;

/// The path, and the parameters of path and query.
pub(super) fn of(operation: &Operation, schemas: &mut Schemas<'_>) -> (String, Vec<Value>) {
    let mut parameters = Vec::new();
    let path = path(operation, schemas, &mut parameters);
    if operation.body != Body::Whole {
        let input = operation.method.input();
        query(operation, &input, &mut Vec::new(), &mut |name, field| {
            parameters.push(json!({
                "name": name, "in": "query", "required": false, "description": schemas.comment(field),
                "schema": schemas.field(field),
            }));
        });
    }
    (path, parameters)
}

fn path(operation: &Operation, schemas: &mut Schemas<'_>, parameters: &mut Vec<Value>) -> String {
    let template = &operation.template;
    let mut path = String::new();
    let mut names: Vec<String> = Vec::new();
    for (at, segment) in template.segments().iter().enumerate() {
        path.push('/');
        if let Segment::Literal(_) = segment {
            path.push_str(&segment.to_string());
            continue;
        }
        let index = template.variables().iter().position(|variable| variable.segments.contains(&at));
        let fields = index.map(|index| operation.bindings[index].as_slice()).unwrap_or_default();
        let mut name = if fields.is_empty() { "segment".to_owned() } else { json_path(fields) };
        while names.contains(&name) {
            name.push('_');
        }
        path.push_str(&format!("{{{name}}}"));
        let field = fields.last();
        let mut description = field.map(|field| schemas.comment(field)).unwrap_or_default();
        if *segment == Segment::Rest {
            description.push_str(" May hold several segments with slashes.");
        }
        let whole = index.is_some_and(|index| template.variables()[index].segments.len() == 1);
        let schema = match field {
            Some(field) if whole => schemas.field(field),
            _ => json!({"type": "string"}),
        };
        parameters.push(json!({
            "name": name, "in": "path", "required": true, "description": description.trim(), "schema": schema,
        }));
        names.push(name);
    }
    if let Some(verb) = template.verb() {
        path.push(':');
        path.push_str(verb);
    }
    path
}

fn query(
    operation: &Operation,
    message: &MessageDescriptor,
    parents: &mut Vec<FieldDescriptor>,
    found: &mut impl FnMut(String, &FieldDescriptor),
) {
    for field in message.fields() {
        let is_body = parents.is_empty() && matches!(&operation.body, Body::Field(body) if *body == field);
        parents.push(field.clone());
        let is_bound = operation.bindings.contains(parents);
        if !is_body && !is_bound && !field.is_map() {
            match field.kind() {
                Kind::Message(inner) if !is_special(&inner) => {
                    if !field.is_list() && parents.len() < QUERY_DEPTH {
                        query(operation, &inner, parents, found);
                    }
                }
                _ => found(json_path(parents), &field),
            }
        }
        parents.pop();
    }
}

fn json_path(fields: &[FieldDescriptor]) -> String {
    fields.iter().map(FieldDescriptor::json_name).collect::<Vec<_>>().join(".")
}
