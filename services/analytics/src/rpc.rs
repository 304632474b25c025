//! The generated traits: decode, ask the domain, encode.

mod decode;
mod encode;
mod events;
mod insights;
mod metrics;
mod reports;

use std::sync::Arc;

use plexus_proto::analytics::v1::{
    event_service_server::EventServiceServer, insight_service_server::InsightServiceServer,
    metrics_service_server::MetricsServiceServer, report_service_server::ReportServiceServer,
};
use plexus_runtime::{
    clock::{self, Clock},
    status::Problem,
    tasks::Tasks,
};
use prost_types::Timestamp;
use tonic::{Status, service::Routes};

use crate::{
    admission::BATCH_BYTES_MAX, calendar::Asked, error::Error, live::Live, recommender::Recommender,
    store::Store, tracking::Tracker, watch::Watchers,
};

/// What the server reads at most: a whole batch, and a little more, so that a batch that is too large is told so.
const REQUEST_BYTES_MAX: usize = 2 * BATCH_BYTES_MAX;

/// What the RPCs are answered from.
pub(crate) struct Rpc {
    pub(crate) store: Store,
    pub(crate) tracker: Tracker,
    pub(crate) live: Arc<Live>,
    pub(crate) watchers: Arc<Watchers>,
    pub(crate) recommender: Recommender,
    pub(crate) clock: Clock,
    pub(crate) tasks: Tasks,
}

impl Rpc {
    /// All services of the contract.
    pub(crate) fn routes(self) -> Routes {
        let rpc = Arc::new(self);
        let events =
            EventServiceServer::from_arc(Arc::clone(&rpc)).max_decoding_message_size(REQUEST_BYTES_MAX);
        Routes::new(events)
            .add_service(MetricsServiceServer::from_arc(Arc::clone(&rpc)))
            .add_service(InsightServiceServer::from_arc(Arc::clone(&rpc)))
            .add_service(ReportServiceServer::from_arc(rpc))
    }
}

/// The status of a refusal or failure.
fn status(error: Error) -> Status {
    Problem::from(error).into()
}

/// The range that a request asks for.
fn asked(start_time: Option<&Timestamp>, end_time: Option<&Timestamp>) -> Result<Asked, Problem> {
    Ok(Asked {
        start_us: start_time.map(|time| clock::micros("start_time", time)).transpose()?,
        end_us: end_time.map(|time| clock::micros("end_time", time)).transpose()?,
    })
}
