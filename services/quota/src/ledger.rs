//! Movements of money between accounts: double entry in integer micros, every transaction summing to zero.

/// Where money is. The numbers are those of the contract and of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Account {
    /// What the subject can reserve.
    Available = 1,
    /// What reservations hold.
    Held = 2,
    /// What the subject spent.
    Revenue = 3,
    /// Where top-ups come from.
    External = 4,
}

/// Why money moved. The numbers are those of the contract and of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Paid in.
    TopUp = 1,
    /// Reserved.
    Hold = 2,
    /// Spent.
    Spend = 3,
    /// No longer reserved.
    GiveBack = 4,
}

impl Account {
    /// The account with this number.
    #[must_use]
    pub(crate) fn from_number(number: i64) -> Option<Self> {
        [Self::Available, Self::Held, Self::Revenue, Self::External].into_iter().find(|a| *a as i64 == number)
    }
}

impl Kind {
    /// The kind with this number.
    #[must_use]
    pub(crate) fn from_number(number: i64) -> Option<Self> {
        [Self::TopUp, Self::Hold, Self::Spend, Self::GiveBack].into_iter().find(|k| *k as i64 == number)
    }
}

/// A movement of money. Only the functions below make one, so its entries sum to zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transaction {
    kind: Kind,
    entries: Vec<(Account, i64)>,
}

impl Transaction {
    /// `amount_micros` paid into a wallet.
    #[must_use]
    pub(crate) fn top_up(amount_micros: i64) -> Self {
        Self::new(Kind::TopUp, &[(Account::External, -amount_micros), (Account::Available, amount_micros)])
    }

    /// `amount_micros` reserved.
    #[must_use]
    pub(crate) fn hold(amount_micros: i64) -> Self {
        Self::new(Kind::Hold, &[(Account::Available, -amount_micros), (Account::Held, amount_micros)])
    }

    /// `spent_micros` spent, of which `held_micros` were reserved: what is left of them becomes available again,
    /// and what is missing is taken from there, even below zero.
    #[must_use]
    pub(crate) fn spend(held_micros: i64, spent_micros: i64) -> Self {
        Self::new(
            Kind::Spend,
            &[
                (Account::Held, -held_micros),
                (Account::Revenue, spent_micros),
                (Account::Available, held_micros - spent_micros),
            ],
        )
    }

    /// `held_micros` no longer reserved.
    #[must_use]
    pub(crate) fn give_back(held_micros: i64) -> Self {
        Self::new(Kind::GiveBack, &[(Account::Held, -held_micros), (Account::Available, held_micros)])
    }

    fn new(kind: Kind, entries: &[(Account, i64)]) -> Self {
        Self { kind, entries: entries.iter().copied().filter(|(_, amount)| *amount != 0).collect() }
    }

    /// Why the money moves.
    #[must_use]
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// What is added to each account, in micros; none is zero.
    #[must_use]
    pub(crate) fn entries(&self) -> &[(Account, i64)] {
        &self.entries
    }

    /// What it adds to `account`, in micros.
    #[must_use]
    pub(crate) fn change_of(&self, account: Account) -> i64 {
        self.entries.iter().filter(|(entry, _)| *entry == account).map(|(_, amount)| amount).sum()
    }
}

/// One side of a recorded transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The transaction's number within its subject.
    pub transaction_number: i64,
    /// Its place in the transaction, from 1.
    pub line: i64,
    /// Why the money moved.
    pub kind: Kind,
    /// To or from where.
    pub account: Account,
    /// What was added, in micros.
    pub amount_micros: i64,
    /// The reservation or the request that moved it.
    pub reference_id: String,
    /// When, epoch microseconds.
    pub create_time_us: i64,
}

/// The money of a subject, in micros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wallet {
    /// What can be reserved.
    pub available_micros: i64,
    /// What is reserved.
    pub held_micros: i64,
    /// When it was made, epoch microseconds.
    pub create_time_us: i64,
    /// When it last changed, epoch microseconds.
    pub update_time_us: i64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::meter::AMOUNT_MAX;

    fn sum(transaction: &Transaction) -> i64 {
        transaction.entries().iter().map(|(_, amount)| amount).sum()
    }

    #[test]
    fn spending_gives_back_the_rest_and_takes_what_is_missing() {
        assert_eq!(
            Transaction::spend(10, 7).entries(),
            [(Account::Held, -10), (Account::Revenue, 7), (Account::Available, 3)]
        );
        assert_eq!(Transaction::spend(10, 17).change_of(Account::Available), -7);
        assert_eq!(Transaction::spend(10, 10).entries(), [(Account::Held, -10), (Account::Revenue, 10)]);
        assert!(Transaction::spend(0, 0).entries().is_empty());
    }

    proptest! {
        #[test]
        fn every_transaction_sums_to_zero(held in 0..=AMOUNT_MAX, spent in 0..=AMOUNT_MAX) {
            for transaction in [
                Transaction::top_up(held),
                Transaction::hold(held),
                Transaction::spend(held, spent),
                Transaction::give_back(held),
            ] {
                prop_assert_eq!(sum(&transaction), 0);
                prop_assert!(transaction.entries().iter().all(|(_, amount)| *amount != 0));
            }
        }

        #[test]
        fn what_was_held_is_released_in_full_however_the_reservation_ends(
            held in 1..=AMOUNT_MAX, spent in 0..=AMOUNT_MAX,
        ) {
            let hold = Transaction::hold(held).change_of(Account::Held);
            prop_assert_eq!(hold + Transaction::spend(held, spent).change_of(Account::Held), 0);
            prop_assert_eq!(hold + Transaction::give_back(held).change_of(Account::Held), 0);
        }
    }
}
