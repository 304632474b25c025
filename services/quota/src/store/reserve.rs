//! Reserving and extending: the counts and the money that a reservation holds, in one transaction.

use prost::Message;
use sqlx::AnyConnection;

use super::{
    About, Outcome, Store, Write,
    counters::Counters,
    reservations, settle,
    wallets::{self, Movement},
};
use crate::{
    error::Error,
    ledger::Transaction,
    limit::{self, Count, DefaultLimits},
    meter::{Amounts, Meter},
    reservation::{Reservation, State},
    window::Window,
};

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
}

async fn reserve(
    tx: &mut AnyConnection,
    order: Order,
    defaults: &DefaultLimits,
    now_us: i64,
) -> Result<Outcome, Error> {
    settle::expire(tx, &order.subject, defaults, now_us).await?;
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
    reservations::insert(tx, &reservation).await?;
    Ok(Outcome { reservation, counts })
}

async fn extend(
    tx: &mut AnyConnection,
    extension: &Extension,
    defaults: &DefaultLimits,
    now_us: i64,
) -> Result<Outcome, Error> {
    let mut reservation = reservations::find(tx, &extension.reservation_id).await?;
    let expire_time_us =
        reservation.extend(extension.ttl_us, now_us).map_err(|wrong| Error::ended(&reservation.id, wrong))?;
    let (counts, drawn_micros) = hold(tx, &reservation, &extension.amounts, (defaults, now_us)).await?;
    reservation.reserved = reservation.reserved.plus(&extension.amounts);
    reservation.drawn_micros += drawn_micros;
    reservation.expire_time_us = expire_time_us;
    reservations::update_held(tx, &reservation).await?;
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
