//! Values, filters and conditions in TypeScript.

use crate::{
    parameter::Type,
    source::tree::{Comparison, Condition, Counter, Expression, Filter, Operand, Path},
};

/// A value that can be followed by "." or stand anywhere.
pub(super) fn expression(value: &Expression) -> String {
    let mut code = path(&value.path);
    let mut of_list = value.path.kind().item().is_some();
    for filter in &value.filters {
        code = apply(filter, &code, of_list);
        of_list = false;
    }
    code
}

/// A parameter, a loop variable, or a field, which has its empty value when it is missing.
pub(super) fn path(path: &Path) -> String {
    match path {
        Path::Name { name, .. } => name.clone(),
        Path::Field { variable, field, required: true, .. } => format!("{variable}.{field}"),
        Path::Field { variable, field, kind, .. } => format!("({variable}.{field} ?? {})", empty(kind)),
        Path::Counter { counter, variable, list } => {
            let index = index_name(variable);
            match counter {
                Counter::Index => format!("({index} + 1)"),
                Counter::Index0 => index,
                Counter::First => format!("({index} === 0)"),
                Counter::Last => format!("({index} === {}.length - 1)", self::path(list)),
            }
        }
    }
}

/// What counts the items of the loop over `variable`; names of parameters have no capital letters.
pub(super) fn index_name(variable: &str) -> String {
    format!("{variable}Index")
}

/// What stands for a value that is not given.
pub(super) fn empty(kind: &Type) -> &'static str {
    match kind {
        Type::Text | Type::Url => "\"\"",
        Type::Number | Type::Integer => "0",
        Type::Boolean => "false",
        Type::TextList | Type::ObjectList(_) => "[]",
        Type::Object(_) => "{}",
    }
}

/// A string of TypeScript.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A condition whose value is a boolean, so that JSX shows nothing of it.
pub(super) fn condition(condition: &Condition) -> String {
    match condition {
        Condition::Holds(value) => holds(value),
        Condition::Constant(value) => value.to_string(),
        Condition::Not(inner) => format!("!({})", self::condition(inner)),
        Condition::And(left, right) => format!("({} && {})", self::condition(left), self::condition(right)),
        Condition::Or(left, right) => format!("({} || {})", self::condition(left), self::condition(right)),
        Condition::Compare(left, comparison, right) => {
            let sign = match comparison {
                Comparison::Equal => "===",
                Comparison::NotEqual => "!==",
                other => other.symbol(),
            };
            format!("({} {sign} {})", operand(left), operand(right))
        }
    }
}

fn holds(value: &Expression) -> String {
    let code = expression(value);
    match &value.kind {
        Type::Text | Type::Url => format!("({code} !== \"\")"),
        Type::Number | Type::Integer => format!("({code} !== 0)"),
        Type::Boolean => code,
        Type::TextList | Type::ObjectList(_) => format!("({code}.length > 0)"),
        Type::Object(_) => "true".to_owned(),
    }
}

/// Booleans are compared as plain booleans, since the compiler refuses to compare what it has found to differ.
fn operand(operand: &Operand) -> String {
    match operand {
        Operand::Expression(value) if value.kind == Type::Boolean => {
            format!("Boolean({})", expression(value))
        }
        Operand::Expression(value) => expression(value),
        Operand::Text(text) => quoted(text),
        Operand::Number(value) => crate::number::to_text(*value),
        Operand::Boolean(value) => format!("Boolean({value})"),
    }
}

fn apply(filter: &Filter, code: &str, of_list: bool) -> String {
    match filter {
        Filter::Upper => format!("{code}.toUpperCase()"),
        Filter::Lower => format!("{code}.toLowerCase()"),
        Filter::Trim => format!("{code}.trim()"),
        Filter::Capitalize => format!("capitalizeText({code})"),
        Filter::Truncate { length } => format!("truncateText({code}, {length})"),
        Filter::Default { value } => format!("({code} || {})", quoted(value)),
        Filter::Length if of_list => format!("{code}.length"),
        Filter::Length => format!("Array.from({code}).length"),
        Filter::Join { separator } => format!("{code}.join({})", quoted(separator)),
        Filter::Round { precision } => format!("roundNumber({code}, {precision})"),
        Filter::Fixed { digits } => format!("{code}.toFixed({digits})"),
    }
}
