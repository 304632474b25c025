//! Hedging: a second attempt beside the first, the first answer wins, and who gets none.

use std::time::Duration;

use plexus_client::{Channel, ChannelBuilder, Hedging, deadline, retry::BudgetPolicy};
use tokio::time::Instant;
use tonic::{Code, Status};

use crate::replica::{Answer, InOrder, Replica, builder, check, connect, idempotent, in_flight, until};

const DELAY: Duration = Duration::from_millis(30);

fn configured(builder: ChannelBuilder) -> ChannelBuilder {
    let json = r#"{"methodConfig": [{"name": [{}], "hedgingPolicy": {"maxAttempts": 3, "hedgingDelay": "0.03s",
        "nonFatalStatusCodes": ["UNAVAILABLE"]}}]}"#;
    builder.service_config(json).unwrap().policy(InOrder)
}

/// Two replicas, of which the first does not answer any more.
async fn hanging(builder: ChannelBuilder, warm_up: usize) -> (Channel, Replica, Replica) {
    let (first, second) = (Replica::start().await, Replica::start().await);
    let channel = connect(builder, &[first.address, second.address]).await;
    for _ in 0..warm_up {
        check(&channel, "").await.unwrap();
    }
    first.seen.always(Answer::Hang);
    (channel, first, second)
}

#[tokio::test]
async fn a_second_attempt_goes_out_after_the_delay_and_the_loser_is_cancelled_at_its_server() {
    let (channel, first, second) = hanging(configured(idempotent()), 0).await;
    let begun = Instant::now();
    check(&channel, "").await.unwrap();
    assert!(begun.elapsed() >= DELAY, "{:?}", begun.elapsed());
    first.seen.cancelled.acquire().await.unwrap().forget();
    assert_eq!((first.seen.count(), second.seen.count()), (1, 1));
    assert_eq!(second.seen.header("grpc-previous-rpc-attempts"), ["1"]);
    until(|| in_flight(&channel) == 0).await;
}

#[tokio::test]
async fn the_first_answer_wins_though_its_attempt_was_the_last() {
    let (channel, first, second) = hanging(configured(idempotent()), 0).await;
    let third = Replica::start().await;
    drop(channel);
    let addresses = [first.address, second.address, third.address];
    let channel = connect(configured(idempotent()), &addresses).await;
    second.seen.always(Answer::Hang);
    check(&channel, "").await.unwrap();
    assert_eq!((first.seen.count(), second.seen.count(), third.seen.count()), (1, 1, 1));
    first.seen.cancelled.acquire().await.unwrap().forget();
    second.seen.cancelled.acquire().await.unwrap().forget();
}

#[tokio::test]
async fn a_fatal_code_ends_the_call_and_a_code_that_is_not_brings_the_next_attempt_at_once() {
    let (channel, first, second) = hanging(configured(idempotent()), 0).await;
    second.seen.then([Answer::Fail(Status::invalid_argument("no"))]);
    assert_eq!(check(&channel, "").await.unwrap_err().code(), Code::InvalidArgument);
    first.seen.cancelled.acquire().await.unwrap().forget();

    first.seen.always(Answer::unavailable());
    check(&channel, "").await.unwrap();
    assert_eq!(second.seen.count(), 2);
}

#[tokio::test]
async fn a_replica_that_stops_answering_costs_an_idempotent_call_a_moment_and_not_its_deadline() {
    let (channel, first, second) = hanging(idempotent().policy(InOrder), 40).await;
    check(&channel, "").await.unwrap();
    assert_eq!(second.seen.count(), 1);
    first.seen.cancelled.acquire().await.unwrap().forget();
}

#[tokio::test]
async fn a_hedge_that_nobody_configured_and_that_meets_a_full_replica_does_not_end_the_call() {
    let (channel, first, second) = hanging(idempotent().policy(InOrder), 40).await;
    first.seen.always(Answer::After(DELAY * 10));
    second.seen.always(Answer::Fail(Status::resource_exhausted("full")));
    check(&channel, "").await.unwrap();
    assert_eq!(first.seen.count(), 41);
    assert!(second.seen.count() > 0);
}

#[tokio::test]
async fn nothing_is_hedged_that_must_not_run_twice_or_may_not_be_sent_again() {
    let none = BudgetPolicy { percent: 0, min_per_second: 0, ..BudgetPolicy::default() };
    let builders = [
        builder().policy(InOrder),
        configured(builder()),
        idempotent().policy(InOrder).hedging(Hedging::Off),
        idempotent().policy(InOrder).retry_budget(none),
        configured(idempotent()).retry_budget(none),
    ];
    for builder in builders {
        let (channel, first, second) = hanging(builder, 40).await;
        let call = check(&channel, "");
        let status = deadline::scope(Some(Instant::now() + DELAY * 8), call).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert_eq!((first.seen.count(), second.seen.count()), (41, 0));
    }
}
