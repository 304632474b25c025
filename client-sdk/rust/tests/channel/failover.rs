//! Calls go where replicas are: balance, death, return, drain, and a set that changes.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use plexus_client::{Address, ConnectionState, ManualResolver};
use tonic::{Code, transport::Server};

use crate::replica::{Replica, builder, check, connected, serve, state_of, until};

#[tokio::test]
async fn calls_are_spread_over_all_replicas() {
    let replicas = [Replica::start().await, Replica::start().await, Replica::start().await];
    let channel = connected(&replicas.each_ref()).await;
    for _ in 0..300 {
        check(&channel, "").await.unwrap();
    }
    let counts = replicas.each_ref().map(|replica| replica.seen.count());
    assert_eq!(counts.iter().sum::<usize>(), 300);
    assert!(counts.iter().all(|&count| count > 0), "{counts:?}");
}

#[tokio::test]
async fn a_busy_replica_gets_fewer_calls_than_an_idle_one() {
    let replicas = [Replica::start().await, Replica::start().await];
    let channel = connected(&replicas.each_ref()).await;
    let hanging: Vec<_> = (0..40)
        .map(|_| {
            let channel = channel.clone();
            tokio::spawn(async move { check(&channel, "hang").await })
        })
        .collect();
    until(|| channel.status().iter().map(|at| at.in_flight).sum::<usize>() == 40).await;
    let counts = channel.status().iter().map(|at| at.in_flight).collect::<Vec<_>>();
    assert_eq!(counts, [20, 20], "calls that hang are shared evenly");
    for call in hanging {
        call.abort();
    }
    until(|| channel.status().iter().all(|at| at.in_flight == 0)).await;
}

#[tokio::test]
async fn a_killed_replica_gets_no_calls_and_gets_them_again_when_it_is_back() {
    let (mut dying, staying) = (Replica::start().await, Replica::start().await);
    let channel = connected(&[&dying, &staying]).await;
    dying.kill();
    until(|| state_of(&channel, &dying) != Some(ConnectionState::Ready)).await;

    let before = staying.seen.count();
    for _ in 0..100 {
        check(&channel, "").await.unwrap();
    }
    assert_eq!(staying.seen.count() - before, 100);

    let back = Replica::at(dying.address, Server::builder()).await;
    while back.seen.count() == 0 {
        check(&channel, "").await.unwrap();
    }
}

#[tokio::test]
async fn a_draining_replica_finishes_its_calls_and_loses_none() {
    let (leaving, staying) = (Replica::start().await, Replica::start().await);
    let channel = connected(&[&leaving, &staying]).await;

    // One call is in flight at each replica while one of them drains.
    let gated: Vec<_> = (0..2)
        .map(|_| {
            let channel = channel.clone();
            tokio::spawn(async move { check(&channel, "gate").await })
        })
        .collect();
    until(|| channel.status().iter().all(|at| at.in_flight == 1)).await;

    let stop = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (channel, stop) = (channel.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut calls = 0;
                while !stop.load(Ordering::Relaxed) {
                    check(&channel, "").await.unwrap();
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    until(|| leaving.seen.count() > 20 && staying.seen.count() > 20).await;
    leaving.drain();
    until(|| state_of(&channel, &leaving) != Some(ConnectionState::Ready)).await;
    let after_drain = staying.seen.count();
    until(|| staying.seen.count() > after_drain + 100).await;
    stop.store(true, Ordering::Relaxed);

    let mut answered = 0;
    for task in load {
        answered += task.await.unwrap();
    }
    leaving.seen.gate.add_permits(1);
    staying.seen.gate.add_permits(1);
    for call in gated {
        call.await.unwrap().unwrap();
    }
    assert_eq!(leaving.seen.count() + staying.seen.count(), answered + 2, "each call was made once");
}

#[tokio::test]
async fn calls_follow_the_resolver_when_the_set_is_replaced() {
    let (old, new) = (Replica::start().await, Replica::start().await);
    let resolver = ManualResolver::new([old.address.into()]);
    let channel = builder().resolver(resolver.clone()).build();
    check(&channel, "").await.unwrap();
    assert_eq!(old.seen.count(), 1);

    resolver.replace([new.address.into()]);
    until(|| state_of(&channel, &old).is_none() && state_of(&channel, &new) == Some(ConnectionState::Ready))
        .await;
    while new.seen.count() == 0 {
        check(&channel, "").await.unwrap();
    }
    let before = old.seen.count();
    for _ in 0..50 {
        check(&channel, "").await.unwrap();
    }
    assert_eq!(old.seen.count(), before);
}

#[tokio::test]
async fn an_empty_set_changes_nothing_and_a_channel_that_begins_with_one_says_so() {
    let replica = Replica::start().await;
    let resolver = ManualResolver::new([replica.address.into()]);
    let channel = builder().resolver(resolver.clone()).build();
    check(&channel, "").await.unwrap();
    resolver.replace([]);
    for _ in 0..20 {
        check(&channel, "").await.unwrap();
    }
    drop(resolver);
    check(&channel, "").await.unwrap();

    let empty =
        builder().endpoints(std::iter::empty::<Address>()).ready_wait(std::time::Duration::ZERO).build();
    let status = check(&empty, "").await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "health has no endpoints"));
}

#[tokio::test]
async fn a_call_waits_for_a_replica_that_starts_later() {
    let mut early = Replica::start().await;
    let address = early.address;
    early.kill();
    drop(early);
    let channel = builder().endpoints([address]).build();
    let call = tokio::spawn({
        let channel = channel.clone();
        async move { check(&channel, "").await }
    });
    until(|| channel.status().iter().any(|at| !at.last_error.is_empty())).await;
    let _late = Replica::at(address, Server::builder()).await;
    call.await.unwrap().unwrap();
    channel.ready().await;
}

#[tokio::test]
async fn the_last_clone_takes_the_connections_with_it() {
    let (address, runtime, closed) = serve("127.0.0.1:0".parse().unwrap(), |listener, closed| async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(socket).await.unwrap();
        while connection.accept().await.is_some() {}
        closed.cancel();
    })
    .await;
    let channel = builder().endpoints([address]).build();
    let clone = channel.clone();
    clone.ready().await;
    drop(channel);
    assert!(!closed.is_cancelled());
    drop(clone);
    closed.cancelled().await;
    runtime.shutdown_background();
}
