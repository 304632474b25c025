//! Following a name: the pace in virtual time, and real answers of a name server on loopback.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use hickory_resolver::proto::{
    op::{Message, ResponseCode},
    rr::{Name, RData, Record, rdata::SRV},
};
use tokio::net::UdpSocket;

use super::*;

fn member(address: &str) -> Member {
    address.parse::<SocketAddr>().unwrap().into()
}

fn found(address: &str, seconds: u64) -> Result<Found, LookupError> {
    Ok(Found { members: vec![member(address)], time_to_live: Duration::from_secs(seconds) })
}

/// A resolver that gets these answers in turn, the last never, and the seconds at which it asked.
fn scripted(
    answers: impl IntoIterator<Item = Result<Found, LookupError>>,
) -> (DnsResolver, Arc<Mutex<Vec<u64>>>) {
    let answers = Mutex::new(answers.into_iter().collect::<VecDeque<_>>());
    let (asked, began) = (Arc::<Mutex<Vec<u64>>>::default(), Instant::now());
    let times = Arc::clone(&asked);
    let resolver = DnsResolver::start("test", DnsOptions::default(), move || {
        times.lock().unwrap_or_else(PoisonError::into_inner).push(began.elapsed().as_secs());
        match answers.lock().unwrap().pop_front() {
            Some(answer) => std::future::ready(answer).boxed(),
            None => std::future::pending().boxed(),
        }
    });
    (resolver, asked)
}

#[tokio::test(start_paused = true)]
async fn a_name_is_asked_again_when_its_time_to_live_ends_within_the_limits() {
    let times_to_live = [60, 0, 86_400, 30];
    let (_resolver, asked) = scripted(times_to_live.map(|seconds| found("10.0.0.1:1", seconds)));
    tokio::time::sleep(Duration::from_secs(425)).await;
    assert_eq!(*asked.lock().unwrap(), [0, 60, 90, 390, 420]);
}

#[tokio::test(start_paused = true)]
async fn hints_bring_one_lookup_not_sooner_than_the_limit() {
    let (resolver, asked) = scripted((0..3).map(|_| found("10.0.0.1:1", 300)));
    tokio::time::sleep(Duration::from_secs(5)).await;
    resolver.refresh();
    tokio::time::sleep(Duration::from_secs(5)).await;
    resolver.refresh();
    tokio::time::sleep(Duration::from_secs(90)).await;
    assert_eq!(*asked.lock().unwrap(), [0, 30]);
    resolver.refresh();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(*asked.lock().unwrap(), [0, 30, 100]);
}

#[tokio::test(start_paused = true)]
async fn failures_back_off_keep_the_last_good_set_and_name_the_reason() {
    let failure = || Err(LookupError::NotOffered("quota".to_owned()));
    let answers = [found("10.0.0.1:1", 30), failure(), failure(), found("10.0.0.2:1", 30)];
    let (resolver, asked) = scripted(answers);
    let mut watched = resolver.watch();
    watched.wait_for(|at| at.error.is_some()).await.unwrap();
    // Hints do not shorten the wait after a failure.
    resolver.refresh();
    assert_eq!(watched.borrow().members[..], [member("10.0.0.1:1")]);
    assert_eq!(watched.borrow().error.as_deref(), Some("quota is not offered: its SRV record says so"));
    watched.wait_for(|at| at.error.is_none()).await.unwrap();
    assert_eq!(watched.borrow().members[..], [member("10.0.0.2:1")]);
    let waits: Vec<u64> = asked.lock().unwrap().windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(waits[0], 30);
    assert!(waits[1] <= 2 && (1..=3).contains(&waits[2]), "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn a_name_server_that_is_silent_is_given_up_in_time() {
    let (resolver, asked) = scripted([]);
    let mut watched = resolver.watch();
    watched.changed().await.unwrap();
    assert_eq!(watched.borrow().error.as_deref(), Some("no answer within 10s"));
    assert_eq!(*asked.lock().unwrap(), [0]);
}

#[test]
fn a_target_is_read_as_grpc_writes_it() {
    for (text, expected) in [
        ("quota.mesh:50052", "dns:///quota.mesh:50052"),
        ("dns:quota.mesh:50052", "dns:///quota.mesh:50052"),
        ("dns:///[::1]:50052", "dns:///[::1]:50052"),
        ("dns://10.0.0.2/quota:1", "dns://10.0.0.2:53/quota:1"),
        ("dns://10.0.0.2:5353/_grpc._tcp.quota.mesh", "dns://10.0.0.2:5353/_grpc._tcp.quota.mesh"),
    ] {
        let target: DnsTarget = text.parse().unwrap();
        assert_eq!(target.to_string(), expected);
    }
    for text in [
        "",
        "quota",
        "quota:0",
        "quota:http",
        ":1",
        "dns://quota:1",
        "dns://ns/quota:1",
        "_grpc.quota",
        "a b:1",
    ] {
        let error = text.parse::<DnsTarget>().unwrap_err().to_string();
        assert!(error.contains("is not a DNS target"), "{error}");
    }
}

/// Answers each question with the records of this zone, over UDP on loopback.
async fn name_server(zone: Vec<Record>) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        loop {
            let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
            let request = Message::from_vec(&buffer[..length]).unwrap();
            let question = request.queries[0].clone();
            let of_name = |record: &&Record| record.name == *question.name();
            let exists = zone.iter().any(|record| of_name(&record));
            let code = if exists { ResponseCode::NoError } else { ResponseCode::NXDomain };
            let mut response = Message::response(request.metadata.id, request.metadata.op_code);
            response.metadata.response_code = code;
            response.add_answers(
                zone.iter().filter(of_name).filter(|at| at.record_type() == question.query_type()).cloned(),
            );
            response.add_query(question);
            socket.send_to(&response.to_vec().unwrap(), client).await.unwrap();
        }
    });
    address
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn address_record(host: &str, ip: &str) -> Record {
    Record::from_rdata(name(host), 60, RData::from(ip.parse::<IpAddr>().unwrap()))
}

fn service_record(priority: u16, weight: u16, target: &str) -> Record {
    let data = SRV::new(priority, weight, 50052, name(target));
    Record::from_rdata(name("_grpc._tcp.quota.mesh."), 90, RData::SRV(data))
}

async fn resolved(zone: Vec<Record>, question: &str) -> Result<Found, LookupError> {
    let server = name_server(zone).await;
    let target = format!("dns://{server}/{question}").parse().unwrap();
    let mut found = lookup::lookup(target).await?;
    found.members.sort();
    Ok(found)
}

#[tokio::test]
async fn each_address_of_a_name_is_a_member_and_ipv6_only_stands_in() {
    let zone = vec![
        address_record("quota.mesh.", "10.0.0.7"),
        address_record("quota.mesh.", "10.0.0.8"),
        address_record("quota.mesh.", "fd00::7"),
    ];
    let found = resolved(zone.clone(), "quota.mesh.:50052").await.unwrap();
    assert_eq!(found.members, [member("10.0.0.7:50052"), member("10.0.0.8:50052")]);
    assert_eq!(found.time_to_live, Duration::from_secs(60));
    let found = resolved(zone[2..].to_vec(), "quota.mesh.:50052").await.unwrap();
    assert_eq!(found.members, [member("[fd00::7]:50052")]);
}

#[tokio::test]
async fn service_records_carry_port_priority_and_weight_and_a_target_without_address_is_left_out() {
    let zone = vec![
        service_record(0, 5, "a.mesh."),
        service_record(1, 0, "b.mesh."),
        service_record(0, 1, "gone.mesh."),
        address_record("a.mesh.", "10.0.0.7"),
        address_record("b.mesh.", "10.0.0.8"),
    ];
    let found = resolved(zone, "_grpc._tcp.quota.mesh.").await.unwrap();
    assert_eq!(found.members, [member("10.0.0.7:50052").weight(5), member("10.0.0.8:50052").priority(1)]);
    assert_eq!(found.time_to_live, Duration::from_secs(60));
}

#[tokio::test]
async fn a_missing_name_and_a_service_that_is_not_offered_are_errors() {
    let error = resolved(Vec::new(), "quota.mesh.:50052").await.unwrap_err();
    assert!(error.to_string().contains("quota.mesh."), "{error}");
    let zone = vec![service_record(0, 0, ".")];
    let error = resolved(zone, "_grpc._tcp.quota.mesh.").await.unwrap_err();
    assert!(matches!(error, LookupError::NotOffered(_)), "{error}");
}

#[tokio::test]
async fn a_resolver_publishes_what_the_name_server_answers() {
    let server = name_server(vec![address_record("quota.mesh.", "10.0.0.7")]).await;
    let resolver = DnsResolver::new(format!("dns://{server}/quota.mesh.:50052").parse().unwrap());
    let mut watched = resolver.watch();
    watched.changed().await.unwrap();
    assert_eq!(*watched.borrow(), Resolution::new([member("10.0.0.7:50052")]));
}

#[tokio::test]
async fn an_address_needs_no_name_server() {
    for (text, expected) in [("dns:///10.0.0.7:1", "10.0.0.7:1"), ("dns:///[::1]:2", "[::1]:2")] {
        let found = lookup::lookup(text.parse().unwrap()).await.unwrap();
        assert_eq!(found.members, [member(expected)]);
    }
}
