//! From the domain to the contract.

use plexus_proto::card::v1 as contract;
use plexus_runtime::{clock, page};

use super::json;
use crate::{
    parameter::{Field, Parameter, Type},
    template::{Kind, Summary, Template, Visibility},
};

pub(super) fn kind(kind: Kind) -> contract::CardKind {
    match kind {
        Kind::Product => contract::CardKind::Product,
        Kind::Info => contract::CardKind::Info,
        Kind::Custom => contract::CardKind::Custom,
    }
}

/// The template with its content.
pub(super) fn template(template: &Template) -> contract::Template {
    contract::Template {
        parameters: template.content.parameters.iter().map(parameter).collect(),
        source: template.content.source.clone(),
        stylesheet: template.content.stylesheet.clone(),
        ..summary(&template.summary)
    }
}

/// The template as it stands in lists.
pub(super) fn summary(summary: &Summary) -> contract::Template {
    let about = &summary.about;
    contract::Template {
        template_id: summary.template_id.clone(),
        kind: kind(about.kind).into(),
        display_name: about.display_name.clone(),
        description: about.description.clone(),
        tags: about.tags.clone(),
        visibility: visibility(about.visibility).into(),
        parameters: Vec::new(),
        source: String::new(),
        stylesheet: String::new(),
        version: summary.version,
        owner_id: summary.owner_id.clone(),
        built_in: summary.is_built_in(),
        create_time: Some(clock::timestamp(summary.create_time_us)),
        update_time: Some(clock::timestamp(summary.update_time_us)),
    }
}

/// Cuts `items`, of which one more than `size` was asked for, and says after which key the next page begins.
pub(super) fn cut_page<T>(items: &mut Vec<T>, size: i64, key: impl Fn(&T) -> String) -> String {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    if items.len() <= size {
        return String::new();
    }
    items.truncate(size);
    items.last().map_or_else(String::new, |last| page::encode(&key(last)))
}

fn visibility(visibility: Visibility) -> contract::Visibility {
    match visibility {
        Visibility::Private => contract::Visibility::Private,
        Visibility::Shared => contract::Visibility::Shared,
    }
}

fn parameter(parameter: &Parameter) -> contract::Parameter {
    contract::Parameter {
        name: parameter.name.clone(),
        description: parameter.description.clone(),
        r#type: parameter_type(&parameter.kind).into(),
        required: parameter.required,
        default_value: parameter.default.as_ref().map(json::proto),
        fields: match &parameter.kind {
            Type::ObjectList(fields) => fields.iter().map(field).collect(),
            _ => Vec::new(),
        },
    }
}

fn field(field: &Field) -> contract::ParameterField {
    contract::ParameterField {
        name: field.name.clone(),
        description: field.description.clone(),
        r#type: parameter_type(&field.kind).into(),
        required: field.required,
    }
}

fn parameter_type(kind: &Type) -> contract::ParameterType {
    match kind {
        Type::Text => contract::ParameterType::String,
        Type::Number => contract::ParameterType::Number,
        Type::Integer => contract::ParameterType::Integer,
        Type::Boolean => contract::ParameterType::Boolean,
        Type::Url => contract::ParameterType::Url,
        Type::TextList => contract::ParameterType::StringList,
        Type::Object(_) | Type::ObjectList(_) => contract::ParameterType::ObjectList,
    }
}
