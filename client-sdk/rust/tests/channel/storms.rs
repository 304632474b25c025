//! Very many calls at once, callers that go away at any moment, and a resolver that cannot make up its mind.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use plexus_client::{Channel, ManualResolver};
use tokio::task::JoinSet;
use tonic::Code;

use crate::replica::{Answer, Replica, builder, check, connect, idempotent, in_flight, until};

async fn three() -> [Replica; 3] {
    [Replica::start().await, Replica::start().await, Replica::start().await]
}

async fn connected(builder: plexus_client::ChannelBuilder, replicas: &[Replica; 3]) -> Channel {
    connect(builder, &replicas.each_ref().map(|replica| replica.address)).await
}

/// The codes of ten thousand calls that begin together.
async fn ten_thousand(channel: &Channel) -> Vec<Code> {
    let mut calls = JoinSet::new();
    for _ in 0..10_000 {
        let channel = channel.clone();
        calls.spawn(
            async move { check(&channel, "").await.map_or_else(|status| status.code(), |_| Code::Ok) },
        );
    }
    calls.join_all().await
}

#[tokio::test]
async fn ten_thousand_calls_at_once_are_answered_where_there_is_room_and_refused_where_there_is_none() {
    let replicas = three().await;
    let channel = connected(builder().endpoint_in_flight_max(10_000), &replicas).await;
    assert!(ten_thousand(&channel).await.iter().all(|code| *code == Code::Ok));
    assert_eq!(in_flight(&channel), 0);

    let channel = connected(builder().endpoint_in_flight_max(100), &replicas).await;
    let codes = ten_thousand(&channel).await;
    let answered = codes.iter().filter(|code| **code == Code::Ok).count();
    assert!(answered >= 300, "{answered}");
    assert!(codes.iter().all(|code| matches!(code, Code::Ok | Code::ResourceExhausted)));
    assert_eq!(in_flight(&channel), 0);
}

/// Calls that are dropped after they were polled from 0 to 19 times, whatever they had come to.
async fn cancel_storm(channel: &Channel, replicas: &[Replica; 3]) {
    let answers = [
        Answer::Serving,
        Answer::Hang,
        Answer::After(Duration::from_millis(1)),
        Answer::unavailable(),
        Answer::pushback("1"),
    ];
    let mut calls = JoinSet::new();
    for number in 0..2_000 {
        replicas[number % 3].seen.then([answers[number % answers.len()].clone()]);
        let channel = channel.clone();
        calls.spawn(async move {
            let mut call = Box::pin(check(&channel, ""));
            let mut polls = number % 20;
            poll_fn(|context| {
                if polls == 0 || call.as_mut().poll(context).is_ready() {
                    return Poll::Ready(());
                }
                polls -= 1;
                context.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
        });
    }
    calls.join_all().await;
    for replica in replicas {
        replica.seen.script.lock().unwrap().clear();
        replica.seen.calls.lock().unwrap().clear();
    }
}

#[tokio::test]
async fn calls_that_are_dropped_at_any_moment_leave_nothing_behind() {
    let json = r#"{"methodConfig": [{"name": [{}], "hedgingPolicy": {"maxAttempts": 3, "hedgingDelay": "0.001s",
        "nonFatalStatusCodes": ["UNAVAILABLE"]}}]}"#;
    for builder in [builder(), idempotent().service_config(json).unwrap()] {
        let replicas = three().await;
        let channel = connected(builder.no_ejection(), &replicas).await;
        check(&channel, "").await.unwrap();
        let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
        let before = tasks();
        for _ in 0..2 {
            cancel_storm(&channel, &replicas).await;
            until(|| in_flight(&channel) == 0).await;
        }
        until(|| tasks() <= before).await;
        for _ in 0..20 {
            check(&channel, "").await.unwrap();
        }
        drop(channel);
        until(|| tasks() < before).await;
    }
}

/// What the process holds in memory, in kilobytes; absent where the system does not say.
fn resident_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Set for the process that measures itself.
const ALONE: &str = "PLEXUS_TEST_ALONE";

/// Not a test by itself: other tests in the same process would be measured, too.
#[tokio::test]
#[ignore = "the next test runs it in a process of its own"]
async fn memory_of_a_process() {
    if std::env::var_os(ALONE).is_none() {
        return;
    }
    let replicas = three().await;
    let channel = connected(idempotent().no_ejection(), &replicas).await;
    let mut seen = Vec::new();
    for _ in 0..12 {
        cancel_storm(&channel, &replicas).await;
        until(|| in_flight(&channel) == 0).await;
        seen.extend(resident_kb());
    }
    let (early, late) = (seen.iter().take(4).max(), seen.iter().skip(8).min());
    if let (Some(early), Some(late)) = (early, late) {
        // 10,000 calls lie between them; 1 kB of each left behind would be 10 MB.
        assert!(*late < early + 5_000, "{seen:?}");
    }
}

#[tokio::test]
async fn dropped_calls_do_not_fill_the_memory() {
    let status = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "storms::memory_of_a_process"])
        .env(ALONE, "1")
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stdout));
}

#[tokio::test]
async fn a_resolver_that_changes_its_mind_every_millisecond_fails_no_call() {
    let replicas = three().await;
    let member = |index: usize| replicas[index % 3].address.into();
    let resolver = ManualResolver::new([member(0), member(1)]);
    let channel = builder().resolver(resolver.clone()).build();
    channel.ready().await;
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let stop = Arc::new(AtomicBool::new(false));
    let mut load = JoinSet::new();
    for _ in 0..8 {
        let (channel, stop) = (channel.clone(), Arc::clone(&stop));
        load.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                check(&channel, "").await.unwrap();
            }
        });
    }
    for round in 0..1_000 {
        match round % 4 {
            0 => resolver.fail("it cannot make up its mind"),
            1 => resolver.replace([]),
            _ => resolver.replace([member(round), member(round + 1)]),
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    stop.store(true, Ordering::Relaxed);
    load.join_all().await;
    assert_eq!(in_flight(&channel), 0);
    assert_eq!(channel.status().len(), 2);
    // Two supervisors and their connections, as at the start; those that left are gone.
    until(|| tasks() <= before + 1).await;
}
