//! Where calls go: priorities, zones, subsets, slow start, and sessions that stay at one replica.

use std::{collections::BTreeMap, num::NonZeroUsize, time::Duration};

use http::HeaderName;
use plexus_client::{
    Channel, ChannelBuilder, ManualResolver, Member,
    pick::{HashKey, RingHash, RoundRobin},
    slow_start::SlowStart,
};
use tonic::{Request, transport::Server};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::replica::{Replica, builder, check, connect, ready, until};

async fn replicas<const COUNT: usize>() -> [Replica; COUNT] {
    let mut started = Vec::new();
    for _ in 0..COUNT {
        started.push(Replica::start().await);
    }
    started.try_into().unwrap_or_else(|_| unreachable!("as many as were asked for"))
}

async fn joined(builder: ChannelBuilder, members: Vec<Member>) -> Channel {
    let count = members.len();
    let channel = builder.endpoints(members).build();
    until(|| ready(&channel).len() == count).await;
    channel
}

/// How many of so many calls each replica got.
async fn shares<const COUNT: usize>(channel: &Channel, replicas: &[Replica; COUNT]) -> [usize; COUNT] {
    let before = replicas.each_ref().map(|replica| replica.seen.count());
    for _ in 0..60 {
        check(channel, "").await.unwrap();
    }
    let mut index = 0;
    replicas.each_ref().map(|replica| {
        index += 1;
        replica.seen.count() - before[index - 1]
    })
}

async fn dead(channel: &Channel, replica: &mut Replica) {
    let before = ready(channel).len();
    replica.kill();
    until(|| ready(channel).len() == before - 1).await;
}

async fn back(channel: &Channel, replica: &mut Replica) {
    let before = ready(channel).len();
    *replica = Replica::at(replica.address, Server::builder()).await;
    until(|| ready(channel).len() == before + 1).await;
}

#[tokio::test]
async fn spares_take_calls_when_the_better_priority_cannot_and_give_them_back() {
    let mut replicas = replicas::<3>().await;
    let members = replicas.each_ref().map(|replica| Member::new(replica.address));
    let [one, two, spare] = members;
    let instant = SlowStart { window: Duration::ZERO, ..SlowStart::default() };
    let builder = builder().slow_start(instant).unwrap().policy(RoundRobin::default());
    let channel = joined(builder, vec![one, two, spare.priority(1)]).await;
    assert_eq!(shares(&channel, &replicas).await, [30, 30, 0]);

    dead(&channel, &mut replicas[0]).await;
    assert_eq!(shares(&channel, &replicas).await, [0, 60, 0], "half of the level suffices");
    dead(&channel, &mut replicas[1]).await;
    assert_eq!(shares(&channel, &replicas).await, [0, 0, 60]);

    back(&channel, &mut replicas[1]).await;
    assert_eq!(shares(&channel, &replicas).await, [0, 60, 0]);
    back(&channel, &mut replicas[0]).await;
    assert_eq!(shares(&channel, &replicas).await, [30, 30, 0]);
}

#[tokio::test]
async fn calls_stay_in_their_zone_while_half_of_it_is_usable_and_return_to_it() {
    let mut replicas = replicas::<3>().await;
    let members = replicas.each_ref().map(|replica| Member::new(replica.address));
    let [one, two, far] = members;
    let instant = SlowStart { window: Duration::ZERO, ..SlowStart::default() };
    let builder = builder().zone("a").slow_start(instant).unwrap().policy(RoundRobin::default());
    let channel = joined(builder, vec![one.zone("a"), two.zone("a"), far.zone("b")]).await;
    assert_eq!(shares(&channel, &replicas).await, [30, 30, 0]);
    dead(&channel, &mut replicas[0]).await;
    assert_eq!(shares(&channel, &replicas).await, [0, 60, 0]);
    dead(&channel, &mut replicas[1]).await;
    assert_eq!(shares(&channel, &replicas).await, [0, 0, 60]);
    back(&channel, &mut replicas[0]).await;
    assert_eq!(shares(&channel, &replicas).await, [60, 0, 0]);
}

#[tokio::test]
async fn a_client_connects_to_its_own_part_of_a_fleet_and_to_the_same_one_again() {
    let replicas = replicas::<6>().await;
    let size = NonZeroUsize::new(2).unwrap();
    let mut chosen = BTreeMap::new();
    for client in ["one", "two", "three", "four", "five", "six", "one"] {
        let channel = builder()
            .subset(client, size)
            .endpoints(replicas.each_ref().map(|replica| replica.address))
            .build();
        until(|| ready(&channel).len() == 2).await;
        let addresses: Vec<_> = channel.status().into_iter().map(|at| at.address).collect();
        assert_eq!(addresses.len(), 2);
        let before = chosen.insert(client, addresses.clone());
        assert!(before.is_none_or(|before| before == addresses), "a client keeps its endpoints");
        assert_eq!(shares(&channel, &replicas).await.iter().filter(|&&share| share > 0).count(), 2);
    }
    let mut different: Vec<_> = chosen.into_values().collect();
    different.sort();
    different.dedup();
    assert!(different.len() > 1, "clients choose differently");
}

#[tokio::test]
async fn a_replica_that_has_just_joined_gets_a_small_share_at_first() {
    let replicas = replicas::<2>().await;
    let resolver = ManualResolver::new([replicas[0].address.into()]);
    let settings = SlowStart { window: Duration::from_secs(1_000), ..SlowStart::default() };
    let builder = builder().slow_start(settings).unwrap().policy(RoundRobin::seeded(1));
    let channel = builder.resolver(resolver.clone()).build();
    channel.ready().await;
    // The old one is as old as the window.
    tokio::time::pause();
    tokio::time::advance(settings.window).await;
    tokio::time::resume();
    until(|| ready(&channel).len() == 1).await;
    resolver.replace(replicas.each_ref().map(|replica| replica.address.into()));
    until(|| ready(&channel).len() == 2).await;
    let mut total = 0;
    for _ in 0..5 {
        total += shares(&channel, &replicas).await[1];
    }
    // A tenth of the weight is a tenth of what would be half of 300 calls.
    assert!((3..=40).contains(&total), "{total} of 300 calls");
}

/// The replica of each session, by the header or by the request's field.
async fn homes(channel: &Channel, replicas: &[Replica; 3], by_header: bool) -> BTreeMap<String, usize> {
    let mut homes = BTreeMap::new();
    for session in 0..30 {
        let session = format!("session-{session}");
        let mut visited = Vec::new();
        for _ in 0..3 {
            let before = replicas.each_ref().map(|replica| replica.seen.count());
            let service = if by_header { String::new() } else { session.clone() };
            let mut request = Request::new(HealthCheckRequest { service });
            request.metadata_mut().insert("session", session.parse().unwrap());
            HealthClient::new(channel.clone()).check(request).await.unwrap();
            visited.extend((0..3).filter(|&index| replicas[index].seen.count() > before[index]));
        }
        visited.dedup();
        assert_eq!(visited.len(), 1, "{session} went to {visited:?}");
        homes.insert(session, visited[0]);
    }
    homes
}

#[tokio::test]
async fn a_session_stays_at_one_replica_and_moves_only_when_that_dies() {
    for by_header in [true, false] {
        let mut replicas = replicas::<3>().await;
        let key = match by_header {
            true => HashKey::Header(HeaderName::from_static("session")),
            false => HashKey::Field(1),
        };
        let addresses = replicas.each_ref().map(|replica| replica.address);
        let channel = connect(builder().policy(RingHash::new(key)), &addresses).await;
        let homes_before = homes(&channel, &replicas, by_header).await;
        let gone = homes_before["session-0"];
        dead(&channel, &mut replicas[gone]).await;
        let homes_without = homes(&channel, &replicas, by_header).await;
        for (session, home) in &homes_before {
            assert_eq!(*home == gone, homes_without[session] != *home, "{session}");
        }
        back(&channel, &mut replicas[gone]).await;
        assert_eq!(homes(&channel, &replicas, by_header).await, homes_before);
    }
}

#[tokio::test]
async fn the_ring_of_a_service_config_goes_by_its_header() {
    let replicas = replicas::<3>().await;
    let json = r#"{"loadBalancingConfig": [{"ring_hash_experimental": {"requestHashHeader": "session"}}]}"#;
    let addresses = replicas.each_ref().map(|replica| replica.address);
    let channel = connect(builder().service_config(json).unwrap(), &addresses).await;
    let homes = homes(&channel, &replicas, true).await;
    let mut used: Vec<_> = homes.into_values().collect();
    used.sort_unstable();
    used.dedup();
    assert!(used.len() > 1, "sessions are spread");
}
