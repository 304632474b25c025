//! How reservations end, and the alerts on the way.

use super::*;
use crate::{limit::AlertLevel, reservation::State};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_commit_a_release_and_an_expiry_at_the_same_time_one_wins() {
    each_engine::<Quota, _, _>(|database| async {
        let bench = Bench::new(database);
        bench.top_up(1_000).await;
        let overdue_us = NOW_US + 300 * SECOND_US;
        for _ in 0..30 {
            let before = bench.spent(Meter::Tokens, Window::Day, NOW_US).await;
            let named = [(Meter::Tokens, 5), (Meter::Money, 5)];
            let id = bench.reserve(&named, NOW_US).await.unwrap();
            let run = |what: u8| {
                let (bench, id) = (bench.clone(), id.clone());
                tokio::spawn(async move {
                    match what {
                        0 => bench.commit(&id, &[(Meter::Tokens, 3)], overdue_us).await.is_ok(),
                        1 => bench.release(&id, overdue_us).await.is_ok(),
                        _ => bench.expire(overdue_us).await.is_ok(),
                    }
                })
            };
            let outcomes = join_all([run(0), run(1), run(2), run(2)]).await;
            let committed = *outcomes[0].as_ref().unwrap();

            // Whichever came first, the amounts are given back once and what was reported as spent is posted once.
            let reservation = bench.reservation(&id).await;
            assert_ne!(reservation.state, State::Pending);
            assert_eq!(committed, reservation.commit_time_us.is_some(), "{reservation:?}");
            assert_eq!(committed, reservation.state != State::Voided);
            let spent = if committed { 3 } else { 0 };
            assert_eq!(bench.spent(Meter::Tokens, Window::Day, NOW_US).await, (before.0 + spent, 0));
            assert_eq!(bench.store.wallet(ALICE).await.unwrap().unwrap().held_micros, 0);
            bench.check_books().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_commit_beyond_what_was_reserved_is_recorded_in_full() {
    each_engine::<Quota, _, _>(|database| async {
        let bench = Bench::new(database);
        bench.set_limit(Meter::Tokens, Window::Day, 100).await;
        bench.top_up(10).await;
        let id = bench.reserve(&[(Meter::Tokens, 100), (Meter::Money, 10)], NOW_US).await.unwrap();
        let spent = [(Meter::Tokens, 130), (Meter::Money, 25), (Meter::Requests, 2)];
        bench.commit(&id, &spent, NOW_US).await.unwrap();
        assert_eq!(bench.spent(Meter::Tokens, Window::Day, NOW_US).await, (130, 0));
        assert_eq!(bench.spent(Meter::Requests, Window::Month, NOW_US).await, (2, 0));
        assert_eq!(bench.count(Meter::Tokens, Window::Day, NOW_US).await.remaining(), Some(0));
        assert_eq!(bench.store.wallet(ALICE).await.unwrap().unwrap().available_micros, -15);
        bench.check_books().await;

        bench.commit(&id, &spent, NOW_US).await.unwrap();
        assert_eq!(bench.spent(Meter::Tokens, Window::Day, NOW_US).await, (130, 0));
        let other = bench.commit(&id, &tokens(1), NOW_US).await;
        assert!(matches!(other, Err(Error::ReservationEnded { state: State::Posted, .. })));
    })
    .await;
}

#[tokio::test]
async fn a_commit_after_the_expiry_is_recorded_in_the_period_of_the_reservation() {
    each_engine::<Quota, _, _>(|database| async {
        let bench = Bench::new(database);
        bench.top_up(10).await;
        let id = bench.reserve(&[(Meter::Tokens, 9), (Meter::Money, 4)], NOW_US).await.unwrap();
        assert_eq!(bench.expire(NOW_US + 299 * SECOND_US).await.unwrap(), 0);
        assert_eq!(bench.expire(NOW_US + 300 * SECOND_US).await.unwrap(), 1);
        assert_eq!(bench.spent(Meter::Tokens, Window::Minute, NOW_US).await, (0, 0));
        assert_eq!(bench.store.wallet(ALICE).await.unwrap().unwrap().available_micros, 10);

        let late_us = NOW_US + 4000 * SECOND_US;
        bench.commit(&id, &[(Meter::Tokens, 8), (Meter::Money, 3)], late_us).await.unwrap();
        assert_eq!(bench.spent(Meter::Tokens, Window::Minute, NOW_US).await, (8, 0));
        assert_eq!(bench.spent(Meter::Tokens, Window::Minute, late_us).await, (0, 0));
        assert_eq!(bench.store.wallet(ALICE).await.unwrap().unwrap().available_micros, 7);
        assert_eq!(bench.reservation(&id).await.state, State::Expired);
        assert!(bench.release(&id, late_us).await.is_err());
        bench.check_books().await;
    })
    .await;
}

#[tokio::test]
async fn a_reserve_gives_back_what_is_overdue_before_it_counts() {
    each_engine::<Quota, _, _>(|database| async {
        let bench = Bench::new(database);
        bench.set_limit(Meter::Tokens, Window::Month, 10).await;
        bench.reserve(&tokens(10), NOW_US).await.unwrap();
        assert!(bench.reserve(&tokens(10), NOW_US + 299 * SECOND_US).await.is_err());
        assert!(bench.reserve(&tokens(10), NOW_US + 300 * SECOND_US).await.is_ok());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_spending_makes_each_alert_once() {
    each_engine::<Quota, _, _>(|database| async {
        let bench = Bench::new(database);
        bench.set_limit(Meter::Tokens, Window::Day, 100).await;
        let mut ids = Vec::new();
        for _ in 0..50 {
            ids.push(bench.reserve(&tokens(2), NOW_US).await.unwrap());
        }
        assert_eq!(bench.alerts().await, [], "what is merely reserved makes no alert");
        join_all(ids.into_iter().map(|id| {
            let bench = bench.clone();
            async move {
                let commit = async move { bench.commit(&id, &tokens(2), NOW_US).await };
                tokio::spawn(commit).await.unwrap().unwrap();
            }
        }))
        .await;
        let told = |alerts: Vec<Alert>| -> Vec<(AlertLevel, i64, i64)> {
            alerts.into_iter().map(|alert| (alert.level, alert.limit, alert.posted)).collect()
        };
        let mut first = told(bench.alerts().await);
        first.sort();
        assert_eq!(first, [(AlertLevel::Warning, 100, 80), (AlertLevel::Critical, 100, 90)]);

        // A raised limit has lines of its own, and so has the next day.
        bench.set_limit(Meter::Tokens, Window::Day, 200).await;
        let id = bench.reserve(&tokens(60), NOW_US).await.unwrap();
        bench.commit(&id, &tokens(65), NOW_US).await.unwrap();
        assert_eq!(told(bench.alerts().await)[0], (AlertLevel::Warning, 200, 165));
        let tomorrow_us = NOW_US + 86_400 * SECOND_US;
        let id = bench.reserve(&tokens(200), tomorrow_us).await.unwrap();
        bench.commit(&id, &tokens(200), tomorrow_us).await.unwrap();
        assert_eq!(bench.alerts().await.len(), 5);
    })
    .await;
}

#[tokio::test]
async fn a_commit_that_fails_leaves_no_alert_and_no_count() {
    each_engine::<Quota, _, _>(|database| async {
        let bench = Bench::new(database);
        bench.set_limit(Meter::Tokens, Window::Day, 10).await;
        let id = bench.reserve(&tokens(10), NOW_US).await.unwrap();
        let failed: Result<(), Error> = bench
            .store
            .once(write("Commit", NOW_US), About::SubjectOfReservation(id.clone()), move |tx, now_us| {
                Box::pin(async move {
                    let counters = counters::Counters {
                        subject: ALICE,
                        at_us: now_us,
                        defaults: &DefaultLimits::default(),
                    };
                    for count in counters.settle(tx, Meter::Tokens, (10, 10)).await? {
                        alerts::record(tx, ALICE, &count, now_us).await?;
                    }
                    Err(Error::ReservationNotFound { id })
                })
            })
            .await;
        assert!(failed.is_err());
        assert_eq!(bench.alerts().await, []);
        assert_eq!(bench.spent(Meter::Tokens, Window::Day, NOW_US).await, (0, 10));
    })
    .await;
}
