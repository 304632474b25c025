//! The domain's types as clients receive them.

use plexus_proto::quota::v1 as proto;
use plexus_runtime::{clock::timestamp, page};

use crate::{
    ledger::{Entry, Wallet},
    limit::{Count, Limit},
    meter::Amounts,
    reservation::Reservation,
    store::{Alert, LimitKey, Outcome},
};

/// A number that the contract and the domain share; each is small.
fn number(shared: i64) -> i32 {
    i32::try_from(shared).unwrap_or(0)
}

pub(super) fn amounts(amounts: &Amounts) -> Vec<proto::MeterAmount> {
    amounts
        .iter()
        .map(|(meter, amount)| proto::MeterAmount { meter: number(meter.number()), amount })
        .collect()
}

pub(super) fn usage(subject: &str, count: &Count) -> proto::Usage {
    proto::Usage {
        subject: subject.to_owned(),
        meter: number(count.meter.number()),
        window: number(count.window.number()),
        period_start_time: Some(timestamp(count.period.start_us)),
        period_end_time: Some(timestamp(count.period.end_us)),
        limit: count.limit,
        limit_is_default: count.limit_is_default,
        posted: count.posted,
        pending: count.pending,
        remaining: count.remaining(),
        alert_level: number(count.alert_level() as i64),
    }
}

pub(super) fn reservation(reservation: &Reservation) -> proto::Reservation {
    proto::Reservation {
        reservation_id: reservation.id.clone(),
        subject: reservation.subject.clone(),
        state: number(reservation.state as i64),
        reserved_amounts: amounts(&reservation.reserved),
        committed_amounts: amounts(&reservation.committed),
        create_time: Some(timestamp(reservation.create_time_us)),
        expire_time: Some(timestamp(reservation.expire_time_us)),
        commit_time: reservation.commit_time_us.map(timestamp),
    }
}

/// The counts of an outcome that have a limit.
fn limited_usage(outcome: &Outcome) -> Vec<proto::Usage> {
    let limited = outcome.counts.iter().filter(|count| count.limit.is_some());
    limited.map(|count| usage(&outcome.reservation.subject, count)).collect()
}

pub(super) fn reserved(outcome: &Outcome) -> proto::ReserveResponse {
    proto::ReserveResponse {
        reservation: Some(reservation(&outcome.reservation)),
        usage: limited_usage(outcome),
    }
}

pub(super) fn extended(outcome: &Outcome) -> proto::ExtendResponse {
    proto::ExtendResponse {
        reservation: Some(reservation(&outcome.reservation)),
        usage: limited_usage(outcome),
    }
}

pub(super) fn committed(outcome: &Outcome) -> proto::CommitResponse {
    proto::CommitResponse {
        reservation: Some(reservation(&outcome.reservation)),
        usage: limited_usage(outcome),
    }
}

pub(super) fn released(outcome: &Outcome) -> proto::ReleaseResponse {
    proto::ReleaseResponse { reservation: Some(reservation(&outcome.reservation)) }
}

pub(super) fn limit(limit: &Limit) -> proto::Limit {
    proto::Limit {
        subject: limit.subject.clone(),
        meter: number(limit.meter.number()),
        window: number(limit.window.number()),
        amount: limit.amount,
        create_time: Some(timestamp(limit.create_time_us)),
        update_time: Some(timestamp(limit.update_time_us)),
    }
}

pub(super) fn alert(alert: &Alert) -> proto::Alert {
    proto::Alert {
        subject: alert.subject.clone(),
        meter: number(alert.meter.number()),
        window: number(alert.window.number()),
        period_start_time: Some(timestamp(alert.period.start_us)),
        level: number(alert.level as i64),
        limit: alert.limit,
        posted: alert.posted,
        create_time: Some(timestamp(alert.create_time_us)),
    }
}

pub(super) fn wallet(subject: &str, wallet: &Wallet, currency_code: &str) -> proto::Wallet {
    proto::Wallet {
        subject: subject.to_owned(),
        available_micros: wallet.available_micros,
        held_micros: wallet.held_micros,
        currency_code: currency_code.to_owned(),
        create_time: Some(timestamp(wallet.create_time_us)),
        update_time: Some(timestamp(wallet.update_time_us)),
    }
}

pub(super) fn entry(entry: &Entry) -> proto::LedgerEntry {
    proto::LedgerEntry {
        transaction_number: entry.transaction_number,
        line: number(entry.line),
        kind: number(entry.kind as i64),
        account: number(entry.account as i64),
        amount_micros: entry.amount_micros,
        reference_id: entry.reference_id.clone(),
        create_time: Some(timestamp(entry.create_time_us)),
    }
}

/// Cuts `rows`, of which one more than `size` was asked for, to a page, and makes the token of the next.
pub(super) fn cut_page<T>(rows: &mut Vec<T>, size: i64, key: impl Fn(&T) -> String) -> String {
    let size = usize::try_from(size).unwrap_or(0);
    if rows.len() <= size {
        return String::new();
    }
    rows.truncate(size);
    rows.last().map(|last| page::encode(&key(last))).unwrap_or_default()
}

pub(super) fn limit_key(limit: &Limit) -> String {
    let LimitKey { subject, meter, window } = LimitKey::of(limit);
    format!("{subject}|{}|{}", meter.number(), window.number())
}

pub(super) fn alert_key(alert: &Alert) -> String {
    let key = alert.key();
    format!("{}|{}", key.create_time_us, key.alert_id)
}

pub(super) fn entry_key(entry: &Entry) -> String {
    format!("{}|{}", entry.transaction_number, entry.line)
}
