//! What the limits admit.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_reserves_admit_exactly_what_the_limit_holds() {
    each_engine::<Quota, _, _>(|database| async {
        let bench = Bench::new(database);
        for (meter, window, limit, amount) in [
            (Meter::Tokens, Window::Day, 100, 7),
            (Meter::Requests, Window::Minute, 64, 1),
            (Meter::Money, Window::Month, 10, 11),
        ] {
            bench.set_limit(meter, window, limit).await;
            let named = [(meter, amount)];
            let outcomes =
                join_all(
                    (0..80).map(|_| {
                        let bench = bench.clone();
                        async move {
                            tokio::spawn(async move { bench.reserve(&named, NOW_US).await }).await.unwrap()
                        }
                    }),
                )
                .await;
            let admitted = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
            assert_eq!(i64::try_from(admitted).unwrap(), limit / amount, "limit {limit}, {amount} each");
            assert!(
                outcomes.iter().all(|outcome| matches!(outcome, Ok(_) | Err(Error::LimitExceeded { .. })))
            );
            assert_eq!(bench.spent(meter, window, NOW_US).await, (0, limit / amount * amount));
        }
    })
    .await;
}

#[tokio::test]
async fn the_statement_itself_refuses_what_would_pass_the_limit() {
    each_engine::<Quota, _, _>(|database| async {
        let bench = Bench::new(database);
        bench.set_limit(Meter::Tokens, Window::Day, 10).await;
        let held = |amount| {
            bench.store.database.write(move |tx| {
                Box::pin(async move {
                    let defaults = DefaultLimits::of(&[(Meter::Tokens, Window::Hour, 20)]);
                    let counters = counters::Counters { subject: ALICE, at_us: NOW_US, defaults: &defaults };
                    counters.open(tx, &Amounts::of(&tokens(1))).await?;
                    let held = counters.hold(tx, Meter::Tokens, amount).await?;
                    Ok::<_, Error>(held.into_iter().map(|count| count.window).collect::<Vec<_>>())
                })
            })
        };
        assert_eq!(held(10).await.unwrap(), Window::ALL);
        assert_eq!(held(1).await.unwrap(), [Window::Minute, Window::Hour, Window::Month]);
        assert_eq!(held(10).await.unwrap(), [Window::Minute, Window::Month]);
        assert_eq!(bench.spent(Meter::Tokens, Window::Day, NOW_US).await, (0, 10));
    })
    .await;
}

#[tokio::test]
async fn a_reserve_of_many_meters_takes_all_or_nothing() {
    each_engine::<Quota, _, _>(|database| async {
        let bench = Bench::new(database);
        bench.set_limit(Meter::Tokens, Window::Day, 100).await;
        bench.set_limit(Meter::Requests, Window::Minute, 1).await;
        bench.top_up(50).await;
        let named = [(Meter::Tokens, 10), (Meter::Requests, 1), (Meter::Money, 5)];
        bench.reserve(&named, NOW_US).await.unwrap();

        let Err(Error::LimitExceeded { refusal, .. }) = bench.reserve(&named, NOW_US).await else {
            panic!("the second request in a minute was admitted")
        };
        let binding: Vec<_> =
            refusal.binding.iter().map(|(count, asked)| (count.meter, count.window, *asked)).collect();
        assert_eq!(binding, [(Meter::Requests, Window::Minute, 1)]);
        assert_eq!(refusal.retry_after, Some(std::time::Duration::from_micros(54_500_000)));
        assert!(matches!(
            bench.reserve(&money(46), NOW_US).await,
            Err(Error::InsufficientBalance { available_micros: 45, asked_micros: 46, .. })
        ));
        assert_eq!(bench.spent(Meter::Tokens, Window::Day, NOW_US).await, (0, 10));
        assert_eq!(bench.spent(Meter::Money, Window::Month, NOW_US).await, (0, 5));
        bench.check_books().await;

        bench.reserve(&named, NOW_US + 60 * SECOND_US).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_changed_limit_holds_at_once_and_a_deleted_one_gives_way_to_the_default() {
    each_engine::<Quota, _, _>(|database| async {
        let defaults = DefaultLimits::of(&[(Meter::Tokens, Window::Day, 30)]);
        let bench = Bench::with_defaults(database, defaults);
        let reserves = async |amount| bench.reserve(&tokens(amount), NOW_US).await.is_ok();
        assert!(!reserves(31).await);
        assert!(reserves(30).await);
        assert!(!reserves(1).await);
        bench.set_limit(Meter::Tokens, Window::Day, 50).await;
        assert!(reserves(20).await);
        assert!(!reserves(1).await);
        bench.set_limit(Meter::Tokens, Window::Day, 10).await;
        assert_eq!(bench.count(Meter::Tokens, Window::Day, NOW_US).await.remaining(), Some(0));
        bench.set_limit(Meter::Tokens, Window::Day, 60).await;
        assert!(reserves(1).await);

        let key = LimitKey { subject: ALICE.to_owned(), meter: Meter::Tokens, window: Window::Day };
        bench.store.delete_limit(write("DeleteLimit", NOW_US), key.clone(), || ()).await.unwrap();
        let count = bench.count(Meter::Tokens, Window::Day, NOW_US).await;
        assert_eq!((count.limit, count.limit_is_default, count.pending), (Some(30), true, 51));
        assert!(!reserves(1).await);
        assert!(matches!(bench.store.limit(key).await, Err(Error::LimitNotFound { .. })));
    })
    .await;
}

#[tokio::test]
async fn what_was_spent_before_a_limit_was_set_counts_against_it() {
    each_engine::<Quota, _, _>(|database| async {
        let bench = Bench::new(database);
        let id = bench.reserve(&tokens(40), NOW_US).await.unwrap();
        bench.commit(&id, &tokens(40), NOW_US).await.unwrap();
        bench.set_limit(Meter::Tokens, Window::Hour, 50).await;
        assert!(bench.reserve(&tokens(11), NOW_US).await.is_err());
        assert!(bench.reserve(&tokens(10), NOW_US).await.is_ok());
        // In the next hour it begins again at zero, while the reservation is charged to the hour before.
        let later_us = NOW_US + 3600 * SECOND_US;
        assert!(bench.reserve(&tokens(50), later_us).await.is_ok());
        assert!(bench.reserve(&tokens(1), later_us).await.is_err());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_that_is_set_while_its_period_begins_is_in_force() {
    each_engine::<Quota, _, _>(|database| async {
        let bench = Bench::new(database);
        for minute in 0..40 {
            let now_us = NOW_US + minute * 60 * SECOND_US;
            let reserving = {
                let bench = bench.clone();
                tokio::spawn(async move { bench.reserve(&tokens(1), now_us).await })
            };
            let setting = {
                let bench = bench.clone();
                tokio::spawn(async move {
                    let key =
                        LimitKey { subject: ALICE.to_owned(), meter: Meter::Tokens, window: Window::Minute };
                    // As a replica sets it whose clock is a moment behind, in the minute before.
                    let write = write("SetLimit", now_us - 60 * SECOND_US);
                    bench.store.set_limit(write, (key, 1_000 + minute), |_| ()).await
                })
            };
            reserving.await.unwrap().unwrap();
            setting.await.unwrap().unwrap();
            assert_eq!(bench.count(Meter::Tokens, Window::Minute, now_us).await.limit, Some(1_000 + minute));
        }
    })
    .await;
}

#[tokio::test]
async fn history_is_deleted_and_what_is_pending_or_paid_stays() {
    each_engine::<Quota, _, _>(|database| async {
        let bench = Bench::new(database);
        bench.top_up(100).await;
        let ended = bench.reserve(&tokens(3), NOW_US).await.unwrap();
        bench.commit(&ended, &tokens(3), NOW_US).await.unwrap();
        let pending = bench.reserve(&[(Meter::Requests, 1)], NOW_US).await.unwrap();

        let cutoff_us = NOW_US + 7200 * SECOND_US;
        let cutoffs = Cutoffs { history_us: cutoff_us, alerts_us: cutoff_us, short_periods_us: cutoff_us };
        while bench.store.delete_history(cutoffs).await.unwrap() > 0 {}
        assert_eq!(bench.number("select count(*) from reservations").await, 1);
        assert_eq!(bench.number("select count(*) from requests").await, 1);
        assert_eq!(
            bench.number("select count(*) from counters where meter = 1 and window_kind <= 2").await,
            0
        );
        assert_eq!(bench.spent(Meter::Tokens, Window::Day, NOW_US).await, (3, 0));
        assert_eq!(bench.spent(Meter::Requests, Window::Minute, NOW_US).await, (0, 1));

        bench.commit(&pending, &[(Meter::Requests, 1), (Meter::Tokens, 1)], cutoff_us).await.unwrap();
        assert_eq!(bench.spent(Meter::Requests, Window::Minute, NOW_US).await, (1, 0));
        assert_eq!(bench.spent(Meter::Tokens, Window::Day, NOW_US).await, (4, 0));
        bench.check_books().await;
    })
    .await;
}
