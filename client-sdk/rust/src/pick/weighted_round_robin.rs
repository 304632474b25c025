//! The policy that follows the load that replicas report (gRFC A58).

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{Picker, Policy, round_robin::StridePicker};
use crate::{endpoint::Endpoint, random::Random};

/// How often weights are computed, at the most (A58).
const UPDATE_INTERVAL_MIN: Duration = Duration::from_millis(100);

/// Round robin by the weight that each endpoint's load reports give it (gRFC A58).
///
/// The weight is `rps / (utilization + eps / rps x error penalty)`, that is the requests per second that it could
/// serve, less what fails.
///
/// Endpoints without a usable weight count as much as the mean of the others; with fewer than two
/// weights it is plain round robin. Reports come as trailers of calls (see
/// [`load_report`](crate::load_report)). The resolver's weights do not count.
#[derive(Debug)]
pub struct WeightedRoundRobin {
    /// An endpoint's reports count only when they have come for this long, since those of a replica
    /// that has just started say little. Default: 10 s.
    pub blackout_period: Duration,
    /// A report counts for this long. Default: 3 min.
    pub weight_expiration_period: Duration,
    /// How often weights are computed; less than 100 ms count as 100 ms. Default: 1 s.
    pub weight_update_period: Duration,
    /// By how much errors make a replica count as busier. Default: 1.0.
    pub error_utilization_penalty: f64,
    random: Random,
}

impl WeightedRoundRobin {
    /// Picks in an order that only the seed determines, for tests and simulations.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self { random: Random::new(seed), ..Self::default() }
    }

    /// The weight of an endpoint; 0 when none is to be used.
    fn weight(&self, endpoint: &Endpoint, now: Instant) -> f64 {
        let latest = endpoint.load().report();
        let Some(report) = latest.get() else { return 0.0 };
        let ready_since = endpoint.ready_since();
        let age = now.saturating_duration_since(report.received);
        if age >= self.weight_expiration_period {
            // Reports that come again begin a blackout again.
            latest.clear();
            return 0.0;
        }
        let reporting_since = report.first_received.max(ready_since);
        let is_of_another_time = report.received < ready_since;
        if is_of_another_time || now.saturating_duration_since(reporting_since) < self.blackout_period {
            return 0.0;
        }
        let errors = report.eps / report.rps * self.error_utilization_penalty.max(0.0);
        let weight = report.rps / (report.utilization + errors);
        if weight.is_finite() { weight } else { 0.0 }
    }
}

impl Default for WeightedRoundRobin {
    /// A58's defaults.
    fn default() -> Self {
        Self {
            blackout_period: Duration::from_secs(10),
            weight_expiration_period: Duration::from_secs(180),
            weight_update_period: Duration::from_secs(1),
            error_utilization_penalty: 1.0,
            random: Random::default(),
        }
    }
}

impl Policy for WeightedRoundRobin {
    fn picker(&self, endpoints: &[Arc<Endpoint>], now: Instant) -> Box<dyn Picker> {
        let weights: Vec<_> = endpoints.iter().map(|endpoint| self.weight(endpoint, now)).collect();
        Box::new(StridePicker::new(&weights, self.random.fork()))
    }

    fn refresh_interval(&self) -> Option<Duration> {
        Some(self.weight_update_period.max(UPDATE_INTERVAL_MIN))
    }
}

#[cfg(test)]
#[path = "weighted_round_robin_tests.rs"]
mod tests;
