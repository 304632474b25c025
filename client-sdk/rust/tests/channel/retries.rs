//! Retries by the service config: how often, when, and what bounds them.

use std::time::Duration;

use plexus_client::{ChannelBuilder, retry::BudgetPolicy};
use tokio::time::Instant;
use tonic::Code;

use crate::replica::{Answer, InOrder, Replica, check, connect, idempotent};

/// At most so many attempts, with these waits in seconds.
fn policy(max_attempts: u32, initial: &str, max: &str, throttling: &str) -> ChannelBuilder {
    let json = format!(
        r#"{{{throttling} "methodConfig": [{{"name": [{{}}], "retryPolicy": {{"maxAttempts": {max_attempts},
        "initialBackoff": "{initial}s", "maxBackoff": "{max}s", "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"]}}}}]}}"#
    );
    idempotent().service_config(&json).unwrap().no_ejection()
}

const FIRST_WAIT: Duration = Duration::from_millis(40);

#[tokio::test]
async fn a_failed_call_is_made_again_after_growing_waits_and_tells_the_server_how_often() {
    let replica = Replica::start().await;
    let channel = connect(policy(3, "0.04", "10", ""), &[replica.address]).await;
    replica.seen.then([Answer::unavailable(), Answer::unavailable()]);
    let begun = Instant::now();
    check(&channel, "").await.unwrap();
    // Waits of 1 and 2, less the jitter of a fifth.
    assert!(begun.elapsed() >= FIRST_WAIT * 3 * 4 / 5, "{:?}", begun.elapsed());
    assert_eq!(replica.seen.count(), 3);
    assert_eq!(replica.seen.header("grpc-previous-rpc-attempts"), ["1", "2"]);
}

#[tokio::test]
async fn the_attempts_are_bounded() {
    let replica = Replica::start().await;
    let channel = connect(policy(3, "0.001", "0.001", ""), &[replica.address]).await;
    replica.seen.always(Answer::unavailable());
    let status = check(&channel, "").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(replica.seen.count(), 3);
}

#[tokio::test]
async fn a_code_that_the_policy_does_not_name_is_not_tried_again() {
    let replica = Replica::start().await;
    let channel = connect(policy(3, "0.001", "0.001", ""), &[replica.address]).await;
    replica.seen.then([Answer::Fail(tonic::Status::aborted("no"))]);
    assert_eq!(check(&channel, "").await.unwrap_err().code(), Code::Aborted);
    assert_eq!(replica.seen.count(), 1);
}

#[tokio::test]
async fn a_retry_goes_to_another_replica() {
    let (failing, healthy) = (Replica::start().await, Replica::start().await);
    let builder = policy(2, "0.001", "0.001", "").policy(InOrder);
    let channel = connect(builder, &[failing.address, healthy.address]).await;
    failing.seen.always(Answer::unavailable());
    check(&channel, "").await.unwrap();
    assert_eq!((failing.seen.count(), healthy.seen.count()), (1, 1));
}

#[tokio::test]
async fn the_wait_that_a_server_names_takes_the_place_of_the_policys() {
    let replica = Replica::start().await;
    // By the policy, the retry would come long after the default deadline.
    let channel = connect(policy(2, "1000", "1000", ""), &[replica.address]).await;
    replica.seen.then([Answer::pushback("60")]);
    let begun = Instant::now();
    check(&channel, "").await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(60), "{:?}", begun.elapsed());
    assert_eq!(replica.seen.count(), 2);
}

#[tokio::test]
async fn a_server_that_says_no_gets_no_retry() {
    let replica = Replica::start().await;
    let channel = connect(policy(3, "0.001", "0.001", ""), &[replica.address]).await;
    replica.seen.then([Answer::pushback("-1")]);
    assert_eq!(check(&channel, "").await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(replica.seen.count(), 1);
}

#[tokio::test]
async fn the_throttle_stops_retries_when_half_the_tokens_are_gone_and_successes_fill_it_again() {
    let replica = Replica::start().await;
    let throttling = r#""retryThrottling": {"maxTokens": 10, "tokenRatio": 1},"#;
    let channel = connect(policy(2, "0.001", "0.001", throttling), &[replica.address]).await;
    replica.seen.always(Answer::unavailable());
    // Each attempt takes one of ten tokens: the fifth leaves half of them, and nothing is retried then.
    for (calls, attempts) in [(1, 2), (2, 4), (3, 5), (4, 6)] {
        check(&channel, "").await.unwrap_err();
        assert_eq!(replica.seen.count(), attempts, "after {calls} calls");
    }
    replica.seen.always(Answer::Serving);
    for _ in 0..4 {
        check(&channel, "").await.unwrap();
    }
    let before = replica.seen.count();
    replica.seen.then([Answer::unavailable()]);
    check(&channel, "").await.unwrap();
    assert_eq!(replica.seen.count() - before, 2);
}

#[tokio::test]
async fn with_every_replica_failing_attempts_are_at_most_a_fifth_more_than_calls() {
    const CALLS: usize = 200;
    let replicas = [Replica::start().await, Replica::start().await, Replica::start().await];
    let budget = BudgetPolicy { min_per_second: 0, ..BudgetPolicy::default() };
    for builder in [policy(5, "0.001", "0.001", ""), idempotent().no_ejection()] {
        let before = replicas.each_ref().map(|replica| replica.seen.count()).iter().sum::<usize>();
        let addresses = replicas.each_ref().map(|replica| replica.address);
        let channel = connect(builder.retry_budget(budget), &addresses).await;
        replicas.iter().for_each(|replica| replica.seen.always(Answer::unavailable()));
        for _ in 0..CALLS {
            assert_eq!(check(&channel, "").await.unwrap_err().code(), Code::Unavailable);
        }
        let attempts = replicas.each_ref().map(|replica| replica.seen.count()).iter().sum::<usize>() - before;
        assert!(attempts > CALLS && attempts <= CALLS * 6 / 5, "{attempts} attempts");
    }
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_by_itself_is_followed_by_another() {
    let json = r#"{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 2, "initialBackoff": "0.001s",
        "maxBackoff": "0.001s", "backoffMultiplier": 1, "perAttemptRecvTimeout": "0.05s"}}]}"#;
    let (hanging, healthy) = (Replica::start().await, Replica::start().await);
    let builder = idempotent().service_config(json).unwrap().policy(InOrder);
    let channel = connect(builder, &[hanging.address, healthy.address]).await;
    hanging.seen.always(Answer::Hang);
    check(&channel, "").await.unwrap();
    hanging.seen.cancelled.acquire().await.unwrap().forget();
    assert_eq!((hanging.seen.count(), healthy.seen.count()), (1, 1));
}
