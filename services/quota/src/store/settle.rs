//! Committing, releasing and expiring: what ends a reservation, with the counts and the money it moves.

use prost::Message;
use sqlx::{AnyConnection, Row as _};

use super::{
    About, Outcome, Store, Write, alerts,
    counters::Counters,
    reservations,
    wallets::{self, Movement, NO_FLOOR},
};
use crate::{
    error::Error,
    ledger::Transaction,
    limit::DefaultLimits,
    meter::{Amounts, Meter},
    reservation::{Ending, Reservation, Settlement},
};

impl Store {
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
                let reservation = reservations::find(tx, &reservation_id).await?;
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
    reservations::transition(tx, &reservation, &settlement).await?;
    // A meter of which nothing was reserved may have no counts yet.
    let is_new = |(meter, _): &(Meter, i64)| reservation.reserved.get(*meter) == 0;
    let unreserved: Vec<(Meter, i64)> = settlement.spent.iter().filter(is_new).collect();
    counters.open(tx, &Amounts::of(&unreserved)).await?;
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

/// Expires the overdue reservations of `subject`, in a transaction that has locked it.
pub(super) async fn expire(
    tx: &mut AnyConnection,
    subject: &str,
    defaults: &DefaultLimits,
    now_us: i64,
) -> Result<usize, Error> {
    let overdue = reservations::overdue(tx, subject, now_us).await?;
    let expired = overdue.len();
    for reservation in overdue {
        settle(tx, reservation, Ending::Expire, (defaults, now_us)).await?;
    }
    Ok(expired)
}
