//! Numbers as JavaScript writes them, so that a card reads the same from here and from React.

/// The most digits that `fixed` and `round` take: prices have up to four, coordinates six.
pub(crate) const DIGITS_MAX: u8 = 6;

/// `value` as JavaScript's `String(value)` writes it (ECMA-262, 6.1.6.1.20).
pub(crate) fn to_text(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    // Rust's shortest exponential form has the same digits: "-1.25e-7".
    let shortest = format!("{:e}", value.abs());
    let sign = if value < 0.0 { "-" } else { "" };
    let Some((mantissa, exponent)) = shortest.split_once('e') else { return shortest };
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let point = exponent.parse::<i32>().unwrap_or(0) + 1;
    format!("{sign}{}", place_point(&digits, point))
}

/// The digits with the decimal point after the first `point` of them.
fn place_point(digits: &str, point: i32) -> String {
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let zeros = |number: i32| "0".repeat(usize::try_from(number).unwrap_or(0));
    let split = |at: i32| digits.split_at(usize::try_from(at).unwrap_or(0));
    if (count..=21).contains(&point) {
        return format!("{digits}{}", zeros(point - count));
    }
    if (1..=21).contains(&point) {
        let (whole, part) = split(point);
        return format!("{whole}.{part}");
    }
    if (-5..=0).contains(&point) {
        return format!("0.{}{digits}", zeros(-point));
    }
    let exponent = point - 1;
    let sign = if exponent < 0 { '-' } else { '+' };
    let (first, rest) = split(1);
    let part = if rest.is_empty() { String::new() } else { format!(".{rest}") };
    format!("{first}{part}e{sign}{}", exponent.abs())
}

/// `value` with `digits` digits after the point, as `toFixed` does: exact ties go away from zero.
pub(crate) fn fixed(value: f64, digits: u8) -> String {
    // From here toFixed gives up on digits as well (ECMA-262, 21.1.3.3).
    if value.abs() >= 1e21 {
        return to_text(value);
    }
    let places = usize::from(digits.min(DIGITS_MAX));
    let text = match tie(value.abs(), places) {
        Some(scaled) => with_point(scaled, places),
        None => format!("{:.places$}", value.abs()),
    };
    // toFixed keeps the sign of a number that rounds to zero, but not that of zero itself.
    if value < 0.0 { format!("-{text}") } else { text }
}

/// `value` rounded to `digits` digits after the point, ties away from zero.
pub(crate) fn round(value: f64, digits: u8) -> f64 {
    let scale = 10f64.powi(i32::from(digits.min(DIGITS_MAX)));
    let rounded = (value * scale).round() / scale;
    // Numbers too large to scale have no digits after the point.
    if rounded.is_finite() { rounded } else { value }
}

/// When `value` lies exactly between two decimals, the upper one times ten to the power of `places`.
///
/// Such a value is a whole number of 2^-(places + 1), so that whole-number arithmetic decides it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at most 2^70 * 2^7, and not negative"
)]
fn tie(value: f64, places: usize) -> Option<u128> {
    let halves = value * f64::from(2u32.pow(places as u32 + 1));
    if halves.fract() != 0.0 {
        return None;
    }
    let scaled = (halves as u128) * 10u128.pow(places as u32);
    let (unit, half) = (1u128 << (places + 1), 1u128 << places);
    (scaled % unit == half).then(|| scaled / unit + 1)
}

fn with_point(scaled: u128, places: usize) -> String {
    let digits = format!("{scaled:0>width$}", width = places + 1);
    let (whole, part) = digits.split_at(digits.len() - places);
    if part.is_empty() { whole.to_owned() } else { format!("{whole}.{part}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_in_javascript() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (10.0, "10"),
            (-1.5, "-1.5"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e21, "1e+21"),
            (123_456_789_012_345_680_000.0, "123456789012345680000"),
            (1e-6, "0.000001"),
            (1.5e-7, "1.5e-7"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (1234.5678, "1234.5678"),
            (0.00001, "0.00001"),
        ] {
            assert_eq!(to_text(value), text);
        }
    }

    #[test]
    fn digits_are_fixed_as_in_javascript() {
        for (value, digits, text) in [
            (0.125, 2, "0.13"),
            (-0.125, 2, "-0.13"),
            (2.5, 0, "3"),
            (1.005, 2, "1.00"),
            (12.0, 2, "12.00"),
            (0.5, 0, "1"),
            (1.45, 1, "1.4"),
            (8.345, 2, "8.35"),
            (0.000_000_1, 2, "0.00"),
            (-0.000_1, 2, "-0.00"),
            (1e21, 2, "1e+21"),
            (0.0, 3, "0.000"),
        ] {
            assert_eq!(fixed(value, digits), text, "{value}");
        }
    }

    #[test]
    fn rounding_goes_away_from_zero() {
        assert_eq!(
            (round(2.5, 0), round(-2.5, 0), round(1.25, 1), round(f64::MAX, 6)),
            (3.0, -3.0, 1.3, f64::MAX)
        );
    }
}
