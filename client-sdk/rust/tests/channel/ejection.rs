//! Outlier ejection: a replica whose calls fail is set aside and probed, and never are all of them.

use std::time::Duration;

use plexus_client::{Channel, ChannelBuilder, ejection::Settings};
use tonic::Code;

use crate::replica::{Answer, InOrder, Replica, builder, check, connect, spawn_check, until};

/// Looks ten times a second, and sets aside for as long.
fn quick() -> ChannelBuilder {
    let settings = Settings {
        interval: Duration::from_millis(100),
        base_ejection_time: Duration::from_millis(100),
        ..Settings::default()
    };
    builder().ejection(settings).unwrap().policy(InOrder)
}

fn ejected(channel: &Channel) -> Vec<bool> {
    channel.status().iter().map(|at| at.is_ejected).collect()
}

#[tokio::test]
async fn five_failures_in_a_row_set_a_replica_aside_and_a_probe_brings_it_back() {
    let (failing, healthy) = (Replica::start().await, Replica::start().await);
    let channel = connect(quick(), &[failing.address, healthy.address]).await;
    failing.seen.always(Answer::unavailable());
    for failures in 1..=5 {
        assert_eq!(ejected(&channel), [false, false], "after {} failures", failures - 1);
        check(&channel, "").await.unwrap_err();
    }
    assert_eq!(ejected(&channel), [true, false]);

    // The first probe fails, so it stays aside for longer; then it has recovered.
    while failing.seen.count() == 5 {
        check(&channel, "").await.ok();
    }
    until(|| ejected(&channel) == [true, false]).await;
    failing.seen.always(Answer::Serving);
    let probed = failing.seen.count();
    while failing.seen.count() < probed + 20 {
        check(&channel, "").await.unwrap();
    }
    assert_eq!(ejected(&channel), [false, false]);
}

#[tokio::test]
async fn a_replica_on_probation_gets_one_call_at_a_time() {
    let (failing, healthy) = (Replica::start().await, Replica::start().await);
    let channel = connect(quick(), &[failing.address, healthy.address]).await;
    failing.seen.always(Answer::unavailable());
    for _ in 0..5 {
        check(&channel, "").await.unwrap_err();
    }
    failing.seen.always(Answer::Hang);
    let mut calls = Vec::new();
    while failing.seen.count() == 5 {
        calls.push(spawn_check(&channel, ""));
        tokio::task::yield_now().await;
    }
    for _ in 0..50 {
        check(&channel, "").await.unwrap();
    }
    assert_eq!(failing.seen.count(), 6, "one probe hangs, all other calls go elsewhere");
    calls.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn success_in_between_keeps_a_replica_in() {
    let (flaky, healthy) = (Replica::start().await, Replica::start().await);
    let channel = connect(quick(), &[flaky.address, healthy.address]).await;
    for _ in 0..5 {
        flaky.seen.then([Answer::unavailable(), Answer::unavailable(), Answer::unavailable()]);
        flaky.seen.then([Answer::unavailable(), Answer::Serving]);
    }
    for _ in 0..25 {
        check(&channel, "").await.ok();
    }
    assert_eq!(ejected(&channel), [false, false]);
    assert_eq!((flaky.seen.count(), healthy.seen.count()), (25, 0));
}

#[tokio::test]
async fn not_all_are_set_aside_though_all_fail_and_all_take_calls_again_at_once() {
    let replicas = [Replica::start().await, Replica::start().await, Replica::start().await];
    let settings = Settings { max_ejection_percent: 100, ..Settings::default() };
    let builder = builder().ejection(settings).unwrap();
    let channel = connect(builder, &replicas.each_ref().map(|replica| replica.address)).await;
    replicas.iter().for_each(|replica| replica.seen.always(Answer::unavailable()));
    for _ in 0..200 {
        assert_eq!(check(&channel, "").await.unwrap_err().code(), Code::Unavailable);
    }
    assert_eq!(ejected(&channel).iter().filter(|&&is_ejected| is_ejected).count(), 2);
    replicas.iter().for_each(|replica| replica.seen.always(Answer::Serving));
    for _ in 0..50 {
        check(&channel, "").await.unwrap();
    }
}

#[tokio::test]
async fn when_too_many_are_set_aside_ejection_is_disregarded() {
    let replicas = [
        Replica::start().await,
        Replica::start().await,
        Replica::start().await,
        Replica::start().await,
        Replica::start().await,
    ];
    let settings = Settings { max_ejection_percent: 100, ..Settings::default() };
    let builder = builder().ejection(settings).unwrap().policy(InOrder);
    let channel = connect(builder, &replicas.each_ref().map(|replica| replica.address)).await;
    for replica in &replicas[..4] {
        replica.seen.always(Answer::unavailable());
    }
    // In order: each is called until it is set aside. With four of five aside, none counts as aside.
    for _ in 0..20 {
        check(&channel, "").await.unwrap_err();
    }
    assert_eq!(ejected(&channel), [true, true, true, true, false]);
    let before = replicas[0].seen.count();
    check(&channel, "").await.unwrap_err();
    assert_eq!(replicas[0].seen.count(), before + 1);
    assert_eq!(replicas[4].seen.count(), 0);
}

#[tokio::test]
async fn answers_about_the_request_set_nobody_aside() {
    let (refusing, other) = (Replica::start().await, Replica::start().await);
    let channel = connect(quick(), &[refusing.address, other.address]).await;
    for code in [Code::NotFound, Code::ResourceExhausted, Code::PermissionDenied] {
        refusing.seen.always(Answer::Fail(tonic::Status::new(code, "no")));
        for _ in 0..10 {
            assert_eq!(check(&channel, "").await.unwrap_err().code(), code);
        }
    }
    assert_eq!(ejected(&channel), [false, false]);
    assert_eq!(other.seen.count(), 0);
}
