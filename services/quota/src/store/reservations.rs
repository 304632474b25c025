//! Reservations: made, extended and ended, each in one transaction with the counts and the money they move.

use prost::Message;
use sqlx::{AnyConnection, Row as _, any::AnyRow};

use super::{
    About, Store, Write, alerts,
    counters::Counters,
    rows,
    wallets::{self, Movement, NO_FLOOR},
};
use crate::{
    error::Error,
    ledger::Transaction,
    limit::{self, Count, DefaultLimits},
    meter::{Amounts, Meter},
    reservation::{Ending, Reservation, Settlement, State},
    window::Window,
};

/// Overdue reservations that one transaction expires: it holds the writer for a few milliseconds.
const EXPIRED_MAX: i64 = 64;

/// What is to be reserved.
pub(crate) struct Order {
    /// The request's id, and from then on the reservation's.
    pub(crate) reservation_id: String,
    pub(crate) subject: String,
    pub(crate) amounts: Amounts,
    pub(crate) ttl_us: i64,
}

/// What is to be reserved on top.
pub(crate) struct Extension {
    pub(crate) reservation_id: String,
    pub(crate) amounts: Amounts,
    /// The least time from now on; 0: as before.
    pub(crate) ttl_us: i64,
}

/// A reservation after a write, and the counts that the write was about.
pub(crate) struct Outcome {
    pub(crate) reservation: Reservation,
    pub(crate) counts: Vec<Count>,
}

impl Store {
    /// Reserves what `order` asks for: all or nothing.
    pub(crate) async fn reserve<M: Message + Default + 'static>(
        &self,
        write: Write,
        order: Order,
        answer: fn(&Outcome) -> M,
    ) -> Result<M, Error> {
        let defaults = self.defaults;
        self.once(write, About::Subject(order.subject.clone()), move |tx, now_us| {
            Box::pin(async move { Ok(answer(&reserve(tx, order, &defaults, now_us).await?)) })
        })
        .await
    }

    /// Reserves more under a reservation, or makes it last longer.
    pub(crate) async fn extend<M: Message + Default + 'static>(
        &self,
        write: Write,
        extension: Extension,
        answer: fn(&Outcome) -> M,
    ) -> Result<M, Error> {
        let defaults = self.defaults;
        let about = About::SubjectOfReservation(extension.reservation_id.clone());
        self.once(write, about, move |tx, now_us| {
            Box::pin(async move { Ok(answer(&extend(tx, &extension, &defaults, now_us).await?)) })
        })
        .await
    }

    /// Ends a reservation.
    pub(crate) async fn end<M: Message + Default + 'static>(
        &self,
        write: Write,
        (reservation_id, ending): (String, Ending),
        answer: fn(&Outcome) -> M,
    ) -> Result<M, Error> {
        let defaults = self.defaults;
        self.once(write, About::SubjectOfReservation(reservation_id.clone()), move |tx, now_us| {
            Box::pin(async move {
                let reservation = find(tx, &reservation_id).await?;
                Ok(answer(&settle(tx, reservation, ending, (&defaults, now_us)).await?))
            })
        })
        .await
    }

    /// Up to `count` subjects that have reservations which are overdue at `now_us`.
    pub(crate) async fn subjects_with_overdue(&self, now_us: i64, count: i64) -> Result<Vec<String>, Error> {
        let rows = sqlx::query(
            "select distinct subject from reservations where state = 1 and expire_time_us <= $1 limit $2",
        )
        .bind(now_us)
        .bind(count)
        .fetch_all(self.database.reads())
        .await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Expires the overdue reservations of `subject` (64 at most), and answers how many there were.
    pub(crate) async fn expire(&self, subject: String, now_us: i64) -> Result<usize, Error> {
        let defaults = self.defaults;
        self.database
            .write(move |tx| {
                Box::pin(async move {
                    super::lock(tx, About::Subject(subject.clone())).await?;
                    expire(tx, &subject, &defaults, now_us).await
                })
            })
            .await
    }
}

async fn reserve(
    tx: &mut AnyConnection,
    order: Order,
    defaults: &DefaultLimits,
    now_us: i64,
) -> Result<Outcome, Error> {
    expire(tx, &order.subject, defaults, now_us).await?;
    let mut reservation = Reservation {
        id: order.reservation_id,
        subject: order.subject,
        state: State::Pending,
        reserved: order.amounts,
        committed: Amounts::NONE,
        drawn_micros: 0,
        create_time_us: now_us,
        expire_time_us: now_us.saturating_add(order.ttl_us),
        commit_time_us: None,
    };
    let (counts, drawn_micros) = hold(tx, &reservation, &order.amounts, (defaults, now_us)).await?;
    reservation.drawn_micros = drawn_micros;
    insert(tx, &reservation).await?;
    Ok(Outcome { reservation, counts })
}

async fn extend(
    tx: &mut AnyConnection,
    extension: &Extension,
    defaults: &DefaultLimits,
    now_us: i64,
) -> Result<Outcome, Error> {
    let mut reservation = find(tx, &extension.reservation_id).await?;
    let expire_time_us =
        reservation.extend(extension.ttl_us, now_us).map_err(|wrong| Error::ended(&reservation.id, wrong))?;
    let (counts, drawn_micros) = hold(tx, &reservation, &extension.amounts, (defaults, now_us)).await?;
    reservation.reserved = reservation.reserved.plus(&extension.amounts);
    reservation.drawn_micros += drawn_micros;
    reservation.expire_time_us = expire_time_us;
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
    Ok(Outcome { reservation, counts })
}

/// Holds `amounts` for `reservation` in the periods of its beginning, and money from the wallet if there is one:
/// the counts after it, and the micros drawn.
async fn hold(
    tx: &mut AnyConnection,
    reservation: &Reservation,
    amounts: &Amounts,
    (defaults, now_us): (&DefaultLimits, i64),
) -> Result<(Vec<Count>, i64), Error> {
    let subject = &reservation.subject;
    let counters = Counters { subject, at_us: reservation.create_time_us, defaults };
    let before = counters.open(tx, amounts).await?;
    if let Some(refusal) = limit::refusal(&before, amounts, now_us) {
        return Err(Error::LimitExceeded { subject: subject.clone(), refusal });
    }
    let mut counts = Vec::with_capacity(before.len());
    for (meter, amount) in amounts.iter() {
        let held = counters.hold(tx, meter, amount).await?;
        if held.len() != Window::ALL.len() {
            return Err(Error::corrupt("a count changed although its subject is locked"));
        }
        counts.extend(held);
    }
    let drawn_micros = draw(tx, reservation, amounts.get(Meter::Money), now_us).await?;
    Ok((counts, drawn_micros))
}

/// Takes `micros` from what is available in the wallet and holds it: what was taken, 0 if there is no wallet.
async fn draw(
    tx: &mut AnyConnection,
    reservation: &Reservation,
    micros: i64,
    now_us: i64,
) -> Result<i64, Error> {
    if micros == 0 {
        return Ok(0);
    }
    let movement = Movement {
        subject: &reservation.subject,
        transaction: Transaction::hold(micros),
        reference_id: &reservation.id,
        floor_micros: 0,
        now_us,
    };
    if wallets::apply(tx, &movement).await? {
        return Ok(micros);
    }
    match wallets::find(tx, &reservation.subject).await? {
        None => Ok(0),
        Some(wallet) => Err(Error::InsufficientBalance {
            subject: reservation.subject.clone(),
            available_micros: wallet.available_micros,
            asked_micros: micros,
        }),
    }
}

/// Ends `reservation`, or finds that it has ended so before.
async fn settle(
    tx: &mut AnyConnection,
    mut reservation: Reservation,
    ending: Ending,
    (defaults, now_us): (&DefaultLimits, i64),
) -> Result<Outcome, Error> {
    let settlement =
        reservation.settle(ending, now_us).map_err(|wrong| Error::ended(&reservation.id, wrong))?;
    let subject = reservation.subject.clone();
    let counters = Counters { subject: &subject, at_us: reservation.create_time_us, defaults };
    let Some(settlement) = settlement else {
        let meters = reservation.reserved.plus(&reservation.committed);
        return Ok(Outcome { counts: counters.open(tx, &meters).await?, reservation });
    };
    transition(tx, &reservation, &settlement).await?;
    // A meter of which nothing was reserved may have no counts yet.
    counters.open(tx, &settlement.spent).await?;
    let mut counts = Vec::new();
    for (meter, _) in settlement.given_back.plus(&settlement.spent).iter() {
        let moved = (settlement.given_back.get(meter), settlement.spent.get(meter));
        let after = counters.settle(tx, meter, moved).await?;
        if moved.1 > 0 {
            for count in &after {
                alerts::record(tx, &subject, count, now_us).await?;
            }
        }
        counts.extend(after);
    }
    settle_money(tx, &reservation, &settlement, now_us).await?;
    reservation.state = settlement.state;
    reservation.committed = settlement.spent;
    reservation.commit_time_us = settlement.commit_time_us;
    Ok(Outcome { reservation, counts })
}

async fn settle_money(
    tx: &mut AnyConnection,
    reservation: &Reservation,
    settlement: &Settlement,
    now_us: i64,
) -> Result<(), Error> {
    let (held_micros, spent_micros) = (settlement.released_micros, settlement.spent.get(Meter::Money));
    let transaction = match (held_micros, spent_micros) {
        (0, 0) => return Ok(()),
        (_, 0) => Transaction::give_back(held_micros),
        _ => Transaction::spend(held_micros, spent_micros),
    };
    let movement = Movement {
        subject: &reservation.subject,
        transaction,
        reference_id: &reservation.id,
        floor_micros: NO_FLOOR,
        now_us,
    };
    let has_wallet = wallets::apply(tx, &movement).await?;
    if !has_wallet && held_micros > 0 {
        return Err(Error::corrupt("a wallet that holds money does not exist"));
    }
    Ok(())
}

/// The one change of state, made only if nobody has made one since `reservation` was read.
async fn transition(
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

/// Expires the overdue reservations of `subject`, in a transaction that has locked it.
async fn expire(
    tx: &mut AnyConnection,
    subject: &str,
    defaults: &DefaultLimits,
    now_us: i64,
) -> Result<usize, Error> {
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
    .fetch_all(&mut *tx)
    .await?;
    for row in &rows {
        settle(tx, reservation(row)?, Ending::Expire, (defaults, now_us)).await?;
    }
    Ok(rows.len())
}

async fn find(tx: &mut AnyConnection, id: &str) -> Result<Reservation, Error> {
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

async fn insert(tx: &mut AnyConnection, reservation: &Reservation) -> Result<(), Error> {
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
