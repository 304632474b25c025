//! Bounds on calls at once: full means `RESOURCE_EXHAUSTED` at once, and a limit that adapts.

use plexus_client::{Channel, concurrency::AdaptiveConcurrency};
use tonic::{Code, Status};

use crate::replica::{Answer, Replica, builder, check, connect, in_flight, spawn_check, until};

#[tokio::test]
async fn when_every_endpoint_is_full_a_call_is_refused_at_once_and_a_free_place_is_used() {
    let replicas = [Replica::start().await, Replica::start().await];
    let addresses = replicas.each_ref().map(|replica| replica.address);
    let channel = connect(builder().endpoint_in_flight_max(2), &addresses).await;
    let calls: Vec<_> = (0..4).map(|_| spawn_check(&channel, "hang")).collect();
    until(|| channel.status().iter().all(|at| at.in_flight == 2)).await;
    // It would wait for 5 s for an endpoint to become ready.
    let status = check(&channel, "").await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("every endpoint of health"), "{status:?}");

    calls[0].abort();
    until(|| in_flight(&channel) == 3).await;
    check(&channel, "").await.unwrap();
    calls.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_full_channel_refuses_at_once_and_says_how_many_calls_it_has() {
    let replica = Replica::start().await;
    let channel = connect(builder().in_flight_max(3), &[replica.address]).await;
    let calls: Vec<_> = (0..3).map(|_| spawn_check(&channel, "gate")).collect();
    replica.seen.entered.acquire_many(3).await.unwrap().forget();
    let status = check(&channel, "").await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("3 calls in flight"), "{status:?}");
    replica.seen.gate.add_permits(3);
    for call in calls {
        call.await.unwrap().unwrap();
    }
    check(&channel, "").await.unwrap();
}

/// How many calls at once get through.
async fn capacity(channel: &Channel) -> usize {
    const TRIED: usize = 40;
    let calls: Vec<_> = (0..TRIED).map(|_| spawn_check(channel, "hang")).collect();
    until(|| calls.iter().filter(|call| call.is_finished()).count() + in_flight(channel) == TRIED).await;
    let admitted = in_flight(channel);
    calls.iter().for_each(tokio::task::JoinHandle::abort);
    until(|| in_flight(channel) == 0).await;
    admitted
}

#[tokio::test]
async fn the_limit_of_an_endpoint_rises_while_it_answers_and_falls_when_it_is_overloaded() {
    let replica = Replica::start().await;
    let settings = AdaptiveConcurrency { initial: 8, min: 2, backoff_ratio: 0.5 };
    let builder = builder().adaptive_concurrency(settings).endpoint_in_flight_max(20).no_ejection();
    let channel = connect(builder, &[replica.address]).await;
    assert_eq!(capacity(&channel).await, 8);

    for lowered in [4, 2, 2] {
        replica.seen.then([Answer::Fail(Status::resource_exhausted("too much"))]);
        assert_eq!(check(&channel, "").await.unwrap_err().code(), Code::ResourceExhausted);
        assert_eq!(capacity(&channel).await, lowered);
    }

    // A round of as many calls as the limit allows, all in flight until the first is answered.
    for limit in 2..20 {
        while capacity(&channel).await == limit {
            let calls: Vec<_> = (0..limit).map(|_| spawn_check(&channel, "gate")).collect();
            until(|| in_flight(&channel) == limit).await;
            replica.seen.gate.add_permits(limit);
            for call in calls {
                call.await.unwrap().unwrap();
            }
        }
        assert_eq!(capacity(&channel).await, limit + 1);
    }
    for _ in 0..50 {
        let calls: Vec<_> = (0..20).map(|_| spawn_check(&channel, "")).collect();
        for call in calls {
            call.await.unwrap().unwrap();
        }
    }
    assert_eq!(capacity(&channel).await, 20, "the bound holds");
}
