//! The suite of the store: the same questions on SQLite and on PostgreSQL.

mod counting;
mod ending;
mod model;
mod money;

use std::collections::BTreeSet;

use futures_util::future::join_all;
use plexus_runtime::{
    identity::Caller,
    stores::{database::Database, requests::RequestKey},
};
use plexus_testkit::stores::each_engine;
use sqlx::Row as _;
use uuid::Uuid;

use super::*;
use crate::{
    Quota,
    limit::Count,
    meter::{Amounts, Meter},
    reservation::{Ending, Reservation},
    window::Window,
};

/// 2026-11-21T04:54:05.5Z: in the middle of a minute, an hour, a day and a month.
const NOW_US: i64 = 1_795_236_845_500_000;
const SECOND_US: i64 = 1_000_000;
const ALICE: &str = "user:alice";

/// A store of the suite, with shorter ways to write.
#[derive(Clone)]
struct Bench {
    store: Store,
}

impl Bench {
    fn new(database: Database) -> Self {
        Self::with_defaults(database, DefaultLimits::default())
    }

    fn with_defaults(database: Database, defaults: DefaultLimits) -> Self {
        Self { store: Store::new(database, defaults) }
    }

    async fn set_limit(&self, meter: Meter, window: Window, amount: i64) {
        let key = LimitKey { subject: ALICE.to_owned(), meter, window };
        self.store.set_limit(write("SetLimit", NOW_US), (key, amount), |_| ()).await.unwrap();
    }

    /// Reserves for five minutes at `now_us`: the reservation's id.
    async fn reserve(&self, named: &[(Meter, i64)], now_us: i64) -> Result<String, Error> {
        let order = Order {
            reservation_id: Uuid::now_v7().to_string(),
            subject: ALICE.to_owned(),
            amounts: Amounts::of(named),
            ttl_us: 300 * SECOND_US,
        };
        self.store.reserve(write("Reserve", now_us), order, |outcome| outcome.reservation.id.clone()).await
    }

    async fn commit(&self, id: &str, named: &[(Meter, i64)], now_us: i64) -> Result<(), Error> {
        let ending = Ending::Commit(Amounts::of(named));
        self.store.end(write("Commit", now_us), (id.to_owned(), ending), |_| ()).await
    }

    async fn release(&self, id: &str, now_us: i64) -> Result<(), Error> {
        self.store.end(write("Release", now_us), (id.to_owned(), Ending::Release), |_| ()).await
    }

    async fn expire(&self, now_us: i64) -> Result<usize, Error> {
        self.store.expire(ALICE.to_owned(), now_us).await
    }

    async fn top_up(&self, amount_micros: i64) {
        let top_up = TopUp { request_id: "payment".to_owned(), subject: ALICE.to_owned(), amount_micros };
        self.store.top_up(write("TopUp", NOW_US), top_up, |_| ()).await.unwrap();
    }

    async fn count(&self, meter: Meter, window: Window, now_us: i64) -> Count {
        let usage = self.store.usage(ALICE, now_us).await.unwrap();
        usage.into_iter().find(|count| count.meter == meter && count.window == window).unwrap()
    }

    /// Posted and pending.
    async fn spent(&self, meter: Meter, window: Window, now_us: i64) -> (i64, i64) {
        let count = self.count(meter, window, now_us).await;
        (count.posted, count.pending)
    }

    async fn reservation(&self, id: &str) -> Reservation {
        let mut connection = self.store.database.reads().acquire().await.unwrap();
        reservations::find(&mut connection, id).await.unwrap()
    }

    async fn alerts(&self) -> Vec<Alert> {
        self.store.alerts_of(ALICE, &AlertKey::END, 100).await.unwrap()
    }

    /// The first column of the first row.
    async fn number(&self, query: &'static str) -> i64 {
        sqlx::query(query).fetch_one(self.store.database.reads()).await.unwrap().get(0)
    }

    /// What has to hold whatever was done before.
    async fn check_books(&self) {
        let crooked = "select count(*) from (select subject, transaction_number from ledger_entries \
                       group by subject, transaction_number having sum(amount_micros) <> 0) as crooked";
        assert_eq!(self.number(crooked).await, 0, "a transaction does not sum to zero");
        let total = "select cast(coalesce(sum(amount_micros), 0) as bigint) from ledger_entries";
        assert_eq!(self.number(total).await, 0, "the ledger does not sum to zero");
        let differing = "select count(*) from wallets where available_micros <> \
                 (select coalesce(sum(amount_micros), 0) from ledger_entries \
                  where ledger_entries.subject = wallets.subject and account = 1) \
             or held_micros <> \
                 (select coalesce(sum(amount_micros), 0) from ledger_entries \
                  where ledger_entries.subject = wallets.subject and account = 2)";
        assert_eq!(self.number(differing).await, 0, "a wallet is not the sum of its entries");
    }
}

/// A write under a new id.
fn write(method: &'static str, now_us: i64) -> Write {
    let caller = Caller::new("service:ai", "", BTreeSet::new());
    let id = Uuid::now_v7().to_string();
    Write { key: RequestKey::new(&caller, method, &id, &id).unwrap(), now_us }
}

fn tokens(amount: i64) -> [(Meter, i64); 1] {
    [(Meter::Tokens, amount)]
}

fn money(micros: i64) -> [(Meter, i64); 1] {
    [(Meter::Money, micros)]
}
