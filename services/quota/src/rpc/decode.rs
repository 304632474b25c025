//! What clients send, checked, as the domain's types.

use plexus_proto::quota::v1 as proto;
use plexus_runtime::{page, status::Problem};
use prost_types::Duration;

use crate::{
    limit::LIMIT_MAX,
    meter::{AMOUNT_MAX, Amounts, Meter},
    reservation::TTL_SECONDS_MAX,
    store::{AlertKey, EntryKey, LimitKey},
    window::Window,
};

/// The prefix of a subject that is a user.
const USER_PREFIX: &str = "user:";
/// The longest id of a user.
const USER_ID_CHARACTERS_MAX: usize = 128;
/// The longest id of a reservation: it is a `request_id`.
const RESERVATION_ID_CHARACTERS_MAX: usize = 64;
/// Between the parts of a page token's key; no part has one.
const KEY_SEPARATOR: char = '|';

pub(super) fn subject(field: &str, text: &str) -> Result<String, Problem> {
    let is_fine = |id: &str| {
        (1..=USER_ID_CHARACTERS_MAX).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._@+-".contains(&byte))
    };
    match text.strip_prefix(USER_PREFIX) {
        Some(id) if is_fine(id) => Ok(text.to_owned()),
        _ => Err(Problem::invalid(
            field,
            "must be \"user:ID\", the ID of 1 to 128 letters, digits and \"._@+-\" characters",
        )),
    }
}

pub(super) fn meter(field: &str, number: i32) -> Result<Meter, Problem> {
    Meter::from_number(number.into())
        .ok_or_else(|| Problem::invalid(field, "must be METER_TOKENS, METER_REQUESTS or METER_MONEY"))
}

pub(super) fn window(field: &str, number: i32) -> Result<Window, Problem> {
    Window::from_number(number.into()).ok_or_else(|| {
        Problem::invalid(field, "must be WINDOW_MINUTE, WINDOW_HOUR, WINDOW_DAY or WINDOW_MONTH")
    })
}

/// `amounts`, each meter named once at most.
pub(super) fn amounts(amounts: &[proto::MeterAmount]) -> Result<Amounts, Problem> {
    let mut named: Vec<(Meter, i64)> = Vec::with_capacity(Meter::ALL.len());
    for (index, entry) in amounts.iter().enumerate() {
        let meter = meter(&format!("amounts[{index}].meter"), entry.meter)?;
        if named.iter().any(|(other, _)| *other == meter) {
            return Err(Problem::invalid(format!("amounts[{index}].meter"), "must not be named twice"));
        }
        if !(0..=AMOUNT_MAX).contains(&entry.amount) {
            let field = format!("amounts[{index}].amount");
            return Err(Problem::invalid(field, format!("must be 0 to {AMOUNT_MAX}")));
        }
        named.push((meter, entry.amount));
    }
    Ok(Amounts::of(&named))
}

/// `named`, with something of at least one meter.
pub(super) fn some_amounts(named: &[proto::MeterAmount]) -> Result<Amounts, Problem> {
    let amounts = amounts(named)?;
    if amounts.is_none() {
        return Err(Problem::invalid("amounts", "must name at least one meter with more than 0"));
    }
    Ok(amounts)
}

/// `ttl` in microseconds, or `unset_us` if there is none.
pub(super) fn ttl_us(ttl: Option<&Duration>, unset_us: i64) -> Result<i64, Problem> {
    let Some(ttl) = ttl else { return Ok(unset_us) };
    let us = ttl.seconds.saturating_mul(1_000_000).saturating_add(i64::from(ttl.nanos) / 1_000);
    if !(1_000_000..=TTL_SECONDS_MAX * 1_000_000).contains(&us) {
        return Err(Problem::invalid("ttl", format!("must be 1 to {TTL_SECONDS_MAX} seconds")));
    }
    Ok(us)
}

pub(super) fn limit_amount(field: &str, amount: i64) -> Result<i64, Problem> {
    if !(0..=LIMIT_MAX).contains(&amount) {
        return Err(Problem::invalid(field, format!("must be 0 to {LIMIT_MAX}")));
    }
    Ok(amount)
}

pub(super) fn top_up_micros(amount: i64) -> Result<i64, Problem> {
    if !(1..=AMOUNT_MAX).contains(&amount) {
        return Err(Problem::invalid("amount_micros", format!("must be 1 to {AMOUNT_MAX}")));
    }
    Ok(amount)
}

pub(super) fn reservation_id(id: &str) -> Result<String, Problem> {
    if !(1..=RESERVATION_ID_CHARACTERS_MAX).contains(&id.chars().count()) {
        return Err(Problem::invalid("reservation_id", "must be the request_id of a Reserve"));
    }
    Ok(id.to_owned())
}

/// The limit after which a page begins.
pub(super) fn limit_page(token: &str) -> Result<Option<LimitKey>, Problem> {
    let Some(key) = page::decode(token)? else { return Ok(None) };
    let mut parts = key.split(KEY_SEPARATOR);
    let subject = parts.next().map(str::to_owned);
    let meter = parts.next().and_then(|part| part.parse().ok()).and_then(Meter::from_number);
    let window = parts.next().and_then(|part| part.parse().ok()).and_then(Window::from_number);
    match (subject, meter, window) {
        (Some(subject), Some(meter), Some(window)) => Ok(Some(LimitKey { subject, meter, window })),
        _ => Err(wrong_token()),
    }
}

/// The alert after which a page begins.
pub(super) fn alert_page(token: &str) -> Result<AlertKey, Problem> {
    let Some(key) = page::decode(token)? else { return Ok(AlertKey::END) };
    let (time, alert_id) = key.split_once(KEY_SEPARATOR).ok_or_else(wrong_token)?;
    let create_time_us = time.parse().map_err(|_| wrong_token())?;
    Ok(AlertKey { create_time_us, alert_id: alert_id.to_owned() })
}

/// The ledger entry after which a page begins.
pub(super) fn entry_page(token: &str) -> Result<EntryKey, Problem> {
    let Some(key) = page::decode(token)? else { return Ok(EntryKey::END) };
    let (number, line) = key.split_once(KEY_SEPARATOR).ok_or_else(wrong_token)?;
    let transaction_number = number.parse().map_err(|_| wrong_token())?;
    Ok(EntryKey { transaction_number, line: line.parse().map_err(|_| wrong_token())? })
}

fn wrong_token() -> Problem {
    Problem::invalid("page_token", "must be a next_page_token of the answer before")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(amount: i64) -> proto::MeterAmount {
        proto::MeterAmount { meter: proto::Meter::Tokens.into(), amount }
    }

    #[test]
    fn a_subject_is_a_user_with_a_plain_id() {
        assert!(subject("subject", "user:0198c0de-7b1c@example.org").is_ok());
        let too_long = format!("user:{}", "a".repeat(129));
        for wrong in ["", "user:", "alice", "service:ai", "user:a b", "user:a|b", "user:ä", too_long.as_str()]
        {
            assert!(subject("subject", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn amounts_are_within_their_limits_and_name_each_meter_once() {
        assert!(some_amounts(&[tokens(1)]).is_ok());
        assert!(amounts(&[tokens(0)]).is_ok());
        for wrong in
            [vec![], vec![tokens(0)], vec![tokens(-1)], vec![tokens(AMOUNT_MAX + 1)], vec![tokens(1); 2]]
        {
            assert!(some_amounts(&wrong).is_err(), "{wrong:?}");
        }
        assert!(amounts(&[proto::MeterAmount { meter: 0, amount: 1 }]).is_err());
    }

    #[test]
    fn a_time_to_live_is_one_second_to_one_hour() {
        let of = |seconds, nanos| ttl_us(Some(&Duration { seconds, nanos }), 7);
        assert_eq!(ttl_us(None, 7).unwrap(), 7);
        assert_eq!(of(1, 0).unwrap(), 1_000_000);
        assert_eq!(of(3600, 0).unwrap(), 3_600_000_000);
        for (seconds, nanos) in [(0, 0), (0, 999_999_999), (3600, 1_000), (-1, 0), (i64::MAX, 0)] {
            assert!(of(seconds, nanos).is_err(), "{seconds} {nanos}");
        }
    }

    #[test]
    fn a_page_token_that_was_not_given_out_is_refused() {
        for token in [page::encode("x"), page::encode("user:a|9|9"), "%%".to_owned()] {
            assert!(
                limit_page(&token).is_err() && alert_page(&token).is_err() && entry_page(&token).is_err()
            );
        }
    }
}
