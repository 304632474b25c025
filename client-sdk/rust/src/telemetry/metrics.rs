//! The metrics of a channel: its instruments, and what it counts beside single calls.
//!
//! Everything goes through OpenTelemetry's API. An instrument belongs for good to the provider that made
//! it: a provider that becomes the global one after a channel was built gets nothing from that channel.

use std::sync::Arc;

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram, Meter, UpDownCounter},
};

use super::{
    calls::CallMetrics,
    methods::{Method, Methods},
    names,
    states::{Connections, Endpoints, Quantity, StateCount},
};

/// The instruments of one channel; each number that they take carries the target's name.
pub(crate) struct Metrics {
    instruments: Arc<Instruments>,
    methods: Methods,
    target: KeyValue,
}

/// How an outlier was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DetectionMethod {
    SuccessRate,
    FailurePercentage,
    /// Not of A50: so many failures one after another.
    ConsecutiveFailures,
}

/// Why an outlier was not ejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnenforcedReason {
    EnforcementPercentage,
    MaxEjectionOverflow,
}

/// How a channel selects endpoints at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SelectionMode {
    Normal,
    /// Calls go to a lower priority or another zone as well.
    Spilled,
    /// So few endpoints are healthy that all are used.
    Panic,
}

const SELECTION_MODES: [&str; 3] = ["normal", "spilled", "panic"];

/// The channels in each mode of selection: this channel counts in the one that it was set to last.
#[derive(Debug)]
pub(crate) struct Selection(StateCount);

impl Metrics {
    /// Makes the instruments. `target` is the name of what the channel calls.
    pub(crate) fn new(meter: &Meter, target: &str) -> Self {
        let instruments = Arc::new(Instruments::new(meter));
        let target = KeyValue::new(names::TARGET, Arc::<str>::from(target));
        let methods = Methods::new(Arc::clone(&instruments), target.clone());
        Self { instruments, methods, target }
    }

    /// Begins to measure a call of `method` (`pkg.Service/Method`), which is named if `is_registered`
    /// says that generated code or the contract has it, or if it was registered before.
    pub(crate) fn call(&self, method: &str, is_registered: bool) -> CallMetrics {
        CallMetrics::start(self.method(method, is_registered))
    }

    pub(super) fn method(&self, method: &str, is_registered: bool) -> Arc<Method> {
        Arc::clone(self.methods.get(method, is_registered))
    }

    /// Begins to count one endpoint.
    pub(crate) fn endpoint(&self) -> Endpoints {
        Endpoints::new(&self.instruments.endpoints, &self.target)
    }

    /// Counts connections and attempts to connect.
    pub(crate) fn connections(&self) -> Connections {
        Connections::new(Arc::clone(&self.instruments), self.target.clone())
    }

    /// Begins to count this channel's mode of selection.
    pub(crate) fn selection(&self) -> Selection {
        let counter = self.instruments.selection.clone();
        Selection(StateCount::new(counter, &self.target, names::SELECTION_MODE, &SELECTION_MODES))
    }

    /// Begins to show how many calls the adaptive limit lets go on at once.
    pub(crate) fn concurrency_limit(&self) -> Quantity {
        Quantity::new(self.instruments.concurrency_limit.clone(), self.target.clone())
    }

    /// Counts an outlier that was ejected.
    pub(crate) fn ejected(&self, method: DetectionMethod) {
        let labels = [KeyValue::new(names::DETECTION_METHOD, method.name()), self.target.clone()];
        self.instruments.ejections_enforced.add(1, &labels);
    }

    /// Counts an outlier that was found and kept.
    pub(crate) fn not_ejected(&self, method: DetectionMethod, reason: UnenforcedReason) {
        let labels = [
            KeyValue::new(names::DETECTION_METHOD, method.name()),
            KeyValue::new(names::UNENFORCED_REASON, reason.name()),
            self.target.clone(),
        ];
        self.instruments.ejections_unenforced.add(1, &labels);
    }
}

impl DetectionMethod {
    fn name(self) -> &'static str {
        match self {
            Self::SuccessRate => "success_rate",
            Self::FailurePercentage => "failure_percentage",
            Self::ConsecutiveFailures => "consecutive_failures",
        }
    }
}

impl UnenforcedReason {
    fn name(self) -> &'static str {
        match self {
            Self::EnforcementPercentage => "enforcement_percentage",
            Self::MaxEjectionOverflow => "max_ejection_overflow",
        }
    }
}

impl Selection {
    pub(crate) fn set(&self, mode: SelectionMode) {
        self.0.set(mode as usize);
    }
}

/// One of each instrument.
#[derive(Debug)]
pub(super) struct Instruments {
    pub(super) attempt_started: Counter<u64>,
    pub(super) attempt_duration: Histogram<f64>,
    pub(super) attempt_sent: Histogram<u64>,
    pub(super) attempt_received: Histogram<u64>,
    pub(super) call_duration: Histogram<f64>,
    pub(super) retries: Histogram<u64>,
    pub(super) transparent_retries: Histogram<u64>,
    pub(super) hedges: Histogram<u64>,
    pub(super) retry_delay: Histogram<f64>,
    pub(super) open_connections: UpDownCounter<i64>,
    pub(super) disconnections: Counter<u64>,
    pub(super) connection_attempts_succeeded: Counter<u64>,
    pub(super) connection_attempts_failed: Counter<u64>,
    ejections_enforced: Counter<u64>,
    ejections_unenforced: Counter<u64>,
    pub(super) pick_delay: Histogram<f64>,
    pub(super) calls_in_flight: UpDownCounter<i64>,
    pub(super) calls_refused: Counter<u64>,
    endpoints: UpDownCounter<i64>,
    selection: UpDownCounter<i64>,
    concurrency_limit: UpDownCounter<i64>,
}

impl Instruments {
    fn new(meter: &Meter) -> Self {
        let maker = Maker(meter);
        Self {
            attempt_started: maker.counter(names::ATTEMPT_STARTED, "{attempt}", "Attempts begun"),
            attempt_duration: maker
                .seconds(names::ATTEMPT_DURATION, "How long attempts took, picking an endpoint included"),
            attempt_sent: maker.bytes(names::ATTEMPT_SENT, "Bytes of all messages sent in an attempt"),
            attempt_received: maker
                .bytes(names::ATTEMPT_RECEIVED, "Bytes of all messages received in an attempt"),
            call_duration: maker.seconds(names::CALL_DURATION, "How long calls took, from the caller's view"),
            retries: maker.counts(names::CALL_RETRIES, "{retry}", &names::RETRIES_BOUNDS),
            transparent_retries: maker.counts(
                names::CALL_TRANSPARENT_RETRIES,
                "{transparent_retry}",
                &names::TRANSPARENT_RETRIES_BOUNDS,
            ),
            hedges: maker.counts(names::CALL_HEDGES, "{hedge}", &names::RETRIES_BOUNDS),
            retry_delay: maker
                .seconds(names::CALL_RETRY_DELAY, "How long retried calls had no attempt under way"),
            open_connections: maker.gauge(names::OPEN_CONNECTIONS, "{connection}", "Open connections"),
            disconnections: maker.counter(names::DISCONNECTIONS, "{disconnection}", "Connections that ended"),
            connection_attempts_succeeded: maker.counter(
                names::CONNECTION_ATTEMPTS_SUCCEEDED,
                "{attempt}",
                "Connection attempts that succeeded",
            ),
            connection_attempts_failed: maker.counter(
                names::CONNECTION_ATTEMPTS_FAILED,
                "{attempt}",
                "Connection attempts that failed",
            ),
            ejections_enforced: maker.counter(
                names::EJECTIONS_ENFORCED,
                "{ejection}",
                "Outliers that were ejected",
            ),
            ejections_unenforced: maker.counter(
                names::EJECTIONS_UNENFORCED,
                "{ejection}",
                "Outliers that were found and kept",
            ),
            pick_delay: maker.seconds(names::PICK_DELAY, "From the start of a call to its first endpoint"),
            calls_in_flight: maker.gauge(names::CALLS_IN_FLIGHT, "{call}", "Calls begun and not ended"),
            calls_refused: maker.counter(
                names::CALLS_REFUSED,
                "{call}",
                "Calls refused because a limit was reached",
            ),
            endpoints: maker.gauge(names::ENDPOINTS, "{endpoint}", "Endpoints in each state"),
            selection: maker.gauge(names::SELECTION, "{channel}", "Channels in each mode of selection"),
            concurrency_limit: maker.gauge(
                names::CONCURRENCY_LIMIT,
                "{call}",
                "Calls that the adaptive limit lets go on at once",
            ),
        }
    }
}

struct Maker<'a>(&'a Meter);

impl Maker<'_> {
    fn counter(&self, name: &'static str, unit: &'static str, description: &'static str) -> Counter<u64> {
        self.0.u64_counter(name).with_unit(unit).with_description(description).build()
    }

    /// Up-down counters and not gauges: two channels to one target add up.
    fn gauge(&self, name: &'static str, unit: &'static str, description: &'static str) -> UpDownCounter<i64> {
        self.0.i64_up_down_counter(name).with_unit(unit).with_description(description).build()
    }

    fn seconds(&self, name: &'static str, description: &'static str) -> Histogram<f64> {
        let bounds = names::SECONDS_BOUNDS.to_vec();
        let histogram = self.0.f64_histogram(name).with_unit("s").with_description(description);
        histogram.with_boundaries(bounds).build()
    }

    fn bytes(&self, name: &'static str, description: &'static str) -> Histogram<u64> {
        let bounds = names::BYTES_BOUNDS.to_vec();
        let histogram = self.0.u64_histogram(name).with_unit("By").with_description(description);
        histogram.with_boundaries(bounds).build()
    }

    fn counts(&self, name: &'static str, unit: &'static str, bounds: &[f64]) -> Histogram<u64> {
        let histogram = self.0.u64_histogram(name).with_unit(unit);
        histogram
            .with_description("How many a call had that had any")
            .with_boundaries(bounds.to_vec())
            .build()
    }
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
