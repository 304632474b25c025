//! Reads the filters that a value may go through: those that React has an equal for.

use super::{
    error::Fault,
    expression::Reader,
    token::Token,
    tree::{Expression, Filter},
};
use crate::{number::DIGITS_MAX, parameter::Type};

/// A value goes through few filters; each is work.
const FILTERS_MAX: usize = 8;
/// As long as a sentence: what `join` and `default` put in is counted as part of the source only once.
const LITERAL_BYTES_MAX: usize = 256;

/// Reads the filter after "|" and puts it on `expression`.
pub(super) fn read(reader: &mut Reader<'_, '_>, expression: &mut Expression) -> Result<(), Fault> {
    let offset = reader.offset();
    if expression.filters.len() == FILTERS_MAX {
        return Err(reader.fault(format!("a value goes through at most {FILTERS_MAX} filters")));
    }
    let name = reader.word()?;
    let kind = &expression.kind;
    let (fits, result) = match name.as_str() {
        "upper" | "lower" | "capitalize" | "trim" | "truncate" | "default" => (kind.is_text(), Type::Text),
        "length" => (kind.is_text() || kind.item().is_some(), Type::Integer),
        "join" => (*kind == Type::TextList, Type::Text),
        "round" => (kind.is_number(), Type::Number),
        "fixed" => (kind.is_number(), Type::Text),
        "safe" => return Err(Fault::new(offset, "\"safe\" is refused: every value is escaped")),
        _ => return Err(Fault::new(offset, format!("there is no filter {name:?} for cards"))),
    };
    if !fits {
        return Err(Fault::new(offset, format!("the filter {name:?} does not take {}", kind.describe())));
    }
    let filter = match name.as_str() {
        "upper" => Filter::Upper,
        "lower" => Filter::Lower,
        "capitalize" => Filter::Capitalize,
        "trim" => Filter::Trim,
        "length" => Filter::Length,
        "truncate" => Filter::Truncate { length: whole(reader, "length", 100_000)? },
        "default" => Filter::Default { value: text(reader, "value")? },
        "join" => Filter::Join { separator: text(reader, "sep")? },
        "round" => Filter::Round { precision: digits(reader, "precision")? },
        _ => Filter::Fixed { digits: digits(reader, "digits")? },
    };
    let takes_none =
        matches!(filter, Filter::Upper | Filter::Lower | Filter::Capitalize | Filter::Trim | Filter::Length);
    if takes_none && reader.take_sign("(") {
        reader.expect_sign(")")?;
    }
    expression.kind = result;
    expression.filters.push(filter);
    Ok(())
}

/// The one argument: `(name=LITERAL)`.
fn argument(reader: &mut Reader<'_, '_>, name: &str) -> Result<(Token, usize), Fault> {
    reader.expect_sign("(")?;
    if reader.word()? != name {
        return Err(reader.fault(format!("the argument {name:?} is expected here")));
    }
    reader.expect_sign("=")?;
    let offset = reader.offset();
    let literal = reader.literal()?;
    reader.expect_sign(")")?;
    Ok((literal, offset))
}

fn text(reader: &mut Reader<'_, '_>, name: &str) -> Result<String, Fault> {
    match argument(reader, name)? {
        (Token::Text(text), _) if text.len() <= LITERAL_BYTES_MAX => Ok(text),
        (_, offset) => {
            Err(Fault::new(offset, format!("a string of at most {LITERAL_BYTES_MAX} bytes is expected here")))
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked, and the value is whole"
)]
fn whole(reader: &mut Reader<'_, '_>, name: &str, max: u32) -> Result<u32, Fault> {
    match argument(reader, name)? {
        (Token::Number(value), _) if value.fract() == 0.0 && (0.0..=f64::from(max)).contains(&value) => {
            Ok(value as u32)
        }
        (_, offset) => Err(Fault::new(offset, format!("a whole number from 0 to {max} is expected here"))),
    }
}

/// Without an argument: 0, as in Tera.
fn digits(reader: &mut Reader<'_, '_>, name: &str) -> Result<u8, Fault> {
    if name == "precision" && !reader.is_at_sign("(") {
        return Ok(0);
    }
    let digits = whole(reader, name, u32::from(DIGITS_MAX))?;
    Ok(u8::try_from(digits).unwrap_or(DIGITS_MAX))
}
