//! Messages and enums as JSON schemas, in the shape that ProtoJSON gives them.

use std::collections::BTreeMap;

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use super::comments::Comments;

/// The schemas of all messages and enums that were asked for, and of what they hold.
pub(super) struct Schemas<'c> {
    comments: &'c Comments,
    done: BTreeMap<String, Value>,
}

/// Whether `message` has a JSON form of its own that is no object with its fields.
pub(super) fn is_special(message: &MessageDescriptor) -> bool {
    special(message).is_some()
}

impl<'c> Schemas<'c> {
    pub(super) fn new(comments: &'c Comments) -> Self {
        Self { comments, done: BTreeMap::new() }
    }

    /// All schemas by full name.
    pub(super) fn finish(self) -> Map<String, Value> {
        self.done.into_iter().collect()
    }

    /// The comment of a field.
    pub(super) fn comment(&self, field: &FieldDescriptor) -> String {
        self.comments.of_element(&field.parent_file(), field.path())
    }

    /// The schema of a field: of its values, in a list or a map where it is one.
    pub(super) fn field(&mut self, field: &FieldDescriptor) -> Value {
        if field.is_map()
            && let Kind::Message(entry) = field.kind()
        {
            let value = self.kind(&entry.map_entry_value_field().kind());
            return json!({"type": "object", "additionalProperties": value});
        }
        let value = self.kind(&field.kind());
        if field.is_list() { json!({"type": "array", "items": value}) } else { value }
    }

    /// The schema of a message: a reference, or what stands for it in JSON.
    pub(super) fn message(&mut self, message: &MessageDescriptor) -> Value {
        if let Some(special) = special(message) {
            return special;
        }
        let name = message.full_name();
        if !self.done.contains_key(name) {
            // The name is taken before its fields are, since messages may hold themselves.
            self.done.insert(name.to_owned(), Value::Null);
            let schema = self.object(message);
            self.done.insert(name.to_owned(), schema);
        }
        reference(name)
    }

    fn object(&mut self, message: &MessageDescriptor) -> Value {
        let mut properties = Map::new();
        for field in message.fields() {
            let mut schema = self.field(&field);
            let mut comment = self.comment(&field);
            if let Some(oneof) = field.containing_oneof().filter(|oneof| !oneof.is_synthetic()) {
                let names: Vec<_> = oneof.fields().map(|field| field.json_name().to_owned()).collect();
                comment = format!("{comment}\nAt most one of {} is set.", names.join(", ")).trim().to_owned();
                schema["x-oneof"] = oneof.name().into();
            }
            if !comment.is_empty() {
                schema["description"] = comment.into();
            }
            properties.insert(field.json_name().to_owned(), schema);
        }
        let comment = self.comments.of_element(&message.parent_file(), message.path());
        let mut schema = json!({"type": "object", "properties": properties});
        if !comment.is_empty() {
            schema["description"] = comment.into();
        }
        schema
    }

    fn kind(&mut self, kind: &Kind) -> Value {
        match kind {
            Kind::Message(message) => self.message(message),
            Kind::Enum(enumeration) => self.enumeration(enumeration),
            scalar => self::scalar(scalar),
        }
    }

    fn enumeration(&mut self, enumeration: &EnumDescriptor) -> Value {
        let name = enumeration.full_name();
        if name == "google.protobuf.NullValue" {
            return json!({"type": "null"});
        }
        if !self.done.contains_key(name) {
            let file = enumeration.parent_file();
            let mut lines = vec![self.comments.of_element(&file, enumeration.path())];
            let mut names = Vec::new();
            for value in enumeration.values() {
                let comment = self.comments.of_element(&file, value.path());
                if !comment.is_empty() {
                    lines.push(format!("- `{}`: {comment}", value.name()));
                }
                names.push(value.name().to_owned());
            }
            let description = lines.join("\n").trim().to_owned();
            let schema = json!({"type": "string", "enum": names, "description": description});
            self.done.insert(name.to_owned(), schema);
        }
        reference(name)
    }
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn scalar(kind: &Kind) -> Value {
    match kind {
        Kind::Bool => json!({"type": "boolean"}),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => json!({"type": "integer", "format": "int32"}),
        Kind::Uint32 | Kind::Fixed32 => json!({"type": "integer", "minimum": 0, "maximum": u32::MAX}),
        // As strings, since JavaScript's numbers would lose the last digits.
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => json!({"type": "string", "format": "int64"}),
        Kind::Uint64 | Kind::Fixed64 => json!({"type": "string", "format": "uint64"}),
        Kind::Float | Kind::Double => json!({"type": ["number", "string"], "format": "double"}),
        Kind::Bytes => json!({"type": "string", "contentEncoding": "base64"}),
        _ => json!({"type": "string"}),
    }
}

/// The JSON forms that ProtoJSON gives the well-known types.
fn special(message: &MessageDescriptor) -> Option<Value> {
    let name = message.full_name().strip_prefix("google.protobuf.")?;
    Some(match name {
        "Timestamp" => json!({"type": "string", "format": "date-time"}),
        "Duration" => json!({"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]{1,9})?s$", "example": "1.5s"}),
        "FieldMask" => json!({"type": "string", "example": "displayName,roles"}),
        "Struct" => json!({"type": "object", "additionalProperties": true}),
        "Value" => json!({}),
        "ListValue" => json!({"type": "array", "items": {}}),
        "Empty" => json!({"type": "object"}),
        "Any" => json!({
            "type": "object", "required": ["@type"], "properties": {"@type": {"type": "string"}},
        }),
        "BoolValue" | "StringValue" | "BytesValue" | "FloatValue" | "DoubleValue" | "Int32Value"
        | "Int64Value" | "UInt32Value" | "UInt64Value" => {
            let mut inner = scalar(&message.get_field_by_name("value")?.kind());
            let kind = match inner.get("type") {
                Some(Value::Array(kinds)) => kinds.iter().cloned().chain([json!("null")]).collect(),
                Some(kind) => json!([kind, "null"]),
                None => return None,
            };
            inner["type"] = kind;
            inner
        }
        _ => return None,
    })
}
