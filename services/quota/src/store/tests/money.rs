//! Wallets and the ledger.

use super::*;
use crate::ledger::{Account, Kind};

#[tokio::test]
async fn every_movement_of_money_is_written_to_the_ledger() {
    each_engine::<Quota, _, _>(|database| async {
        let bench = Bench::new(database);
        // Without a wallet money is only counted.
        let id = bench.reserve(&money(5), NOW_US).await.unwrap();
        bench.commit(&id, &money(5), NOW_US).await.unwrap();
        assert_eq!(bench.store.wallet(ALICE).await.unwrap(), None);

        bench.top_up(100).await;
        let spent = bench.reserve(&money(30), NOW_US).await.unwrap();
        let released = bench.reserve(&money(20), NOW_US).await.unwrap();
        let wallet = bench.store.wallet(ALICE).await.unwrap().unwrap();
        assert_eq!((wallet.available_micros, wallet.held_micros), (50, 50));
        bench.commit(&spent, &money(12), NOW_US).await.unwrap();
        bench.release(&released, NOW_US).await.unwrap();
        let wallet = bench.store.wallet(ALICE).await.unwrap().unwrap();
        assert_eq!((wallet.available_micros, wallet.held_micros), (88, 0));

        let mut entries = bench.store.entries(ALICE, EntryKey::END, 100).await.unwrap();
        entries.reverse();
        let told: Vec<_> =
            entries.iter().map(|e| (e.transaction_number, e.kind, e.account, e.amount_micros)).collect();
        assert_eq!(
            told,
            [
                (1, Kind::TopUp, Account::External, -100),
                (1, Kind::TopUp, Account::Available, 100),
                (2, Kind::Hold, Account::Available, -30),
                (2, Kind::Hold, Account::Held, 30),
                (3, Kind::Hold, Account::Available, -20),
                (3, Kind::Hold, Account::Held, 20),
                (4, Kind::Spend, Account::Held, -30),
                (4, Kind::Spend, Account::Revenue, 12),
                (4, Kind::Spend, Account::Available, 18),
                (5, Kind::GiveBack, Account::Held, -20),
                (5, Kind::GiveBack, Account::Available, 20),
            ]
        );
        assert_eq!((entries[0].reference_id.as_str(), &entries[2].reference_id), ("payment", &spent));
        bench.check_books().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_holds_never_take_more_than_the_wallet_has() {
    each_engine::<Quota, _, _>(|database| async {
        let bench = Bench::new(database);
        bench.top_up(100).await;
        let outcomes =
            join_all(
                (0..40).map(|_| {
                    let bench = bench.clone();
                    async move {
                        tokio::spawn(async move { bench.reserve(&money(9), NOW_US).await }).await.unwrap()
                    }
                }),
            )
            .await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 11);
        let wallet = bench.store.wallet(ALICE).await.unwrap().unwrap();
        assert_eq!((wallet.available_micros, wallet.held_micros), (1, 99));
        bench.check_books().await;
    })
    .await;
}

#[tokio::test]
async fn a_repeated_write_is_answered_and_done_once() {
    each_engine::<Quota, _, _>(|database| async {
        let bench = Bench::new(database);
        let caller = Caller::new("user:admin", "", BTreeSet::new());
        let top_up = async |request_id: &str, amount_micros: i64| {
            let key = RequestKey::new(&caller, "TopUp", request_id, &amount_micros).unwrap();
            let order = TopUp { request_id: request_id.to_owned(), subject: ALICE.to_owned(), amount_micros };
            let write = Write { key, now_us: NOW_US };
            bench.store.top_up(write, order, |wallet| wallet.available_micros).await
        };
        assert_eq!(top_up("payment-1", 70).await.unwrap(), 70);
        assert_eq!(top_up("payment-2", 5).await.unwrap(), 75);
        assert_eq!(top_up("payment-1", 70).await.unwrap(), 70);
        assert!(matches!(top_up("payment-1", 71).await, Err(Error::Replay(requests::ReplayError::Reused))));
        assert_eq!(bench.store.wallet(ALICE).await.unwrap().unwrap().available_micros, 75);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_is_sent_many_times_at_once_is_done_once_and_every_copy_is_answered() {
    each_engine::<Quota, _, _>(|database| async {
        let bench = Bench::new(database);
        let copies = (0..16).map(|_| {
            let bench = bench.clone();
            tokio::spawn(async move {
                let caller = Caller::new("user:admin", "", BTreeSet::new());
                let key = RequestKey::new(&caller, "TopUp", "payment", &70i64).unwrap();
                let order =
                    TopUp { request_id: "payment".to_owned(), subject: ALICE.to_owned(), amount_micros: 70 };
                let write = Write { key, now_us: NOW_US };
                bench.store.top_up(write, order, |wallet| wallet.available_micros).await
            })
        });
        for answer in join_all(copies).await {
            assert_eq!(answer.unwrap().unwrap(), 70);
        }
        assert_eq!(bench.store.wallet(ALICE).await.unwrap().unwrap().available_micros, 70);
        bench.check_books().await;
    })
    .await;
}
