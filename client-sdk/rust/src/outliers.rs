//! Tells operators what outlier detection did.

use crate::{
    address::Address,
    ejection::{Event, Limit, Reason},
    telemetry::{DetectionMethod, Metrics, UnenforcedReason},
};

/// Logs and counts a change of one endpoint.
pub(crate) fn report(metrics: &Metrics, endpoint: &Address, event: Event) {
    match event {
        Event::Ejected { reason, times, .. } => {
            tracing::warn!(%endpoint, ?reason, times, "set aside: its calls fail");
            if let Some(method) = method(reason) {
                metrics.ejected(method);
            }
        }
        Event::Spared { reason, limit } => {
            tracing::debug!(%endpoint, ?reason, ?limit, "its calls fail, but it stays");
            if let Some(method) = method(reason) {
                metrics.not_ejected(method, unenforced(limit));
            }
        }
        Event::Probing => tracing::debug!(%endpoint, "on probation"),
        Event::Returned => tracing::info!(%endpoint, "takes its share of calls again"),
    }
}

fn method(reason: Reason) -> Option<DetectionMethod> {
    match reason {
        Reason::SuccessRate => Some(DetectionMethod::SuccessRate),
        Reason::FailurePercentage => Some(DetectionMethod::FailurePercentage),
        Reason::ConsecutiveFailures => Some(DetectionMethod::ConsecutiveFailures),
        // It was not back yet.
        Reason::ProbeFailed => None,
    }
}

fn unenforced(limit: Limit) -> UnenforcedReason {
    match limit {
        Limit::EnforcementPercentage => UnenforcedReason::EnforcementPercentage,
        Limit::MaxEjectionPercent | Limit::LastEndpoint => UnenforcedReason::MaxEjectionOverflow,
    }
}
