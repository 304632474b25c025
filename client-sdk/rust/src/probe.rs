//! Asks endpoints how busy they are, for policies that want to know.

use std::{sync::Arc, time::Duration};

use http::HeaderMap;
use tokio::time::Instant;
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
    health_client::HealthClient,
};

use crate::{
    connect::Connect,
    connection::Stream,
    direct::Direct,
    endpoint::{Endpoint, Probing},
    limits::{Limit, Permit},
    load_report::LoadReport,
    pick::Probe,
    pool::{Pool, Rotation},
};

/// The most probes of one channel under way at once. Ten thousand calls a second ask for thirty thousand
/// probes, of which 30 are under way when each takes a millisecond; three times as many say that probes
/// take longer than the next ones wait, and that fewer would tell as much.
const PROBES_IN_FLIGHT_MAX: usize = 100;

/// How long a probe may take: half of the time for which Prequal uses a reply. What comes later is about
/// a load that is gone.
const PROBE_TIMEOUT: Duration = Duration::from_millis(500);

/// The named metric of a load report with the calls of all clients that the replica has in hand.
const IN_FLIGHT: &str = "in_flight";

/// The probes of one channel.
pub(crate) struct Probes(Arc<Limit>);

impl Probes {
    pub(crate) fn new() -> Self {
        Self(Limit::new(PROBES_IN_FLIGHT_MAX))
    }

    /// Sends a probe to the endpoint with this index, and hands its answer to the rotation's picker.
    ///
    /// Nobody is asked while an answer is outstanding: a second one would say the same, and a replica that
    /// hangs would take the places of the others. Nor is anybody whose streams have all been taken, since
    /// the probe would wait for calls to end.
    pub(crate) fn send(&self, pool: &Arc<Pool>, rotation: &Arc<Rotation>, index: usize) {
        let Some(endpoint) = rotation.endpoints.get(index) else { return };
        let Some(permit) = self.0.enter() else { return };
        let Some(probing) = endpoint.probe() else { return };
        let Ok(stream) = endpoint.stream() else { return };
        let question = Question {
            endpoint: Arc::clone(endpoint),
            stream,
            service: pool.settings.health_service.clone().unwrap_or_default(),
            _held: (permit, probing),
        };
        let (connector, rotation) = (Arc::clone(&pool.connector), Arc::clone(rotation));
        tokio::spawn(async move {
            if let Some(probe) = question.ask(&*connector).await {
                rotation.picker.observe(index, probe, Instant::now());
            }
        });
    }
}

/// One probe.
struct Question {
    endpoint: Arc<Endpoint>,
    stream: Stream,
    service: String,
    _held: (Permit, Probing),
}

impl Question {
    /// What the endpoint answers; nothing when it does not answer in time, or says that it does not serve.
    async fn ask(self, connector: &dyn Connect) -> Option<Probe> {
        let began = Instant::now();
        let mut client = HealthClient::new(Direct::new(connector, &self.endpoint, self.stream.connection()));
        let mut request = Request::new(HealthCheckRequest { service: self.service });
        request.set_timeout(PROBE_TIMEOUT);
        let answer = tokio::time::timeout(PROBE_TIMEOUT, client.check(request)).await.ok()?;
        drop(self.stream);
        let metadata = metadata(answer)?;
        let now = Instant::now();
        let load = self.endpoint.load();
        let report = LoadReport::from_trailers(&metadata).ok().flatten();
        Some(Probe {
            in_flight: report.as_ref().and_then(in_flight).unwrap_or_else(|| load.in_flight()),
            latency: load.latency(now).unwrap_or_else(|| now.saturating_duration_since(began)),
        })
    }
}

/// What the answer of a replica that serves carries: headers and trailers, as tonic merges them.
fn metadata(answer: Result<Response<HealthCheckResponse>, Status>) -> Option<HeaderMap> {
    match answer {
        Ok(answer) if answer.get_ref().status() == ServingStatus::Serving => {
            Some(answer.metadata().clone().into_headers())
        }
        Ok(_) => None,
        // Without a health service it is not known to be ill (A17), and has answered as quickly.
        Err(status) if status.code() == Code::Unimplemented => Some(status.metadata().clone().into_headers()),
        Err(_) => None,
    }
}

/// The calls in hand by the replica's own word.
fn in_flight(report: &LoadReport) -> Option<usize> {
    let calls = *report.named_metrics.get(IN_FLIGHT)?;
    // A cast saturates; a number that is none, or less than none, says nothing.
    (calls >= 0.0).then_some(calls as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_that_serves_or_cannot_say_is_heard_and_no_other() {
        let answer = |status: ServingStatus| {
            let mut response = Response::new(HealthCheckResponse { status: status.into() });
            response.metadata_mut().insert("key", "value".parse().unwrap());
            Ok(response)
        };
        let heard = metadata(answer(ServingStatus::Serving)).unwrap();
        assert_eq!(heard["key"], "value");
        assert!(metadata(Err(Status::unimplemented(""))).is_some());
        assert!(metadata(answer(ServingStatus::NotServing)).is_none());
        assert!(metadata(Err(Status::unavailable(""))).is_none());
    }

    #[test]
    fn only_a_number_of_calls_counts_as_one() {
        let report = |calls: f64| {
            let named_metrics = [(IN_FLIGHT.to_owned(), calls)].into();
            LoadReport { named_metrics, ..LoadReport::default() }
        };
        for (calls, expected) in [(0.0, Some(0)), (7.9, Some(7)), (-1.0, None), (f64::NAN, None)] {
            assert_eq!(in_flight(&report(calls)), expected, "{calls}");
        }
        assert_eq!(in_flight(&report(f64::INFINITY)), Some(usize::MAX));
        assert_eq!(in_flight(&LoadReport::default()), None);
    }
}
