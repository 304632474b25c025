//! Endpoints without connections, for the tests of pickers.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{PickArgs, Picker};
use crate::{address::Address, endpoint::Endpoint, resolve::Member, slow_start::SlowStart};

/// An available endpoint of this weight with an address of its own.
pub(super) fn endpoint(number: usize, weight: u32) -> Arc<Endpoint> {
    Arc::new(Endpoint::detached(member(number).weight(weight), AT_ONCE, Instant::now()))
}

/// An available endpoint of weight 1 that is half way through its slow start.
pub(super) fn half_started(number: usize) -> Arc<Endpoint> {
    let slow = SlowStart { window: Duration::from_secs(1_000_000), min_weight_percent: 50, aggression: 1.0 };
    Arc::new(Endpoint::detached(member(number), slow, Instant::now()))
}

/// An available endpoint of weight 1 that became ready at this time.
pub(super) fn ready_at(number: usize, since: Instant) -> Arc<Endpoint> {
    Arc::new(Endpoint::detached(member(number), AT_ONCE, since))
}

/// Makes it take calls or not.
pub(super) fn set_available(endpoint: &Endpoint, is_available: bool) {
    endpoint.set_connected(is_available);
}

const AT_ONCE: SlowStart = SlowStart { window: Duration::ZERO, min_weight_percent: 100, aggression: 1.0 };

fn member(number: usize) -> Member {
    Member::new(format!("replica-{number}:50051").parse::<Address>().unwrap())
}

/// Available endpoints of these weights.
pub(super) fn endpoints(weights: &[u32]) -> Vec<Arc<Endpoint>> {
    weights.iter().enumerate().map(|(number, &weight)| endpoint(number, weight)).collect()
}

/// A pick among these now, without a hash and with nothing tried.
pub(super) fn args(endpoints: &[Arc<Endpoint>], now: Instant) -> PickArgs<'_> {
    PickArgs { endpoints, tried: &[], hash: None, now }
}

/// How often each endpoint is picked in so many picks at one time.
pub(super) fn picks(picker: &dyn Picker, endpoints: &[Arc<Endpoint>], count: usize) -> Vec<usize> {
    let args = args(endpoints, Instant::now());
    let mut picks = vec![0; endpoints.len()];
    for _ in 0..count {
        picks[picker.pick(&args).unwrap()] += 1;
    }
    picks
}

/// Pearson's chi-square of what was counted against the shares that these weights give.
pub(super) fn chi_square(counts: &[usize], weights: &[u32]) -> f64 {
    let calls = counts.iter().sum::<usize>() as f64;
    let total = f64::from(weights.iter().sum::<u32>());
    let expected = weights.iter().map(|&weight| calls * f64::from(weight) / total);
    counts.iter().zip(expected).map(|(&count, expected)| (count as f64 - expected).powi(2) / expected).sum()
}

/// That much later.
pub(super) fn after(start: Instant, seconds: f64) -> Instant {
    start + Duration::from_secs_f64(seconds)
}
