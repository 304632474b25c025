//! Puts a load report into the trailers of every answer (ORCA, gRFC A51), for clients that balance by it.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    middleware::Next,
};
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use plexus_client::load_report::{LOAD_REPORT, LoadReport};
use tonic::Status;

use super::{Admission, Load, Response};
use crate::telemetry::is_server_error;

/// The named metric that Prequal's rule asks for: the calls under way besides the one that reports.
const IN_FLIGHT: &str = "in_flight";

pub(super) async fn report(State(reporter): State<Reporter>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    // A call refused or failed before its first message has its trailers in the headers and no body.
    if response.headers().contains_key(Status::GRPC_STATUS) {
        reporter.add(response.headers_mut());
        return response;
    }
    response.map(|inner| Body::new(Reported { inner, reporter }))
}

/// What a report is made of.
#[derive(Clone)]
pub(super) struct Reporter {
    admission: Arc<Admission>,
    load: Arc<Load>,
}

impl Reporter {
    pub(super) fn new(admission: Arc<Admission>, load: Arc<Load>) -> Self {
        Self { admission, load }
    }

    /// Counts the call that ends with `trailers`, and adds a report to them.
    fn add(&self, trailers: &mut HeaderMap) {
        let code = Status::from_header_map(trailers).map(|status| status.code());
        self.load.count(code.is_some_and(is_server_error));
        match self.report().to_trailer() {
            Ok(mut value) => {
                // No two are alike: HTTP/2 must not keep them in its table of headers, where they would displace others.
                value.set_sensitive(true);
                trailers.insert(LOAD_REPORT, value);
            }
            Err(error) => tracing::debug!(%error, "no load report"),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "calls under way are far below 2^52")]
    fn report(&self) -> LoadReport {
        let rates = self.load.rates();
        let in_flight = self.admission.in_flight() as f64;
        LoadReport {
            // With the call that reports, since 0 would stand for "unknown".
            application_utilization: (in_flight + 1.0) / self.admission.places_max() as f64,
            cpu_utilization: rates.cpu,
            rps_fractional: rates.calls_per_second,
            eps: rates.errors_per_second,
            named_metrics: BTreeMap::from([(IN_FLIGHT.to_owned(), in_flight)]),
            ..LoadReport::default()
        }
    }
}

/// A body whose trailers carry a report.
struct Reported {
    inner: Body,
    reporter: Reporter,
}

impl HttpBody for Reported {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut polled = Pin::new(&mut self.inner).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &mut polled
            && let Some(trailers) = frame.trailers_mut()
        {
            self.reporter.add(trailers);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
