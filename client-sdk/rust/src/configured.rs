//! Turns what a service config says about load balancing into what a channel does.

use std::sync::Arc;

use crate::{
    ejection,
    pick::{HashKey, LeastRequest, PeakEwma, Policy, Prequal, RingHash, RoundRobin, WeightedRoundRobin},
    service_config::{LoadBalancing, OutlierDetection},
};

/// Where gRPC's clients look for the hash of a call when the config names no header; no call has it, so
/// that calls are spread at random.
const NO_HEADER: http::HeaderName = http::HeaderName::from_static("grpc-no-hash-header");

/// The policy that the config asks for.
pub(crate) fn policy(configured: &LoadBalancing) -> Arc<dyn Policy> {
    match configured {
        LoadBalancing::PeakEwma => Arc::new(PeakEwma::default()),
        LoadBalancing::RoundRobin => Arc::new(RoundRobin::default()),
        LoadBalancing::LeastRequest { choice_count } => {
            Arc::new(LeastRequest::new(usize::try_from(*choice_count).unwrap_or(usize::MAX)))
        }
        LoadBalancing::WeightedRoundRobin(weights) => {
            let mut policy = WeightedRoundRobin::default();
            policy.blackout_period = weights.blackout_period;
            policy.weight_expiration_period = weights.weight_expiration_period;
            policy.weight_update_period = weights.weight_update_period;
            policy.error_utilization_penalty = weights.error_utilization_penalty;
            Arc::new(policy)
        }
        LoadBalancing::RingHash { request_hash_header } => {
            Arc::new(RingHash::new(HashKey::Header(request_hash_header.clone().unwrap_or(NO_HEADER))))
        }
        LoadBalancing::Prequal => Arc::new(Prequal::default()),
    }
}

/// How the config has endpoints set aside. It knows no failures in a row, and an owner who wrote it wants
/// what he wrote.
pub(crate) fn ejection(configured: &OutlierDetection) -> ejection::Settings {
    ejection::Settings {
        interval: configured.interval,
        base_ejection_time: configured.base_ejection_time,
        max_ejection_time: configured.max_ejection_time,
        max_ejection_percent: configured.max_ejection_percent,
        success_rate: configured.success_rate.map(|rate| ejection::SuccessRate {
            stdev_factor: rate.stdev_factor_thousandths,
            enforcement_percentage: rate.enforcement_percentage,
            minimum_hosts: rate.minimum_hosts,
            request_volume: rate.request_volume,
        }),
        failure_percentage: configured.failure_percentage.map(|share| ejection::FailurePercentage {
            threshold: share.threshold,
            enforcement_percentage: share.enforcement_percentage,
            minimum_hosts: share.minimum_hosts,
            request_volume: share.request_volume,
        }),
        consecutive_failures: None,
    }
}
