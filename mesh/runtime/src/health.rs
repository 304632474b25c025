//! Whether a replica is ready, fed by its dependencies, and told over gRPC, HTTP and metrics.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, future::join_all};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{Mutex, watch},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::{
    service::{Check, Severity},
    telemetry::{Metrics, Role},
};

/// How often dependencies are asked once the replica is ready.
const INTERVAL: Duration = Duration::from_secs(1);
/// How often they are asked until then: a start should not wait for a timer.
const INTERVAL_STARTING: Duration = Duration::from_millis(20);
/// How long a dependency may take to answer.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// The life of a replica, in order; ready, degraded and not ready alternate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It waits for what it needs.
    Starting,
    /// It serves.
    Ready,
    /// It serves, without something it would like to have.
    Degraded,
    /// Something that it cannot do without is gone.
    NotReady,
    /// It finishes what it has begun and takes nothing new.
    Draining,
    /// It is gone.
    Stopped,
}

/// The health of a replica at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Where in its life it is.
    pub state: State,
    /// What it depends on.
    pub dependencies: Vec<Dependency>,
}

/// The health of one dependency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// What it is, such as `database`.
    pub name: String,
    /// What is wrong with it; `None` when it is well.
    pub error: Option<String>,
}

/// The health of one replica; clones share it.
#[derive(Clone)]
pub struct Health {
    replica: String,
    role: Role,
    report: watch::Sender<Report>,
    reporter: HealthReporter,
    metrics: Metrics,
    /// Held while a change is made and told, so that what was told last is what is.
    change: Arc<Mutex<()>>,
}

impl Health {
    /// The health of `replica`, which is starting; `services` are its gRPC names.
    pub(crate) async fn new(replica: &str, role: Role, reporter: HealthReporter, metrics: Metrics) -> Self {
        reporter.set_service_status("", ServingStatus::NotServing).await;
        reporter.set_service_status(role.name(), ServingStatus::NotServing).await;
        let report = watch::Sender::new(Report { state: State::Starting, dependencies: Vec::new() });
        metrics.record_health(role, replica, false, false);
        Self { replica: replica.to_owned(), role, report, reporter, metrics, change: Arc::default() }
    }

    /// The health of something that is no gRPC server, such as the bridge, fed by `checks` until `stop`.
    pub async fn follow(role: Role, metrics: Metrics, checks: Vec<Check>, stop: CancellationToken) -> Self {
        let health = Self::new(role.name(), role, HealthReporter::new(), metrics).await;
        tokio::spawn(health.clone().run(checks, stop));
        health
    }

    /// The present report.
    #[must_use]
    pub fn report(&self) -> Report {
        self.report.borrow().clone()
    }

    /// Follows the report.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Report> {
        self.report.subscribe()
    }

    /// Waits until the replica serves, or is gone.
    pub async fn ready(&self) {
        // The sender lives in this very value, so the wait cannot end in an error.
        let mut report = self.watch();
        let _report = report.wait_for(|report| report.state.serves() || report.state == State::Stopped).await;
    }

    /// Asks `checks` again and again until `stop`.
    pub(crate) async fn run(self, checks: Vec<Check>, stop: CancellationToken) {
        let mut started = vec![false; checks.len()];
        loop {
            let asked = join_all(checks.iter().map(ask));
            let errors = tokio::select! {
                () = stop.cancelled() => return,
                errors = asked => errors,
            };
            for (started, error) in started.iter_mut().zip(&errors) {
                *started |= error.is_none();
            }
            let report = judge(&checks, &started, errors, self.report().state);
            let pause = if report.state == State::Starting { INTERVAL_STARTING } else { INTERVAL };
            self.set(report).await;
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(pause) => {}
            }
        }
    }

    /// Moves to a state that no check decides: draining or stopped.
    pub async fn leave(&self, state: State) {
        let dependencies = self.report().dependencies;
        self.set(Report { state, dependencies }).await;
    }

    /// Ends the streams of those who watch the health, since they would hold the server open.
    pub(crate) async fn end_watches(&self) {
        let mut reporter = self.reporter.clone();
        reporter.clear_service_status("").await;
        reporter.clear_service_status(self.role.name()).await;
    }

    async fn set(&self, report: Report) {
        let _change = self.change.lock().await;
        // Whoever is leaving does not come back because a check was still under way.
        let changed = self.report.send_if_modified(|current| {
            let returns = current.state.is_leaving() && !report.state.is_leaving();
            let changes = *current != report && !returns;
            if changes {
                *current = report.clone();
            }
            changes
        });
        if !changed {
            return;
        }
        let missing = report.dependencies.iter().filter_map(|dependency| {
            dependency.error.as_ref().map(|error| format!("{} {error}", dependency.name))
        });
        let missing = missing.collect::<Vec<_>>().join("; ");
        match report.state {
            State::Ready | State::Draining => {
                tracing::info!(replica = self.replica, state = ?report.state, "the health of a replica changed");
            }
            State::Degraded | State::NotReady => {
                tracing::warn!(replica = self.replica, state = ?report.state, missing, "the health of a replica changed");
            }
            State::Starting | State::Stopped => {
                tracing::debug!(replica = self.replica, state = ?report.state, missing, "the health of a replica changed");
            }
        }
        let serving = if report.state.serves() { ServingStatus::Serving } else { ServingStatus::NotServing };
        self.reporter.set_service_status("", serving).await;
        self.reporter.set_service_status(self.role.name(), serving).await;
        let degraded = report.state == State::Degraded;
        self.metrics.record_health(self.role, &self.replica, report.state.serves(), degraded);
    }
}

impl State {
    /// Whether calls are taken.
    #[must_use]
    pub fn serves(self) -> bool {
        matches!(self, Self::Ready | Self::Degraded)
    }

    fn is_leaving(self) -> bool {
        matches!(self, Self::Draining | Self::Stopped)
    }
}

async fn ask(check: &Check) -> Option<String> {
    // A panic of one check must not end the task that asks them all.
    let probe = AssertUnwindSafe(async { (check.probe)().await }).catch_unwind();
    match timeout(PROBE_TIMEOUT, probe).await {
        Ok(Ok(Ok(()))) => None,
        Ok(Ok(Err(error))) => Some(error),
        Ok(Err(_panic)) => Some("could not be checked: the check panicked".to_owned()),
        Err(_elapsed) => Some("does not answer in time".to_owned()),
    }
}

/// What the answers mean: pure, so that the table of states can be tested.
fn judge(checks: &[Check], started: &[bool], errors: Vec<Option<String>>, before: State) -> Report {
    let mut state = State::Ready;
    for ((check, started), error) in checks.iter().zip(started).zip(&errors) {
        if error.is_none() {
            continue;
        }
        let fatal = match check.severity {
            Severity::Required => true,
            Severity::RequiredAtStart => !started,
            Severity::Optional => false,
        };
        if fatal {
            state = if before == State::Starting { State::Starting } else { State::NotReady };
        } else if state == State::Ready {
            state = State::Degraded;
        }
    }
    let dependencies = checks.iter().zip(errors);
    let dependencies =
        dependencies.map(|(check, error)| Dependency { name: check.name.clone(), error }).collect();
    Report { state, dependencies }
}

impl std::fmt::Debug for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Health")
            .field("replica", &self.replica)
            .field("report", &*self.report.borrow())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use tonic::Request;
    use tonic_health::{
        pb::{HealthCheckRequest, health_server::Health as _},
        server::HealthService,
    };

    use super::*;

    #[tokio::test]
    async fn whoever_drains_does_not_become_ready_again() {
        let metrics = Metrics::new().unwrap();
        let health = Health::new("x-0", Role::PROCESS, HealthReporter::new(), metrics).await;
        health.leave(State::Draining).await;
        health.set(Report { state: State::Ready, dependencies: Vec::new() }).await;
        assert_eq!(health.report().state, State::Draining);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_was_told_last_is_what_is() {
        let reporter = HealthReporter::new();
        let service = HealthService::from_health_reporter(reporter.clone());
        let health = Health::new("x-0", Role::PROCESS, reporter, Metrics::new().unwrap()).await;
        for _ in 0..2_000 {
            let set = |state| {
                let health = health.clone();
                tokio::spawn(async move { health.set(Report { state, dependencies: Vec::new() }).await })
            };
            let (ready, not_ready) = (set(State::Ready), set(State::NotReady));
            ready.await.unwrap();
            not_ready.await.unwrap();
            let told = service.check(Request::new(HealthCheckRequest::default())).await.unwrap();
            let serves = told.into_inner().status == ServingStatus::Serving as i32;
            assert_eq!(serves, health.report().state.serves());
        }
    }

    #[tokio::test]
    async fn a_check_that_panics_is_one_that_fails() {
        let broken = Check::new("x", Severity::Required, || async { panic!("a bug in a check") });
        assert!(ask(&broken).await.is_some_and(|error| error.contains("panicked")));
    }

    fn check(severity: Severity) -> Check {
        Check::new("x", severity, || async { Ok(()) })
    }

    fn state(severity: Severity, started: bool, well: bool, before: State) -> State {
        let error = (!well).then(|| "gone".to_owned());
        judge(&[check(severity)], &[started], vec![error], before).state
    }

    #[test]
    fn what_is_required_decides_readiness_and_the_rest_degrades() {
        use Severity::{Optional, Required, RequiredAtStart};
        use State::{Degraded, NotReady, Ready, Starting};
        assert_eq!(state(Required, true, true, Starting), Ready);
        assert_eq!(state(Required, false, false, Starting), Starting);
        assert_eq!(state(Required, true, false, Ready), NotReady);
        assert_eq!(state(RequiredAtStart, false, false, Starting), Starting);
        assert_eq!(state(RequiredAtStart, true, false, Ready), Degraded);
        assert_eq!(state(Optional, false, false, Starting), Degraded);
        assert_eq!(state(Required, true, true, NotReady), Ready);
    }

    #[test]
    fn a_failing_requirement_outweighs_a_failing_wish_in_either_order() {
        let checks = [check(Severity::Optional), check(Severity::Required)];
        let gone = || vec![Some("gone".to_owned()), Some("gone".to_owned())];
        assert_eq!(judge(&checks, &[true, true], gone(), State::Ready).state, State::NotReady);
        let checks = [check(Severity::Required), check(Severity::Optional)];
        assert_eq!(judge(&checks, &[true, true], gone(), State::Ready).state, State::NotReady);
    }
}
