//! Reservations: what they hold, and the one change that ends each.

use crate::meter::Amounts;

/// The longest a reservation may last without being extended: a caller that is silent for longer is gone.
pub(crate) const TTL_SECONDS_MAX: i64 = 3600;

/// How a reservation stands. The numbers are those of the contract and of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Its amounts are held.
    Pending = 1,
    /// Committed.
    Posted = 2,
    /// Released.
    Voided = 3,
    /// Nobody ended it in time.
    Expired = 4,
}

impl State {
    /// The state with this number.
    #[must_use]
    pub(crate) fn from_number(number: i64) -> Option<Self> {
        [Self::Pending, Self::Posted, Self::Voided, Self::Expired].into_iter().find(|s| *s as i64 == number)
    }

    /// Its name, as people read it.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Posted => "committed",
            Self::Voided => "released",
            Self::Expired => "expired",
        }
    }
}

/// Amounts held for a piece of work. Times are epoch microseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reservation {
    /// Made by the client.
    pub id: String,
    /// `user:ID`.
    pub subject: String,
    /// How it stands.
    pub state: State,
    /// What is or was held.
    pub reserved: Amounts,
    /// What was spent.
    pub committed: Amounts,
    /// How much of the wallet's money is or was held; 0 if there was no wallet.
    pub drawn_micros: i64,
    /// When it was made; the periods of this moment are charged.
    pub create_time_us: i64,
    /// From then on it may expire.
    pub expire_time_us: i64,
    /// When it was committed.
    pub commit_time_us: Option<i64>,
}

/// How a reservation is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// This was spent.
    Commit(Amounts),
    /// Nothing was spent.
    Release,
    /// Its time is over.
    Expire,
}

/// The change that ends a reservation, and what follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settlement {
    /// The state after it.
    pub state: State,
    /// What leaves the pending counts.
    pub given_back: Amounts,
    /// What joins the posted counts.
    pub spent: Amounts,
    /// What leaves the wallet's held money.
    pub released_micros: i64,
    /// When it was committed, if this is a commit.
    pub commit_time_us: Option<i64>,
}

/// The reservation has ended in a way that does not allow what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WrongState(pub State);

impl Reservation {
    /// What `ending` changes at `now_us`; `None` when it has been done before, or it is too early to expire.
    ///
    /// Spending is real whenever it is reported: a commit after the expiry is recorded, once.
    ///
    /// # Errors
    /// When the reservation has ended in another way.
    pub(crate) fn settle(&self, ending: Ending, now_us: i64) -> Result<Option<Settlement>, WrongState> {
        let is_committed = self.commit_time_us.is_some();
        match (ending, self.state) {
            (Ending::Commit(spent), State::Pending) => Ok(Some(Settlement {
                state: State::Posted,
                spent,
                commit_time_us: Some(now_us),
                ..self.all_back()
            })),
            (Ending::Commit(spent), State::Expired) if !is_committed => Ok(Some(Settlement {
                state: State::Expired,
                given_back: Amounts::NONE,
                spent,
                released_micros: 0,
                commit_time_us: Some(now_us),
            })),
            (Ending::Commit(spent), State::Posted | State::Expired) if spent == self.committed => Ok(None),
            (Ending::Release, State::Pending) => {
                Ok(Some(Settlement { state: State::Voided, ..self.all_back() }))
            }
            (Ending::Release, State::Voided) => Ok(None),
            (Ending::Release, State::Expired) if !is_committed => Ok(None),
            (Ending::Expire, State::Pending) if self.is_due(now_us) => Ok(Some(self.all_back())),
            (Ending::Expire, _) => Ok(None),
            (Ending::Commit(_) | Ending::Release, state) => Err(WrongState(state)),
        }
    }

    /// When it expires if it is extended at `now_us` by `ttl_us`: later than before, or as before.
    ///
    /// # Errors
    /// When it has ended, or its time is over and it is about to expire.
    pub(crate) fn extend(&self, ttl_us: i64, now_us: i64) -> Result<i64, WrongState> {
        match self.state {
            State::Pending if self.is_due(now_us) => Err(WrongState(State::Expired)),
            State::Pending => Ok(self.expire_time_us.max(now_us.saturating_add(ttl_us))),
            state => Err(WrongState(state)),
        }
    }

    fn is_due(&self, now_us: i64) -> bool {
        self.expire_time_us <= now_us
    }

    /// An expiry: all that is held goes back.
    fn all_back(&self) -> Settlement {
        Settlement {
            state: State::Expired,
            given_back: self.reserved,
            spent: Amounts::NONE,
            released_micros: self.drawn_micros,
            commit_time_us: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        ledger::{Account, Transaction},
        limit::{self, Count, DefaultLimits},
        meter::Meter,
        window::Window,
    };

    const LIMIT: i64 = 100;
    const WALLET: i64 = 60;

    fn pending(tokens: i64, money: i64) -> Reservation {
        Reservation {
            id: "r".to_owned(),
            subject: "user:alice".to_owned(),
            state: State::Pending,
            reserved: Amounts::of(&[(Meter::Tokens, tokens), (Meter::Money, money)]),
            committed: Amounts::NONE,
            drawn_micros: money,
            create_time_us: 0,
            expire_time_us: 10,
            commit_time_us: None,
        }
    }

    fn after(mut reservation: Reservation, settlement: &Settlement) -> Reservation {
        reservation.state = settlement.state;
        reservation.committed = settlement.spent;
        reservation.commit_time_us = settlement.commit_time_us;
        reservation
    }

    fn tokens(amount: i64) -> Ending {
        Ending::Commit(Amounts::of(&[(Meter::Tokens, amount)]))
    }

    #[test]
    fn a_commit_gives_back_what_was_held_and_spends_what_was_spent() {
        let reservation = pending(10, 4);
        let settlement = reservation.settle(tokens(13), 5).unwrap().unwrap();
        assert_eq!(settlement.state, State::Posted);
        assert_eq!(settlement.given_back, reservation.reserved);
        assert_eq!(settlement.spent.get(Meter::Tokens), 13);
        assert_eq!(settlement.released_micros, 4);

        let posted = after(reservation, &settlement);
        assert_eq!(posted.settle(tokens(13), 6), Ok(None));
        assert_eq!(posted.settle(tokens(12), 6), Err(WrongState(State::Posted)));
        assert_eq!(posted.settle(Ending::Release, 6), Err(WrongState(State::Posted)));
        assert_eq!(posted.settle(Ending::Expire, 60), Ok(None));
    }

    #[test]
    fn a_commit_after_the_expiry_is_recorded_once() {
        let reservation = pending(10, 4);
        assert_eq!(reservation.settle(Ending::Expire, 9), Ok(None));
        let expiry = reservation.settle(Ending::Expire, 10).unwrap().unwrap();
        let expired = after(reservation, &expiry);
        assert_eq!(expired.settle(Ending::Release, 11), Ok(None));

        let late = expired.settle(tokens(10), 12).unwrap().unwrap();
        assert_eq!(late.state, State::Expired);
        assert!(late.given_back.is_none() && late.released_micros == 0);
        assert_eq!(late.spent.get(Meter::Tokens), 10);

        let late = after(expired, &late);
        assert_eq!(late.settle(tokens(10), 13), Ok(None));
        assert_eq!(late.settle(tokens(11), 13), Err(WrongState(State::Expired)));
        assert_eq!(late.settle(Ending::Release, 13), Err(WrongState(State::Expired)));
    }

    #[test]
    fn a_released_reservation_cannot_be_committed() {
        let reservation = pending(10, 4);
        let release = reservation.settle(Ending::Release, 5).unwrap().unwrap();
        assert_eq!(release.given_back, reservation.reserved);
        let voided = after(reservation, &release);
        assert_eq!(voided.settle(Ending::Release, 6), Ok(None));
        assert_eq!(voided.settle(tokens(1), 6), Err(WrongState(State::Voided)));
    }

    #[test]
    fn only_what_is_pending_and_not_overdue_can_be_extended() {
        let reservation = pending(10, 4);
        assert_eq!(reservation.extend(3, 5), Ok(10));
        assert_eq!(reservation.extend(30, 5), Ok(35));
        assert_eq!(reservation.extend(30, 10), Err(WrongState(State::Expired)));
        let release = reservation.settle(Ending::Release, 5).unwrap().unwrap();
        assert_eq!(after(reservation, &release).extend(30, 5), Err(WrongState(State::Voided)));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Reserve { tokens: i64, money: i64 },
        Commit { which: usize, tokens: i64, money: i64 },
        Release { which: usize },
        Wait { us: i64 },
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => (0i64..40, 0i64..30).prop_map(|(tokens, money)| Step::Reserve { tokens, money }),
            3 => (0usize..8, 0i64..60, 0i64..40)
                .prop_map(|(which, tokens, money)| Step::Commit { which, tokens, money }),
            1 => (0usize..8).prop_map(|which| Step::Release { which }),
            1 => (0i64..8).prop_map(|us| Step::Wait { us }),
        ];
        proptest::collection::vec(step, 0..40)
    }

    /// The counts as the rules change them, step by step.
    struct Book {
        now_us: i64,
        count: Count,
        available: i64,
        held: i64,
        reservations: Vec<Reservation>,
    }

    impl Book {
        fn reserve(&mut self, tokens: i64, money: i64) {
            let mut new = pending(tokens, money);
            new.expire_time_us = self.now_us + 10;
            if limit::refusal(&[self.count], &new.reserved, self.now_us).is_some() || money > self.available {
                return;
            }
            self.count.pending += tokens;
            self.move_money(&Transaction::hold(money));
            let taken = self.count.posted + self.count.pending;
            assert!(tokens == 0 || taken <= LIMIT, "a reservation passed the limit");
            assert!(self.available >= 0, "reserved more than the wallet has");
            self.reservations.push(new);
        }

        fn settle(&mut self, which: usize, ending: Ending) {
            let Some(reservation) = self.reservations.get_mut(which) else { return };
            let Ok(Some(settlement)) = reservation.settle(ending, self.now_us) else { return };
            *reservation = after(reservation.clone(), &settlement);
            self.count.pending -= settlement.given_back.get(Meter::Tokens);
            self.count.posted += settlement.spent.get(Meter::Tokens);
            let spent = settlement.spent.get(Meter::Money);
            self.move_money(&Transaction::spend(settlement.released_micros, spent));
        }

        fn move_money(&mut self, transaction: &Transaction) {
            self.available += transaction.change_of(Account::Available);
            self.held += transaction.change_of(Account::Held);
        }

        /// What the counts should be, from the reservations alone.
        fn check(&self) {
            let sum = |pick: &dyn Fn(&Reservation) -> i64| self.reservations.iter().map(pick).sum::<i64>();
            let if_pending = |r: &Reservation, amount| if r.state == State::Pending { amount } else { 0 };
            assert_eq!(self.count.pending, sum(&|r| if_pending(r, r.reserved.get(Meter::Tokens))));
            assert_eq!(self.count.posted, sum(&|r| r.committed.get(Meter::Tokens)));
            assert_eq!(self.held, sum(&|r| if_pending(r, r.drawn_micros)));
            assert_eq!(self.available, WALLET - self.held - sum(&|r| r.committed.get(Meter::Money)));
        }
    }

    proptest! {
        #[test]
        fn whatever_happens_the_counts_are_the_sums_over_the_reservations(steps in steps()) {
            let defaults = DefaultLimits::default();
            let count = Count::zero(Meter::Tokens, Window::Month, 0).limited(Some(LIMIT), &defaults);
            let mut book = Book { now_us: 0, count, available: WALLET, held: 0, reservations: Vec::new() };
            for step in steps {
                match step {
                    Step::Reserve { tokens, money } => book.reserve(tokens, money),
                    Step::Commit { which, tokens, money } => {
                        let spent = Amounts::of(&[(Meter::Tokens, tokens), (Meter::Money, money)]);
                        book.settle(which, Ending::Commit(spent));
                    }
                    Step::Release { which } => book.settle(which, Ending::Release),
                    Step::Wait { us } => {
                        book.now_us += us;
                        (0..book.reservations.len()).for_each(|which| book.settle(which, Ending::Expire));
                    }
                }
                book.check();
            }
        }
    }
}
