//! The rows of reservations.

use sqlx::{AnyConnection, Row as _, any::AnyRow};

use super::rows;
use crate::{
    error::Error,
    limit::Count,
    meter::{Amounts, Meter},
    reservation::{Reservation, Settlement},
};

/// Overdue reservations that one transaction expires: it holds the writer for a few milliseconds.
const EXPIRED_MAX: i64 = 64;

/// A reservation after a write, and the counts that the write was about.
pub(crate) struct Outcome {
    pub(crate) reservation: Reservation,
    pub(crate) counts: Vec<Count>,
}

pub(super) async fn find(tx: &mut AnyConnection, id: &str) -> Result<Reservation, Error> {
    let row = sqlx::query(
        "select reservation_id, subject, state, tokens_reserved, requests_reserved, money_reserved, \
             tokens_committed, requests_committed, money_committed, drawn_micros, create_time_us, \
             expire_time_us, commit_time_us \
         from reservations where reservation_id = $1",
    )
    .bind(id.to_owned())
    .fetch_optional(tx)
    .await?;
    reservation(&row.ok_or_else(|| Error::ReservationNotFound { id: id.to_owned() })?)
}

/// The overdue reservations of `subject`, 64 at most, the most overdue first.
pub(super) async fn overdue(
    tx: &mut AnyConnection,
    subject: &str,
    now_us: i64,
) -> Result<Vec<Reservation>, Error> {
    let rows = sqlx::query(
        "select reservation_id, subject, state, tokens_reserved, requests_reserved, money_reserved, \
             tokens_committed, requests_committed, money_committed, drawn_micros, create_time_us, \
             expire_time_us, commit_time_us \
         from reservations where subject = $1 and state = 1 and expire_time_us <= $2 \
         order by expire_time_us limit $3",
    )
    .bind(subject.to_owned())
    .bind(now_us)
    .bind(EXPIRED_MAX)
    .fetch_all(tx)
    .await?;
    rows.iter().map(reservation).collect()
}

pub(super) async fn insert(tx: &mut AnyConnection, reservation: &Reservation) -> Result<(), Error> {
    let inserted = sqlx::query(
        "insert into reservations (reservation_id, subject, state, tokens_reserved, requests_reserved, \
             money_reserved, tokens_committed, requests_committed, money_committed, drawn_micros, \
             create_time_us, expire_time_us) \
         values ($1, $2, $3, $4, $5, $6, 0, 0, 0, $7, $8, $9) on conflict (reservation_id) do nothing",
    )
    .bind(reservation.id.clone())
    .bind(reservation.subject.clone())
    .bind(reservation.state as i64)
    .bind(reservation.reserved.get(Meter::Tokens))
    .bind(reservation.reserved.get(Meter::Requests))
    .bind(reservation.reserved.get(Meter::Money))
    .bind(reservation.drawn_micros)
    .bind(reservation.create_time_us)
    .bind(reservation.expire_time_us)
    .execute(tx)
    .await?;
    if inserted.rows_affected() != 1 {
        return Err(Error::ReservationIdTaken { id: reservation.id.clone() });
    }
    Ok(())
}

/// Writes what `reservation` holds and how long it lasts.
pub(super) async fn update_held(tx: &mut AnyConnection, reservation: &Reservation) -> Result<(), Error> {
    let changed = sqlx::query(
        "update reservations set tokens_reserved = $2, requests_reserved = $3, money_reserved = $4, \
             drawn_micros = $5, expire_time_us = $6 where reservation_id = $1 and state = 1",
    )
    .bind(reservation.id.clone())
    .bind(reservation.reserved.get(Meter::Tokens))
    .bind(reservation.reserved.get(Meter::Requests))
    .bind(reservation.reserved.get(Meter::Money))
    .bind(reservation.drawn_micros)
    .bind(reservation.expire_time_us)
    .execute(tx)
    .await?;
    if changed.rows_affected() != 1 {
        return Err(Error::corrupt("a reservation changed although its subject is locked"));
    }
    Ok(())
}

/// The one change of state, made only if nobody has made one since `reservation` was read.
pub(super) async fn transition(
    tx: &mut AnyConnection,
    reservation: &Reservation,
    settlement: &Settlement,
) -> Result<(), Error> {
    let changed = sqlx::query(
        "update reservations set state = $2, tokens_committed = $3, requests_committed = $4, \
             money_committed = $5, commit_time_us = $6 \
         where reservation_id = $1 and state = $7 and commit_time_us is null",
    )
    .bind(reservation.id.clone())
    .bind(settlement.state as i64)
    .bind(settlement.spent.get(Meter::Tokens))
    .bind(settlement.spent.get(Meter::Requests))
    .bind(settlement.spent.get(Meter::Money))
    .bind(settlement.commit_time_us)
    .bind(reservation.state as i64)
    .execute(tx)
    .await?;
    if changed.rows_affected() != 1 {
        return Err(Error::corrupt("a reservation changed although its subject is locked"));
    }
    Ok(())
}

fn reservation(row: &AnyRow) -> Result<Reservation, Error> {
    let amounts = |first: usize| -> Result<Amounts, sqlx::Error> {
        Ok(Amounts::of(&[
            (Meter::Tokens, row.try_get(first)?),
            (Meter::Requests, row.try_get(first + 1)?),
            (Meter::Money, row.try_get(first + 2)?),
        ]))
    };
    Ok(Reservation {
        id: row.try_get(0)?,
        subject: row.try_get(1)?,
        state: rows::state(row.try_get(2)?)?,
        reserved: amounts(3)?,
        committed: amounts(6)?,
        drawn_micros: row.try_get(9)?,
        create_time_us: row.try_get(10)?,
        expire_time_us: row.try_get(11)?,
        commit_time_us: row.try_get(12)?,
    })
}
