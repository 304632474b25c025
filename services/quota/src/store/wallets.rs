//! Wallets, and the ledger that every change of one is written to.

use prost::Message;
use sqlx::{AnyConnection, Row as _, any::AnyRow};

use super::{About, Store, Write, rows};
use crate::{
    error::Error,
    ledger::{Account, Entry, Transaction, Wallet},
};

/// The most entries that a transaction has.
const LINES_MAX: usize = 3;

/// The place of an entry in a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EntryKey {
    pub(crate) transaction_number: i64,
    pub(crate) line: i64,
}

/// Money to be put into a wallet.
pub(crate) struct TopUp {
    /// That of the payment.
    pub(crate) request_id: String,
    pub(crate) subject: String,
    pub(crate) amount_micros: i64,
}

/// A movement of the money of one subject.
pub(super) struct Movement<'m> {
    pub(super) subject: &'m str,
    pub(super) transaction: Transaction,
    /// The reservation or the request that moves it.
    pub(super) reference_id: &'m str,
    /// What has to be available after it: 0, or [`NO_FLOOR`].
    pub(super) floor_micros: i64,
    pub(super) now_us: i64,
}

/// For what was really spent: the wallet may go below zero.
pub(super) const NO_FLOOR: i64 = i64::MIN;

/// The wallet of `subject`, in a transaction that has locked it.
pub(super) async fn find(tx: &mut AnyConnection, subject: &str) -> Result<Option<Wallet>, Error> {
    let row = sqlx::query(
        "select available_micros, held_micros, create_time_us, update_time_us from wallets where subject = $1",
    )
    .bind(subject.to_owned())
    .fetch_optional(tx)
    .await?;
    row.as_ref().map(wallet).transpose()
}

/// Changes the wallet and writes the ledger; `false` and nothing done when too little would be left, or there is no wallet.
pub(super) async fn apply(tx: &mut AnyConnection, movement: &Movement<'_>) -> Result<bool, Error> {
    let transaction = &movement.transaction;
    let row = sqlx::query(
        "update wallets set available_micros = available_micros + $2, held_micros = held_micros + $3, \
             transactions = transactions + 1, update_time_us = $4 \
         where subject = $1 and available_micros + $2 >= $5 returning transactions",
    )
    .bind(movement.subject.to_owned())
    .bind(transaction.change_of(Account::Available))
    .bind(transaction.change_of(Account::Held))
    .bind(movement.now_us)
    .bind(movement.floor_micros)
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = row else { return Ok(false) };
    record(tx, movement, row.try_get(0)?).await?;
    Ok(true)
}

async fn record(tx: &mut AnyConnection, movement: &Movement<'_>, number: i64) -> Result<(), Error> {
    let mut query = sqlx::query(
        "with lines (line, account, amount_micros) as (values (1, $6, $7), (2, $8, $9), (3, $10, $11)) \
         insert into ledger_entries \
             (subject, transaction_number, line, kind, account, amount_micros, reference_id, create_time_us) \
         select $1, $2, line, $3, account, amount_micros, $4, $5 from lines where amount_micros <> 0",
    )
    .bind(movement.subject.to_owned())
    .bind(number)
    .bind(movement.transaction.kind() as i64)
    .bind(movement.reference_id.to_owned())
    .bind(movement.now_us);
    let entries = movement.transaction.entries();
    for line in 0..LINES_MAX {
        let (account, amount_micros) =
            entries.get(line).map_or((0, 0), |(account, amount)| (*account as i64, *amount));
        query = query.bind(account).bind(amount_micros);
    }
    query.execute(tx).await?;
    Ok(())
}

impl Store {
    /// Puts money into a wallet, which is made if there is none.
    pub(crate) async fn top_up<M: Message + Default + 'static>(
        &self,
        write: Write,
        top_up: TopUp,
        answer: impl FnOnce(&Wallet) -> M + Send + 'static,
    ) -> Result<M, Error> {
        let TopUp { request_id, subject, amount_micros } = top_up;
        self.once(write, About::Subject(subject.clone()), move |tx, now_us| {
            Box::pin(async move {
                sqlx::query(
                    "insert into wallets \
                     (subject, available_micros, held_micros, transactions, create_time_us, update_time_us) \
                     values ($1, 0, 0, 0, $2, $2) on conflict (subject) do nothing",
                )
                .bind(subject.clone())
                .bind(now_us)
                .execute(&mut *tx)
                .await?;
                let movement = Movement {
                    subject: &subject,
                    transaction: Transaction::top_up(amount_micros),
                    reference_id: &request_id,
                    floor_micros: NO_FLOOR,
                    now_us,
                };
                apply(tx, &movement).await?;
                let wallet = find(tx, &subject).await?;
                Ok(answer(&wallet.ok_or(Error::WalletNotFound { subject })?))
            })
        })
        .await
    }

    /// The wallet of `subject`, if it has one.
    pub(crate) async fn wallet(&self, subject: &str) -> Result<Option<Wallet>, Error> {
        let row = sqlx::query(
            "select available_micros, held_micros, create_time_us, update_time_us from wallets where subject = $1",
        )
        .bind(subject.to_owned())
        .fetch_optional(self.database.reads())
        .await?;
        row.as_ref().map(wallet).transpose()
    }

    /// Up to `count` entries of the ledger of `subject` before `before`, newest transaction first.
    pub(crate) async fn entries(
        &self,
        subject: &str,
        before: EntryKey,
        count: i64,
    ) -> Result<Vec<Entry>, Error> {
        let rows = sqlx::query(
            "select transaction_number, line, kind, account, amount_micros, reference_id, create_time_us \
             from ledger_entries where subject = $1 and (transaction_number, line) < ($2, $3) \
             order by transaction_number desc, line desc limit $4",
        )
        .bind(subject.to_owned())
        .bind(before.transaction_number)
        .bind(before.line)
        .bind(count)
        .fetch_all(self.database.reads())
        .await?;
        rows.iter().map(entry).collect()
    }
}

impl EntryKey {
    /// After every entry.
    pub(crate) const END: Self = Self { transaction_number: i64::MAX, line: 0 };
}

fn wallet(row: &AnyRow) -> Result<Wallet, Error> {
    Ok(Wallet {
        available_micros: row.try_get(0)?,
        held_micros: row.try_get(1)?,
        create_time_us: row.try_get(2)?,
        update_time_us: row.try_get(3)?,
    })
}

fn entry(row: &AnyRow) -> Result<Entry, Error> {
    Ok(Entry {
        transaction_number: row.try_get(0)?,
        line: row.try_get(1)?,
        kind: rows::kind(row.try_get(2)?)?,
        account: rows::account(row.try_get(3)?)?,
        amount_micros: row.try_get(4)?,
        reference_id: row.try_get(5)?,
        create_time_us: row.try_get(6)?,
    })
}
