//! The channel under test. All that the simulation knows of the SDK's settings and promises is here.

use std::time::Duration;

use plexus_client::{
    Channel, ManualResolver,
    backoff::BackoffPolicy,
    ejection::{FailurePercentage, Settings, SuccessRate},
};
use prost::Message as _;
use prost_types::{
    FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto, MethodOptions, ServiceDescriptorProto,
    method_options::IdempotencyLevel,
};

use crate::{network::SimulatedTcp, plan::Method, record::Record};

/// Shorter than the default of 120 s, so that a run shows within a minute that replicas come back.
pub(crate) const BACKOFF_MAX: Duration = Duration::from_secs(4);

/// Whether the channel repeats a read that a replica took along when it died.
pub(crate) const REPEATS_READS: bool = true;

/// How many further attempts there may be, as a share of the calls (the default budget).
pub(crate) const FURTHER_ATTEMPTS_PER_CALL_MAX: f64 = 0.2;
/// How many there may be beyond that in each [`BUDGET_WINDOW`] or part of it: 3 per second.
pub(crate) const FURTHER_ATTEMPTS_FREE: usize = 30;
pub(crate) const BUDGET_WINDOW: Duration = Duration::from_secs(10);

/// How often one call may be sent: the attempts that count, and one that follows the first refusal.
pub(crate) fn attempts_max(method: Method) -> usize {
    match method {
        // By default an idempotent call has three attempts.
        Method::Read => 3 + 1,
        // Sent again only after it was refused, up to A6's five attempts.
        Method::Write | Method::Count { .. } => 5 + 1,
    }
}

/// The least wait before the n-th connection attempt in a row, as documented: three quick ones, then 1 s
/// that grows by 1.6, all but the quick ones up to 20 % shorter.
pub(crate) fn reconnect_wait_min(attempts_before: usize) -> Duration {
    match attempts_before {
        0 => Duration::ZERO,
        1 => Duration::from_millis(50),
        2 => Duration::from_millis(200),
        _ => {
            let exponent = i32::try_from(attempts_before - 3).unwrap();
            Duration::from_secs(1).mul_f64(1.6_f64.powi(exponent)).min(BACKOFF_MAX).mul_f64(0.8)
        }
    }
}

/// A connection that lasted for this long makes the waits begin anew.
pub(crate) const CONNECTION_LASTED: Duration = Duration::from_secs(1);

/// So many reads are answered before the channel says that one is late.
pub(crate) const READS_KNOWN: usize = 20;
/// How long a read takes at most that a silent replica swallowed, when other replicas are well.
///
/// Its method's mean latency and four deviations: below 0.7 s, since a server thinks for 0.3 s at most;
/// then the time of the attempt elsewhere, 0.3 s and some round trips of at most 0.04 s.
pub(crate) const READ_ELSEWHERE_WITHIN: Duration = Duration::from_millis(1_200);

/// A larger request that was refused is not sent again.
pub(crate) const REPLAY_BYTES_MAX: usize = 1024 * 1024;

pub(crate) fn channel(seed: u64, resolver: ManualResolver, record: Record) -> Channel {
    let backoff = BackoffPolicy { max: BACKOFF_MAX, ..BackoffPolicy::default() };
    Channel::builder("simulation")
        .resolver(resolver)
        .connector(SimulatedTcp(record))
        .backoff(backoff)
        .seed(seed)
        .descriptors(&contract())
        .unwrap()
        .ejection(ejection())
        .unwrap()
        .build()
}

/// Shorter than the defaults, for the same reason, and for a few calls per second.
///
/// A replica whose probe met a call that is never answered is set aside again, each time for longer: up
/// to 5 s and a sweep, so that it still gets a call in each [`crate::plan::USED_EACH`].
fn ejection() -> Settings {
    Settings {
        interval: Duration::from_secs(1),
        base_ejection_time: Duration::from_secs(2),
        max_ejection_time: Duration::from_secs(5),
        success_rate: Some(SuccessRate { minimum_hosts: 3, request_volume: 10, ..SuccessRate::default() }),
        failure_percentage: Some(FailurePercentage {
            minimum_hosts: 3,
            request_volume: 10,
            ..FailurePercentage::default()
        }),
        ..Settings::default()
    }
}

/// What is said of the methods: `Read` has no side effects.
fn contract() -> Vec<u8> {
    let read = MethodDescriptorProto {
        name: Some("Read".to_owned()),
        options: Some(MethodOptions {
            idempotency_level: Some(IdempotencyLevel::NoSideEffects.into()),
            ..MethodOptions::default()
        }),
        ..MethodDescriptorProto::default()
    };
    let reader = ServiceDescriptorProto {
        name: Some("Reader".to_owned()),
        method: vec![read],
        ..ServiceDescriptorProto::default()
    };
    let file = FileDescriptorProto {
        package: Some("simulation".to_owned()),
        service: vec![reader],
        ..FileDescriptorProto::default()
    };
    FileDescriptorSet { file: vec![file] }.encode_to_vec()
}
