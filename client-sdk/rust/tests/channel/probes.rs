//! Probes: replicas that say they are busy get fewer calls, and nobody is asked whom no policy asks.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::HeaderMap;
use plexus_client::{
    Channel, ConnectionState,
    endpoint::Endpoint,
    load_report::{LOAD_REPORT, LoadReport},
    pick::{PeakEwma, PickArgs, Picker, Policy, Prequal, Probe, ProbeTargets},
};
use tokio::{net::TcpListener, time::Instant};

use crate::replica::{builder, check, until};

/// A message of a `HealthCheckResponse` that says SERVING.
const SERVING: &[u8] = &[0, 0, 0, 0, 2, 8, 1];
/// The length of the message of a probe, which asks for the service without a name.
const PROBE_BYTES: usize = 5;

/// A health server that says in its trailers how many calls it has in hand.
struct Reporting {
    address: SocketAddr,
    probes: Arc<AtomicUsize>,
    calls: Arc<AtomicUsize>,
}

/// What it says, and how long it takes for calls; `None`: it never answers a probe.
async fn reporting(in_flight: Option<f64>, latency: Duration) -> Reporting {
    let (probes, calls) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let replica = Reporting {
        address: listener.local_addr().unwrap(),
        probes: Arc::clone(&probes),
        calls: Arc::clone(&calls),
    };
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(socket).await.unwrap();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            let (probes, calls) = (Arc::clone(&probes), Arc::clone(&calls));
            tokio::spawn(async move {
                let message = request.into_body().data().await.unwrap().unwrap();
                if message.len() > PROBE_BYTES {
                    calls.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(latency).await;
                } else {
                    probes.fetch_add(1, Ordering::SeqCst);
                    if in_flight.is_none() {
                        std::future::pending::<()>().await;
                    }
                }
                let mut stream = respond.send_response(http::Response::new(()), false).unwrap();
                stream.send_data(Bytes::from_static(SERVING), false).unwrap();
                stream.send_trailers(trailers(in_flight.unwrap_or_default())).unwrap();
            });
        }
    });
    replica
}

fn trailers(in_flight: f64) -> HeaderMap {
    let named_metrics = [("in_flight".to_owned(), in_flight)].into();
    let report = LoadReport { named_metrics, ..LoadReport::default() };
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", 0.into());
    trailers.insert(LOAD_REPORT, report.to_trailer().unwrap());
    trailers
}

async fn ready(channel: &Channel) {
    until(|| {
        let status = channel.status();
        !status.is_empty() && status.iter().all(|at| at.state == ConnectionState::Ready)
    })
    .await;
}

#[tokio::test]
async fn a_replica_that_reports_many_calls_in_flight_gets_few_though_it_is_the_fastest() {
    // As many as the pool of replies holds, so that one of them lies beyond the 84 % that are not hot.
    let mut replicas = vec![reporting(Some(1000.0), Duration::ZERO).await];
    for _ in 1..16 {
        replicas.push(reporting(Some(1.0), Duration::from_millis(2)).await);
    }
    let addresses = replicas.iter().map(|replica| replica.address);
    let channel = builder().endpoints(addresses).policy(Prequal::seeded(1)).build();
    ready(&channel).await;
    for _ in 0..320 {
        check(&channel, "call").await.unwrap();
    }
    let counts: Vec<_> = replicas.iter().map(|replica| replica.calls.load(Ordering::SeqCst)).collect();
    assert_eq!(counts.iter().sum::<usize>(), 320);
    assert!(counts[0] < 20, "less than its share: {counts:?}");
    // Probes are no calls: they do not count as in flight.
    assert!(channel.status().iter().all(|at| at.in_flight == 0));
}

/// Has the first endpoint probed, and notes what it answers.
#[derive(Clone, Default)]
struct Noting(Arc<Mutex<Vec<(usize, Probe)>>>);

impl Policy for Noting {
    fn picker(&self, _: &[Arc<Endpoint>], _: Instant) -> Box<dyn Picker> {
        Box::new(self.clone())
    }

    fn probes(&self) -> bool {
        true
    }
}

impl Picker for Noting {
    fn pick(&self, args: &PickArgs<'_>) -> Option<usize> {
        args.next_available(0)
    }

    fn probe_targets(&self, _: &PickArgs<'_>) -> ProbeTargets {
        let mut targets = ProbeTargets::default();
        targets.insert(0);
        // Of an endpoint that is not there nobody is asked.
        targets.insert(1);
        targets
    }

    fn observe(&self, index: usize, probe: Probe, _: Instant) {
        self.0.lock().unwrap().push((index, probe));
    }
}

#[tokio::test]
async fn a_policy_of_ones_own_hears_what_replicas_report() {
    let replica = reporting(Some(1000.0), Duration::ZERO).await;
    let noting = Noting::default();
    let channel = builder().endpoints([replica.address]).policy(noting.clone()).build();
    // An answer makes room for the next probe.
    while noting.0.lock().unwrap().len() < 2 {
        check(&channel, "call").await.unwrap();
    }
    let (index, probe) = noting.0.lock().unwrap()[0];
    assert_eq!((index, probe.in_flight), (0, 1000));
    assert!(probe.latency > Duration::ZERO);
}

#[tokio::test]
async fn policies_that_want_no_probes_send_none() {
    let replica = reporting(Some(1.0), Duration::ZERO).await;
    let channel = builder().endpoints([replica.address]).policy(PeakEwma::default()).build();
    for _ in 0..50 {
        check(&channel, "call").await.unwrap();
    }
    assert_eq!(replica.probes.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_replica_that_answers_no_probe_is_asked_once_at_a_time_and_gets_calls() {
    let replica = reporting(None, Duration::ZERO).await;
    let channel = builder().endpoints([replica.address]).policy(Prequal::default()).build();
    let began = Instant::now();
    for _ in 0..50 {
        check(&channel, "call").await.unwrap();
    }
    // One more after each time that the one before was given up.
    let given_up = began.elapsed().as_millis() / 500;
    assert!(replica.probes.load(Ordering::SeqCst) as u128 <= 1 + given_up);
    assert_eq!(replica.calls.load(Ordering::SeqCst), 50);
    while replica.probes.load(Ordering::SeqCst) < 2 {
        check(&channel, "call").await.unwrap();
    }
}
