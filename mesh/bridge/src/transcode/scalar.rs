//! The text of a path segment or a query parameter as the value of a field.

use base64::{Engine as _, engine::GeneralPurpose, engine::general_purpose};
use prost_reflect::{DynamicMessage, EnumDescriptor, Kind, MessageDescriptor, Value};
use serde::de::DeserializeSeed as _;

/// Messages whose JSON form is one string.
const TEXTUAL: [&str; 3] =
    ["google.protobuf.Timestamp", "google.protobuf.Duration", "google.protobuf.FieldMask"];

/// Both alphabets of base64, with or without padding (ProtoJSON).
const BASE64: [&GeneralPurpose; 2] = [&STANDARD, &URL_SAFE];
const STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, INDIFFERENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, INDIFFERENT);
const INDIFFERENT: general_purpose::GeneralPurposeConfig = general_purpose::GeneralPurposeConfig::new()
    .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent);

/// Reads `text` as a value of `kind`; the error says what is expected.
pub(super) fn value(kind: &Kind, text: &str) -> Result<Value, String> {
    match kind {
        Kind::String => Ok(Value::String(text.to_owned())),
        Kind::Bool => match text {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err("must be true or false".to_owned()),
        },
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => integer(text).map(Value::I32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => integer(text).map(Value::I64),
        Kind::Uint32 | Kind::Fixed32 => integer(text).map(Value::U32),
        Kind::Uint64 | Kind::Fixed64 => integer(text).map(Value::U64),
        Kind::Double => float(text).map(Value::F64),
        #[expect(clippy::cast_possible_truncation, reason = "the nearest float is what ProtoJSON asks for")]
        Kind::Float => {
            let wide = float(text)?;
            let narrow = wide as f32;
            if wide.is_finite() && !narrow.is_finite() {
                return Err("is out of the range of a float".to_owned());
            }
            Ok(Value::F32(narrow))
        }
        Kind::Bytes => BASE64
            .iter()
            .find_map(|engine| engine.decode(text).ok())
            .map(|bytes| Value::Bytes(bytes.into()))
            .ok_or_else(|| "must be base64".to_owned()),
        Kind::Enum(descriptor) => enumeration(descriptor, text).map(Value::EnumNumber),
        Kind::Message(descriptor) => message(descriptor, text).map(Value::Message),
    }
}

/// Whether a path or query can give a value of `kind` as one text.
pub(super) fn is_textual(kind: &Kind) -> bool {
    match kind {
        Kind::Message(descriptor) => TEXTUAL.contains(&descriptor.full_name()) || is_wrapper(descriptor),
        _ => true,
    }
}

fn integer<T: std::str::FromStr<Err = std::num::ParseIntError>>(text: &str) -> Result<T, String> {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    text.parse().map_err(|error: std::num::ParseIntError| match error.kind() {
        PosOverflow | NegOverflow => "is out of range".to_owned(),
        _ => "must be an integer".to_owned(),
    })
}

fn float(text: &str) -> Result<f64, String> {
    match text {
        "NaN" => return Ok(f64::NAN),
        "Infinity" => return Ok(f64::INFINITY),
        "-Infinity" => return Ok(f64::NEG_INFINITY),
        _ => {}
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(_) => Err("is out of range".to_owned()),
        Err(_) => Err("must be a number".to_owned()),
    }
}

fn enumeration(descriptor: &EnumDescriptor, text: &str) -> Result<i32, String> {
    if let Some(value) = descriptor.get_value_by_name(text) {
        return Ok(value.number());
    }
    text.parse().map_err(|_| {
        let names: Vec<_> = descriptor.values().map(|value| value.name().to_owned()).collect();
        format!("must be one of {}", names.join(", "))
    })
}

fn message(descriptor: &MessageDescriptor, text: &str) -> Result<DynamicMessage, String> {
    if is_wrapper(descriptor)
        && let Some(field) = descriptor.get_field_by_name("value")
    {
        let mut wrapper = DynamicMessage::new(descriptor.clone());
        wrapper.set_field(&field, value(&field.kind(), text)?);
        return Ok(wrapper);
    }
    if !TEXTUAL.contains(&descriptor.full_name()) {
        return Err("is a message: set one of its fields, by its name after a dot".to_owned());
    }
    let form = match descriptor.name() {
        "Timestamp" => "a time such as 2026-01-31T09:30:00Z",
        "Duration" => "seconds such as 1.5s",
        _ => "field names with commas, such as displayName,roles",
    };
    let text = serde_json::Value::String(text.to_owned());
    descriptor.clone().deserialize(text).map_err(|_| format!("must be {form}"))
}

fn is_wrapper(descriptor: &MessageDescriptor) -> bool {
    descriptor.full_name().starts_with("google.protobuf.")
        && descriptor.name().ends_with("Value")
        && descriptor.fields().len() == 1
        && descriptor.oneofs().len() == 0
        && descriptor.name() != "ListValue"
}
