//! Reads JSON values in protobuf's mapping, and knows the path of each.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{CodeSet, ServiceConfigError, duration};

/// How much of a wrong value an error shows.
const SHOWN_CHARS_MAX: usize = 60;

/// A value that is there: JSON's `null` counts as absent, as in protobuf's mapping.
pub(super) struct Field<'a> {
    pub(super) path: String,
    value: &'a Value,
}

/// A JSON object, and which of its fields have been asked for.
pub(super) struct Object<'a> {
    pub(super) path: String,
    fields: &'a Map<String, Value>,
    known: Vec<&'static str>,
}

impl<'a> Field<'a> {
    pub(super) fn root(value: &'a Value) -> Self {
        Self { path: String::new(), value }
    }

    /// The error that this value is something else than what was expected.
    pub(super) fn expected(&self, what: &str) -> ServiceConfigError {
        let text = self.value.to_string();
        let mut shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
        if shown.len() < text.len() {
            shown.push_str("..");
        }
        let path = if self.path.is_empty() { "the service config".to_owned() } else { self.path.clone() };
        ServiceConfigError::Field { path, problem: format!("is {shown}: expected {what}") }
    }

    pub(super) fn object(&self, what: &str) -> Result<Object<'a>, ServiceConfigError> {
        let fields = self.value.as_object().ok_or_else(|| self.expected(what))?;
        Ok(Object { path: self.path.clone(), fields, known: Vec::new() })
    }

    pub(super) fn list(&self, what: &str) -> Result<Vec<Self>, ServiceConfigError> {
        let items = self.value.as_array().ok_or_else(|| self.expected(what))?;
        let item = |(index, value)| Self { path: format!("{}[{index}]", self.path), value };
        Ok(items.iter().enumerate().map(item).collect())
    }

    pub(super) fn text(&self, what: &str) -> Result<&'a str, ServiceConfigError> {
        self.value.as_str().ok_or_else(|| self.expected(what))
    }

    pub(super) fn truth(&self) -> Result<bool, ServiceConfigError> {
        self.value.as_bool().ok_or_else(|| self.expected("true or false"))
    }

    /// A whole number from 0. Protobuf writes 64-bit ones as strings and reads either for all.
    pub(super) fn integer(&self, what: &str) -> Result<u64, ServiceConfigError> {
        let integer = match self.value {
            Value::Number(number) => number.as_u64().or_else(|| whole(number.as_f64()?)),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        integer.ok_or_else(|| self.expected(what))
    }

    /// A finite number.
    pub(super) fn number(&self, what: &str) -> Result<f64, ServiceConfigError> {
        let number = match self.value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        number.filter(|number: &f64| number.is_finite()).ok_or_else(|| self.expected(what))
    }

    pub(super) fn duration(&self) -> Result<Duration, ServiceConfigError> {
        const WHAT: &str = "a duration in seconds such as \"1.5s\", not negative, at most 9 decimals";
        duration::parse(self.text(WHAT)?).ok_or_else(|| self.expected(WHAT))
    }

    pub(super) fn positive_duration(&self) -> Result<Duration, ServiceConfigError> {
        let duration = self.duration()?;
        if duration.is_zero() {
            return Err(self.expected("a duration greater than 0, such as \"0.1s\""));
        }
        Ok(duration)
    }

    pub(super) fn codes(&self) -> Result<CodeSet, ServiceConfigError> {
        const WHAT: &str = "a list of gRPC status codes such as [\"UNAVAILABLE\"] or [14]";
        self.list(WHAT)?.iter().map(super::status_codes::parse).collect()
    }
}

impl<'a> Object<'a> {
    /// The field of this name, unless it is absent or null.
    pub(super) fn optional(&mut self, name: &'static str) -> Option<Field<'a>> {
        self.known.push(name);
        let value = self.fields.get(name).filter(|value| !value.is_null())?;
        Some(Field { path: self.path_of(name), value })
    }

    pub(super) fn required(
        &mut self,
        name: &'static str,
        what: &str,
    ) -> Result<Field<'a>, ServiceConfigError> {
        self.optional(name).ok_or_else(|| self.wrong(name, &format!("is missing: expected {what}")))
    }

    /// The error that one field of this object is wrong in some way.
    pub(super) fn wrong(&self, name: &str, problem: &str) -> ServiceConfigError {
        ServiceConfigError::Field { path: self.path_of(name), problem: problem.to_owned() }
    }

    /// The only field, when there is just one.
    pub(super) fn only(&self) -> Option<(&'a str, Field<'a>)> {
        let mut fields = self.fields.iter();
        let (name, value) = fields.next()?;
        fields.next().is_none().then(|| (name.as_str(), Field { path: self.path_of(name), value }))
    }

    /// Lists the fields that nobody asked for.
    pub(super) fn finish(self, ignored: &mut Vec<String>) {
        let unknown = self.fields.keys().filter(|name| !self.known.contains(&name.as_str()));
        ignored.extend(unknown.map(|name| self.path_of(name)));
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

/// `4.0` and `4e0` are the integer 4 in protobuf's mapping.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be within a u32")]
fn whole(number: f64) -> Option<u64> {
    let fits = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
    fits.then_some(number as u64)
}
