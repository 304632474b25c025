//! The shared tier in memory and on Redis: one suite, the same meaning.

use std::{future::Future, time::Duration};

use bytes::Bytes;
use plexus_runtime::stores::shared::{Shared, SharedError};
use plexus_testkit::RedisServer;

const LONG: Duration = Duration::from_secs(600);

/// Runs `suite` on both twins.
async fn each_twin<F, T>(suite: F)
where
    F: Fn(Shared) -> T,
    T: Future<Output = ()>,
{
    suite(Shared::memory()).await;
    let redis = RedisServer::start().await.unwrap();
    suite(Shared::redis(&redis.url()).unwrap()).await;
}

fn text(value: &str) -> Bytes {
    Bytes::copy_from_slice(value.as_bytes())
}

#[tokio::test]
async fn a_value_is_there_until_it_is_deleted() {
    each_twin(|shared| async move {
        assert_eq!(shared.get("k").await.unwrap(), None);
        shared.set("k", text("v"), LONG).await.unwrap();
        assert_eq!(shared.get("k").await.unwrap(), Some(text("v")));
        let keys = ["k".to_owned(), "none".to_owned(), "k".to_owned()];
        assert_eq!(shared.get_many(&keys).await.unwrap(), [Some(text("v")), None, Some(text("v"))]);
        assert!(shared.get_many(&[]).await.unwrap().is_empty());
        shared.delete("k").await.unwrap();
        assert_eq!(shared.get("k").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_value_is_gone_after_its_time() {
    each_twin(|shared| async move {
        shared.set("k", text("v"), Duration::from_millis(5)).await.unwrap();
        while shared.get("k").await.unwrap().is_some() {
            tokio::task::yield_now().await;
        }
        assert!(shared.set_if_absent("k", text("w"), LONG).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_lease_has_one_holder_and_only_the_holder_can_give_it_back() {
    each_twin(|shared| async move {
        assert!(shared.set_if_absent("lease", text("me"), LONG).await.unwrap());
        assert!(!shared.set_if_absent("lease", text("you"), LONG).await.unwrap());
        assert!(!shared.delete_if_equal("lease", text("you")).await.unwrap());
        assert!(shared.delete_if_equal("lease", text("me")).await.unwrap());
        assert!(shared.set_if_absent("lease", text("you"), LONG).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_counter_begins_at_zero_counts_every_addition_and_keeps_its_first_time_to_live() {
    each_twin(|shared| async move {
        let additions = (0..100).map(|_| shared.add("n", 3, LONG));
        for outcome in futures_util::future::join_all(additions).await {
            outcome.unwrap();
        }
        assert_eq!(shared.add("n", -1, LONG).await.unwrap(), 299);
        assert_eq!(shared.get("n").await.unwrap(), Some(text("299")));

        shared.add("short", 1, Duration::from_millis(5)).await.unwrap();
        // Later additions do not prolong it, so it must begin again one day.
        while shared.add("short", 1, Duration::from_millis(5)).await.unwrap() != 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn adding_to_what_is_no_number_is_refused() {
    each_twin(|shared| async move {
        shared.set("k", text("v"), LONG).await.unwrap();
        assert!(matches!(shared.add("k", 1, LONG).await, Err(SharedError::WrongKind)));
    })
    .await;
}

#[tokio::test]
async fn a_message_reaches_every_subscriber_of_its_channel_and_no_other() {
    each_twin(|shared| async move {
        let mut first = shared.subscribe("news").await.unwrap();
        let mut second = shared.subscribe("news").await.unwrap();
        let mut other = shared.subscribe("other").await.unwrap();
        shared.publish("news", text("hello")).await.unwrap();
        assert_eq!(first.recv().await, Some(text("hello")));
        assert_eq!(second.recv().await, Some(text("hello")));
        shared.publish("other", text("last")).await.unwrap();
        assert_eq!(other.recv().await, Some(text("last")));
    })
    .await;
}

#[tokio::test]
async fn redis_may_go_and_come_back() {
    let mut redis = RedisServer::start().await.unwrap();
    let shared = Shared::redis(&redis.url()).unwrap();
    let mut news = shared.subscribe("news").await.unwrap();
    shared.set("k", text("v"), LONG).await.unwrap();

    redis.stop().await;
    assert!(matches!(shared.get("k").await, Err(SharedError::Unavailable(_))));
    assert!(shared.check().await.is_err());

    redis.resume().await.unwrap();
    while shared.check().await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(shared.get("k").await.unwrap(), None);
    // The subscription takes itself up again; until it has, messages are lost, as they may be.
    let heard = async {
        loop {
            shared.publish("news", text("back")).await.unwrap();
            if let Ok(message) = news.try_recv() {
                return message;
            }
            tokio::task::yield_now().await;
        }
    };
    assert_eq!(heard.await, text("back"));
}
