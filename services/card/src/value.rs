//! The values of a card: what a caller gives, held against the declared parameters.

use serde_json::{Map, Number, Value};

use crate::{
    parameter::{Field, Parameter, Type},
    url,
};

/// A long article; more is a document, not a card.
pub(crate) const TEXT_BYTES_MAX: usize = 32 * 1024;
/// What browsers and servers take without trouble.
pub(crate) const URL_CHARACTERS_MAX: usize = 2048;
/// More rows than anybody scrolls through on a card.
pub(crate) const ITEMS_MAX: usize = 1000;
/// Up to here each whole number is exact in JSON and JavaScript.
const INTEGER_MAX: f64 = 9_007_199_254_740_991.0;

/// The value of each declared parameter.
pub(crate) type Values = Map<String, Value>;

/// A value that does not fit its declaration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub(crate) struct ValueError {
    /// Which value, such as `rows[3].label`.
    pub(crate) path: String,
    pub(crate) message: String,
}

/// The value of each parameter: what is `given`, else its default, else what is empty.
pub(crate) fn complete(parameters: &[Parameter], mut given: Values) -> Result<Values, ValueError> {
    let mut values = Values::new();
    for parameter in parameters {
        let value = match given.remove(&parameter.name) {
            None | Some(Value::Null) if parameter.required => {
                return Err(error(&parameter.name, "must be given"));
            }
            None | Some(Value::Null) => match &parameter.default {
                Some(default) => default.clone(),
                None => empty(&parameter.kind),
            },
            Some(value) => check(&parameter.name, &parameter.kind, value)?,
        };
        values.insert(parameter.name.clone(), value);
    }
    match given.keys().next() {
        Some(unknown) => Err(error(unknown, "the template declares no such parameter")),
        None => Ok(values),
    }
}

/// The value as it is kept, when it is of this type.
pub(crate) fn check(path: &str, kind: &Type, value: Value) -> Result<Value, ValueError> {
    match (kind, value) {
        (Type::Text, Value::String(text)) if text.len() <= TEXT_BYTES_MAX => Ok(Value::String(text)),
        (Type::Text, Value::String(_)) => Err(error(path, format!("must be at most {TEXT_BYTES_MAX} bytes"))),
        (Type::Url, Value::String(text)) => check_url(path, text),
        (Type::Boolean, Value::Bool(value)) => Ok(Value::Bool(value)),
        (Type::Number, Value::Number(number)) => match number.as_f64().and_then(Number::from_f64) {
            Some(number) => Ok(Value::Number(number)),
            None => Err(error(path, "must be a finite number")),
        },
        (Type::Integer, Value::Number(number)) => check_integer(path, &number),
        (Type::TextList | Type::ObjectList(_), Value::Array(items)) => check_items(path, kind, items),
        (Type::Object(fields), Value::Object(given)) => check_object(path, fields, given),
        (kind, _) => Err(error(path, format!("must be {}", kind.describe()))),
    }
}

/// What stands for a value that is not given.
fn empty(kind: &Type) -> Value {
    match kind {
        Type::Text | Type::Url => Value::String(String::new()),
        Type::Number => Value::from(0.0),
        Type::Integer => Value::from(0),
        Type::Boolean => Value::Bool(false),
        Type::TextList | Type::ObjectList(_) => Value::Array(Vec::new()),
        Type::Object(_) => Value::Object(Map::new()),
    }
}

fn check_url(path: &str, text: String) -> Result<Value, ValueError> {
    if text.chars().count() > URL_CHARACTERS_MAX {
        return Err(error(path, format!("must be at most {URL_CHARACTERS_MAX} characters")));
    }
    if !url::is_allowed(&text) {
        return Err(error(
            path,
            "must be a URL with the scheme http, https, mailto or tel, or a relative one",
        ));
    }
    Ok(Value::String(text))
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked, and the value is whole")]
fn check_integer(path: &str, number: &Number) -> Result<Value, ValueError> {
    match number.as_f64() {
        Some(value) if value.fract() == 0.0 && value.abs() <= INTEGER_MAX => Ok(Value::from(value as i64)),
        _ => Err(error(path, "must be a whole number from -(2^53 - 1) to 2^53 - 1")),
    }
}

fn check_items(path: &str, kind: &Type, items: Vec<Value>) -> Result<Value, ValueError> {
    if items.len() > ITEMS_MAX {
        return Err(error(path, format!("must hold at most {ITEMS_MAX} items")));
    }
    let Some(item_kind) = kind.item() else {
        return Err(error(path, format!("must be {}", kind.describe())));
    };
    let checked = items
        .into_iter()
        .enumerate()
        .map(|(index, item)| check(&format!("{path}[{index}]"), &item_kind, item));
    Ok(Value::Array(checked.collect::<Result<_, _>>()?))
}

fn check_object(path: &str, fields: &[Field], mut given: Map<String, Value>) -> Result<Value, ValueError> {
    let mut object = Map::new();
    for field in fields {
        let path = format!("{path}.{}", field.name);
        let value = match given.remove(&field.name) {
            None | Some(Value::Null) if field.required => return Err(error(&path, "must be given")),
            None | Some(Value::Null) => empty(&field.kind),
            Some(value) => check(&path, &field.kind, value)?,
        };
        object.insert(field.name.clone(), value);
    }
    match given.keys().next() {
        Some(unknown) => Err(error(&format!("{path}.{unknown}"), "the template declares no such field")),
        None => Ok(Value::Object(object)),
    }
}

fn error(path: &str, message: impl Into<String>) -> ValueError {
    ValueError { path: path.to_owned(), message: message.into() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::parameter::tests::{field, parameter};

    fn given(value: Value) -> Values {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn what_is_not_given_is_the_default_or_empty() {
        let mut price = parameter("price", Type::Number);
        price.default = Some(json!(9.5));
        let fields: Arc<[Field]> = Arc::new([field("label", Type::Text), field("tags", Type::TextList)]);
        let parameters = [price, parameter("title", Type::Text), parameter("rows", Type::ObjectList(fields))];
        let values = complete(&parameters, given(json!({"rows": [{"label": "a"}]}))).unwrap();
        let expected = json!({"price": 9.5, "title": "", "rows": [{"label": "a", "tags": []}]});
        assert_eq!(Value::Object(values), expected);
    }

    #[test]
    fn what_does_not_fit_is_named_by_its_path() {
        let fields: Arc<[Field]> = Arc::new([field("count", Type::Integer)]);
        let mut title = parameter("title", Type::Text);
        title.required = true;
        let parameters = [
            title,
            parameter("link", Type::Url),
            parameter("rows", Type::ObjectList(fields)),
            parameter("on", Type::Boolean),
        ];
        for (value, path) in [
            (json!({}), "title"),
            (json!({"title": null}), "title"),
            (json!({"title": 1}), "title"),
            (json!({"title": "x".repeat(TEXT_BYTES_MAX + 1)}), "title"),
            (json!({"title": "t", "link": "javascript:alert(1)"}), "link"),
            (json!({"title": "t", "rows": [{"count": 1}, {"count": 1.5}]}), "rows[1].count"),
            (json!({"title": "t", "rows": [{"count": 1e17}]}), "rows[0].count"),
            (json!({"title": "t", "rows": [{"other": 1}]}), "rows[0].other"),
            (json!({"title": "t", "rows": vec![json!({}); ITEMS_MAX + 1]}), "rows"),
            (json!({"title": "t", "on": "yes"}), "on"),
            (json!({"title": "t", "other": 1}), "other"),
        ] {
            assert_eq!(complete(&parameters, given(value.clone())).unwrap_err().path, path, "{value}");
        }
    }

    #[test]
    fn whole_numbers_are_kept_as_whole_numbers() {
        assert_eq!(check("n", &Type::Integer, json!(3.0)).unwrap(), json!(3));
        assert_eq!(check("n", &Type::Number, json!(3)).unwrap(), json!(3.0));
    }
}
