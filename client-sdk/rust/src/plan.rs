//! How calls of a method are made: what its contract, the service config and the defaults come to.

use std::{collections::HashMap, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use tonic::Code;

use crate::{
    latency::Latency,
    methods::{MethodInfo, MethodTable},
    service_config::{AttemptPolicy, CodeSet, HedgingPolicy, ServiceConfig},
};

/// The most methods whose latency is remembered; a target has some dozen. What comes beyond, such as the
/// invented paths of a proxy's callers, is called like any other and not remembered.
const METHODS_MAX: usize = 1024;

/// The most attempts of an idempotent call for which nothing is configured: the first and two elsewhere.
const ATTEMPTS_DEFAULT: u32 = 3;

/// When the next attempt goes out beside one that has not been answered yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hedging {
    /// Never, unless the service config says so for the method.
    Off,
    /// For idempotent methods, when a call takes longer than nearly all calls of its method took before
    /// (RFC 6298's mean and four deviations, at least 10 ms). A replica that has stopped answering then
    /// costs its callers that time and not their deadline.
    #[default]
    WhenLate,
}

/// How calls of one method are made.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Its contract or its configuration names it.
    pub(crate) is_known: bool,
    /// It may run twice.
    pub(crate) is_idempotent: bool,
    /// A response is read whole before the call is bound to its attempt.
    pub(crate) is_whole: bool,
    pub(crate) wait_for_ready: bool,
    /// Bounds the whole call.
    pub(crate) timeout: Option<Duration>,
    pub(crate) attempts: AttemptPolicy,
    /// Further attempts are the channel's own idea: nobody has configured them.
    pub(crate) hedges_when_late: bool,
    latency: Latency,
}

impl Plan {
    /// When an attempt that is not answered is followed by another; `None`: never.
    pub(crate) fn hedge_delay(&self) -> Option<Duration> {
        match &self.attempts {
            AttemptPolicy::Hedging(_) if self.hedges_when_late => self.latency.late(),
            AttemptPolicy::Hedging(hedging) => {
                Some(hedging.hedging_delay).filter(|&delay| delay != Duration::MAX)
            }
            AttemptPolicy::Once | AttemptPolicy::Retry(_) => None,
        }
    }

    /// Bounds each attempt.
    pub(crate) fn attempt_timeout(&self) -> Option<Duration> {
        match &self.attempts {
            AttemptPolicy::Retry(retry) => retry.attempt_timeout,
            AttemptPolicy::Once | AttemptPolicy::Hedging(_) => None,
        }
    }

    /// Takes how long an attempt took that was answered.
    pub(crate) fn answered(&self, latency: Duration) {
        if self.hedges_when_late {
            self.latency.record(latency);
        }
    }
}

/// The plans of one channel.
#[derive(Debug)]
pub(crate) struct Plans {
    known: ArcSwap<HashMap<Box<str>, Arc<Plan>>>,
    methods: MethodTable,
    config: Option<ServiceConfig>,
    wait_for_ready: bool,
    hedging: Hedging,
}

impl Plans {
    pub(crate) fn new(
        methods: MethodTable,
        config: Option<ServiceConfig>,
        wait_for_ready: bool,
        hedging: Hedging,
    ) -> Self {
        Self { known: ArcSwap::default(), methods, config, wait_for_ready, hedging }
    }

    /// The plan for a path `/pkg.Service/Method`.
    pub(crate) fn of(&self, path: &str) -> Arc<Plan> {
        if let Some(plan) = self.known.load().get(path) {
            return Arc::clone(plan);
        }
        let plan = Arc::new(self.make(path));
        self.known.rcu(|known| {
            let mut known = HashMap::clone(known);
            if known.len() < METHODS_MAX {
                known.entry(path.into()).or_insert_with(|| Arc::clone(&plan));
            }
            known
        });
        // Whoever was first: two plans of a method would know half of its latencies each.
        self.known.load().get(path).map_or(plan, Arc::clone)
    }

    fn make(&self, path: &str) -> Plan {
        let info = self.methods.get(path);
        let config = self.config.as_ref().and_then(|config| config.method(path));
        let configured = config.map(|config| config.attempts.clone()).unwrap_or_default();
        let is_idempotent = info.is_idempotent;
        let hedges_when_late =
            is_idempotent && configured == AttemptPolicy::Once && self.hedging == Hedging::WhenLate;
        Plan {
            is_known: info != MethodInfo::UNKNOWN || config.is_some(),
            is_idempotent,
            is_whole: is_idempotent && info.is_unary(),
            wait_for_ready: config.and_then(|config| config.wait_for_ready).unwrap_or(self.wait_for_ready),
            timeout: config.and_then(|config| config.timeout),
            attempts: match configured {
                AttemptPolicy::Once if is_idempotent => elsewhere_at_once(),
                configured => configured,
            },
            hedges_when_late,
            latency: Latency::default(),
        }
    }
}

/// What idempotent methods do for which nothing is configured: after `UNAVAILABLE`, at once another endpoint.
fn elsewhere_at_once() -> AttemptPolicy {
    AttemptPolicy::Hedging(HedgingPolicy {
        max_attempts: ATTEMPTS_DEFAULT,
        hedging_delay: Duration::MAX,
        non_fatal_codes: CodeSet::only(Code::Unavailable),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plans(config: Option<&str>, hedging: Hedging) -> Plans {
        let methods = MethodTable::default().idempotent("/a.Notes/Read").unwrap();
        Plans::new(methods, config.map(|json| ServiceConfig::from_json(json).unwrap()), false, hedging)
    }

    #[test]
    fn only_idempotent_methods_are_sent_more_than_once_by_default() {
        let plans = plans(None, Hedging::WhenLate);
        assert_eq!(plans.of("/a.Notes/Write").attempts, AttemptPolicy::Once);
        let AttemptPolicy::Hedging(hedging) = &plans.of("/a.Notes/Read").attempts else {
            panic!("no hedging")
        };
        assert_eq!(hedging.max_attempts, ATTEMPTS_DEFAULT);
    }

    #[test]
    fn a_call_is_late_only_after_its_method_has_shown_how_long_it_takes() {
        let plans = plans(None, Hedging::WhenLate);
        let plan = plans.of("/a.Notes/Read");
        assert_eq!(plan.hedge_delay(), None);
        (0..100).for_each(|_| plan.answered(Duration::from_millis(50)));
        let delay = plans.of("/a.Notes/Read").hedge_delay().unwrap();
        assert!(delay >= Duration::from_millis(49) && delay < Duration::from_millis(60), "{delay:?}");
        assert_eq!(plans.of("/a.Notes/Write").hedge_delay(), None);
    }

    #[test]
    fn without_hedging_a_late_call_is_left_alone_and_a_failed_one_goes_elsewhere() {
        let plan = plans(None, Hedging::Off).of("/a.Notes/Read");
        (0..100).for_each(|_| plan.answered(Duration::from_millis(50)));
        assert_eq!(plan.hedge_delay(), None);
        assert!(matches!(plan.attempts, AttemptPolicy::Hedging(_)));
    }

    #[test]
    fn what_is_configured_takes_the_place_of_the_default() {
        let json = r#"{"methodConfig": [{"name": [{"service": "a.Notes"}], "timeout": "2s", "waitForReady": true,
            "hedgingPolicy": {"maxAttempts": 2, "hedgingDelay": "0.5s"}}]}"#;
        let plan = plans(Some(json), Hedging::WhenLate).of("/a.Notes/Read");
        assert_eq!(plan.hedge_delay(), Some(Duration::from_millis(500)));
        assert_eq!((plan.timeout, plan.wait_for_ready), (Some(Duration::from_secs(2)), true));
    }

    #[test]
    fn paths_without_end_are_called_and_not_remembered() {
        let plans = plans(None, Hedging::WhenLate);
        (0..2 * METHODS_MAX).for_each(|index| drop(plans.of(&format!("/x.Y/{index}"))));
        assert_eq!(plans.known.load().len(), METHODS_MAX);
    }
}
