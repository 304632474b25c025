//! The declared parameters of a template: their names and types.

use std::{collections::BTreeSet, sync::Arc};

use serde::{Deserialize, Serialize};

/// What a form can hold; more parameters than this belong into a list.
pub(crate) const PARAMETERS_MAX: usize = 64;
/// As many columns as a card can show.
pub(crate) const FIELDS_MAX: usize = 32;
/// Long enough for words, short enough for a column.
pub(crate) const NAME_CHARACTERS_MAX: usize = 64;
/// A hint, not a manual.
pub(crate) const DESCRIPTION_CHARACTERS_MAX: usize = 256;

/// Words that Tera, JavaScript or React keep for themselves, as far as they are written in small letters.
const RESERVED: &[&str] = &[
    "and",
    "arguments",
    "as",
    "async",
    "await",
    "block",
    "break",
    "case",
    "catch",
    "children",
    "class",
    "component",
    "const",
    "continue",
    "debugger",
    "default",
    "delete",
    "do",
    "elif",
    "else",
    "enum",
    "eval",
    "export",
    "extends",
    "false",
    "filter",
    "finally",
    "for",
    "function",
    "if",
    "implements",
    "import",
    "in",
    "include",
    "instanceof",
    "interface",
    "is",
    "key",
    "let",
    "loop",
    "macro",
    "new",
    "none",
    "not",
    "null",
    "or",
    "package",
    "private",
    "protected",
    "public",
    "raw",
    "ref",
    "return",
    "self",
    "set",
    "static",
    "super",
    "switch",
    "this",
    "throw",
    "true",
    "try",
    "typeof",
    "undefined",
    "var",
    "void",
    "while",
    "with",
    "yield",
];

/// A declared parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) kind: Type,
    /// Whether no card can be rendered without it.
    pub(crate) required: bool,
    /// What it is when it is not given.
    pub(crate) default: Option<serde_json::Value>,
}

/// A declared field of the objects in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) kind: Type,
    /// Whether each object must hold it.
    pub(crate) required: bool,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Type {
    Text,
    Number,
    Integer,
    Boolean,
    Url,
    TextList,
    /// One item of an [`Type::ObjectList`]; never declared.
    Object(Arc<[Field]>),
    ObjectList(Arc<[Field]>),
}

/// What is wrong with a declaration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub(crate) struct DeclarationError {
    /// Which field of the request, such as `parameters[2].name`.
    pub(crate) path: String,
    pub(crate) message: String,
}

impl Type {
    /// How people call it.
    pub(crate) fn describe(&self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Number => "a number",
            Self::Integer => "a whole number",
            Self::Boolean => "true or false",
            Self::Url => "a URL",
            Self::TextList => "a list of strings",
            Self::Object(_) => "an object",
            Self::ObjectList(_) => "a list of objects",
        }
    }

    /// What each item of a list of this type is.
    pub(crate) fn item(&self) -> Option<Self> {
        match self {
            Self::TextList => Some(Self::Text),
            Self::ObjectList(fields) => Some(Self::Object(Arc::clone(fields))),
            _ => None,
        }
    }

    /// Whether it is a number of either sort.
    pub(crate) fn is_number(&self) -> bool {
        matches!(self, Self::Number | Self::Integer)
    }

    /// Whether it is text of either sort.
    pub(crate) fn is_text(&self) -> bool {
        matches!(self, Self::Text | Self::Url)
    }
}

/// Checks the names, types and texts of all `parameters`; the defaults are checked as values are.
pub(crate) fn check(parameters: &[Parameter]) -> Result<(), DeclarationError> {
    if parameters.len() > PARAMETERS_MAX {
        return Err(error("parameters", format!("must be at most {PARAMETERS_MAX}")));
    }
    let mut names = BTreeSet::new();
    for (index, parameter) in parameters.iter().enumerate() {
        let path = format!("parameters[{index}]");
        check_name(&path, &parameter.name, &mut names)?;
        check_description(&path, &parameter.description)?;
        if parameter.required && parameter.default.is_some() {
            return Err(error(
                format!("{path}.default_value"),
                "is of no use for a required parameter".to_owned(),
            ));
        }
        if let Type::ObjectList(fields) = &parameter.kind {
            check_fields(&path, fields)?;
        }
    }
    Ok(())
}

/// Whether `name` may name a parameter, a field or a loop variable.
pub(crate) fn is_name(name: &str) -> bool {
    name.len() <= NAME_CHARACTERS_MAX
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && !RESERVED.contains(&name)
}

fn check_fields(path: &str, fields: &[Field]) -> Result<(), DeclarationError> {
    if fields.is_empty() || fields.len() > FIELDS_MAX {
        return Err(error(
            format!("{path}.fields"),
            format!("must be 1 to {FIELDS_MAX} for a list of objects"),
        ));
    }
    let mut names = BTreeSet::new();
    for (index, field) in fields.iter().enumerate() {
        let path = format!("{path}.fields[{index}]");
        check_name(&path, &field.name, &mut names)?;
        check_description(&path, &field.description)?;
        if matches!(field.kind, Type::Object(_) | Type::ObjectList(_)) {
            return Err(error(format!("{path}.type"), "a field cannot be a list of objects".to_owned()));
        }
    }
    Ok(())
}

fn check_name<'n>(path: &str, name: &'n str, seen: &mut BTreeSet<&'n str>) -> Result<(), DeclarationError> {
    let path = format!("{path}.name");
    if !is_name(name) {
        let rule = "must be 1 to 64 lower-case letters, digits and \"_\", beginning with a letter, and not a reserved word";
        return Err(error(path, rule.to_owned()));
    }
    if !seen.insert(name) {
        return Err(error(path, format!("{name:?} is declared twice")));
    }
    Ok(())
}

fn check_description(path: &str, description: &str) -> Result<(), DeclarationError> {
    if description.chars().count() > DESCRIPTION_CHARACTERS_MAX || description.contains(char::is_control) {
        let rule = format!("must be at most {DESCRIPTION_CHARACTERS_MAX} characters on one line");
        return Err(error(format!("{path}.description"), rule));
    }
    Ok(())
}

fn error(path: impl Into<String>, message: String) -> DeclarationError {
    DeclarationError { path: path.into(), message }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An optional parameter without a default.
    pub(crate) fn parameter(name: &str, kind: Type) -> Parameter {
        Parameter { name: name.to_owned(), description: String::new(), kind, required: false, default: None }
    }

    /// An optional field.
    pub(crate) fn field(name: &str, kind: Type) -> Field {
        Field { name: name.to_owned(), description: String::new(), kind, required: false }
    }

    #[test]
    fn names_are_words_that_mean_nothing_else() {
        assert!(is_name("title") && is_name("price_2"));
        for wrong in ["", "Title", "2nd", "_a", "a-b", "ä", "loop", "class", "key", &"a".repeat(65)] {
            assert!(!is_name(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_wrong_declaration_is_named_by_its_path() {
        let twice = [parameter("a", Type::Text), parameter("a", Type::Url)];
        assert_eq!(check(&twice).unwrap_err().path, "parameters[1].name");
        let empty = [parameter("rows", Type::ObjectList(Arc::new([])))];
        assert_eq!(check(&empty).unwrap_err().path, "parameters[0].fields");
        let fields: Arc<[Field]> = Arc::new([field("deep", Type::ObjectList(Arc::new([])))]);
        assert_eq!(
            check(&[parameter("rows", Type::ObjectList(fields))]).unwrap_err().path,
            "parameters[0].fields[0].type"
        );
        let many = vec![parameter("a", Type::Text); PARAMETERS_MAX + 1];
        assert_eq!(check(&many).unwrap_err().path, "parameters");
    }
}
