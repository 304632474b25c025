//! From the contract to the domain.

use plexus_proto::card::v1 as contract;
use plexus_runtime::{page, status::Problem};

use super::json;
use crate::{
    document::Device,
    parameter::{Field, Parameter, Type},
    store::Page,
    template::{self, Change, Kind, Visibility},
};

/// Any kind, or none for "all".
pub(super) fn kind_filter(kind: i32) -> Result<Option<Kind>, Problem> {
    match contract::CardKind::try_from(kind) {
        Ok(contract::CardKind::Unspecified) => Ok(None),
        Ok(contract::CardKind::Product) => Ok(Some(Kind::Product)),
        Ok(contract::CardKind::Info) => Ok(Some(Kind::Info)),
        Ok(contract::CardKind::Custom) => Ok(Some(Kind::Custom)),
        Err(_) => Err(Problem::invalid("kind", "is not a kind that is known")),
    }
}

pub(super) fn kind(kind: i32) -> Result<Kind, Problem> {
    kind_filter(kind)?.ok_or_else(|| Problem::invalid("template.kind", "must be set"))
}

pub(super) fn visibility(visibility: i32) -> Result<Visibility, Problem> {
    match contract::Visibility::try_from(visibility) {
        Ok(contract::Visibility::Unspecified | contract::Visibility::Private) => Ok(Visibility::Private),
        Ok(contract::Visibility::Shared) => Ok(Visibility::Shared),
        Err(_) => Err(Problem::invalid("template.visibility", "is not a visibility that is known")),
    }
}

pub(super) fn device(device: i32) -> Result<Device, Problem> {
    match contract::Device::try_from(device) {
        Ok(contract::Device::Unspecified | contract::Device::Responsive) => Ok(Device::Responsive),
        Ok(contract::Device::Phone) => Ok(Device::Phone),
        Ok(contract::Device::Tablet) => Ok(Device::Tablet),
        Ok(contract::Device::Desktop) => Ok(Device::Desktop),
        Err(_) => Err(Problem::invalid("device", "is not a device that is known")),
    }
}

/// A version; 0 is the newest.
pub(super) fn version(version: i64) -> Result<i64, Problem> {
    if version < 0 {
        Err(Problem::invalid("version", "must be 1 or more, or 0 for the newest"))
    } else {
        Ok(version)
    }
}

/// A page of templates.
pub(super) fn templates_page(page_size: i32, page_token: &str) -> Result<Page, Problem> {
    let after = page::decode(page_token)?.unwrap_or_default();
    if !after.is_empty() && !is_template_id(&after) {
        return Err(Problem::invalid("page_token", "must be a next_page_token of the answer before"));
    }
    Ok(Page { after, size: page::size(page_size)? })
}

/// Whether there can be a template with this id.
pub(super) fn is_template_id(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

pub(super) fn parameters(parameters: Vec<contract::Parameter>) -> Result<Vec<Parameter>, Problem> {
    let decoded = parameters.into_iter().enumerate().map(|(index, parameter)| {
        let path = format!("template.parameters[{index}]");
        let fields = fields(&path, parameter.fields)?;
        let kind = kind_of_value(&path, parameter.r#type, Some(fields))?;
        let default = parameter.default_value.map(json::value).filter(|default| !default.is_null());
        let mut decoded = Parameter {
            name: parameter.name,
            description: parameter.description,
            kind,
            required: parameter.required,
            default: None,
        };
        decoded.default = default.map(|default| template::normal_default(&decoded, default));
        Ok(decoded)
    });
    decoded.collect()
}

/// The change that `mask` makes of `template`.
pub(super) fn change(
    template: contract::Template,
    mask: Option<prost_types::FieldMask>,
) -> Result<Change, Problem> {
    let paths = mask.unwrap_or_default().paths;
    if paths.is_empty() {
        return Err(Problem::invalid("update_mask", "must name at least one field"));
    }
    let mut change = Change::default();
    for path in paths {
        match path.as_str() {
            "display_name" => change.display_name = Some(template.display_name.clone()),
            "description" => change.description = Some(template.description.clone()),
            "tags" => change.tags = Some(template.tags.clone()),
            "visibility" => change.visibility = Some(visibility(template.visibility)?),
            "parameters" => change.parameters = Some(parameters(template.parameters.clone())?),
            "source" => change.source = Some(template.source.clone()),
            "stylesheet" => change.stylesheet = Some(template.stylesheet.clone()),
            _ => return Err(Problem::invalid("update_mask", format!("{path:?} cannot be changed"))),
        }
    }
    Ok(change)
}

fn fields(path: &str, fields: Vec<contract::ParameterField>) -> Result<Vec<Field>, Problem> {
    let decoded = fields.into_iter().enumerate().map(|(index, field)| {
        let path = format!("{path}.fields[{index}]");
        let kind = kind_of_value(&path, field.r#type, None)?;
        Ok(Field { name: field.name, description: field.description, kind, required: field.required })
    });
    decoded.collect()
}

/// `fields` are those of the objects; a field itself has none.
fn kind_of_value(path: &str, kind: i32, fields: Option<Vec<Field>>) -> Result<Type, Problem> {
    use contract::ParameterType;
    let wrong = |rule: &str| Err(Problem::invalid(format!("{path}.type"), rule));
    let declared = ParameterType::try_from(kind).unwrap_or(ParameterType::Unspecified);
    if declared != ParameterType::ObjectList && fields.as_ref().is_some_and(|fields| !fields.is_empty()) {
        return Err(Problem::invalid(format!("{path}.fields"), "only a list of objects has fields"));
    }
    match (declared, fields) {
        (ParameterType::String, _) => Ok(Type::Text),
        (ParameterType::Number, _) => Ok(Type::Number),
        (ParameterType::Integer, _) => Ok(Type::Integer),
        (ParameterType::Boolean, _) => Ok(Type::Boolean),
        (ParameterType::Url, _) => Ok(Type::Url),
        (ParameterType::StringList, _) => Ok(Type::TextList),
        (ParameterType::ObjectList, Some(fields)) => Ok(Type::ObjectList(fields.into())),
        (ParameterType::ObjectList, None) => wrong("a field cannot be a list of objects"),
        (ParameterType::Unspecified, _) => wrong("must be a type that is known"),
    }
}
