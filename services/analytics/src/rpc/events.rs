//! The service that takes events.

use plexus_proto::analytics::v1::{
    EventOutcome, EventResult, TrackEventRequest, TrackEventResponse, TrackEventsRequest,
    TrackEventsResponse, event_service_server::EventService,
};
use plexus_runtime::{clock, identity::Caller};
use prost::Message as _;
use tonic::{Request, Response, Status};

use super::{Rpc, decode, status};
use crate::{
    access,
    admission::{Author, BATCH_BYTES_MAX, BATCH_EVENTS_MAX, Rejection, WRITE_ANY},
    error::Error,
    tracking::Outcome,
};

#[tonic::async_trait]
impl EventService for Rpc {
    async fn track_event(
        &self,
        request: Request<TrackEventRequest>,
    ) -> Result<Response<TrackEventResponse>, Status> {
        let author = access::own_author(&Caller::of(&request)?)?;
        let event =
            request.into_inner().event.ok_or_else(|| status(Error::invalid("event", "must be set")))?;
        let outcomes = self.tracker.track(&author, vec![decode::draft(event, None)]).await.map_err(status)?;
        let (outcome, time_us) = match outcomes.into_iter().next() {
            Some(Outcome::Accepted(time_us)) => (EventOutcome::Accepted, Some(time_us)),
            Some(Outcome::Rejected(rejection)) => return Err(status(refusal(rejection))),
            Some(Outcome::Duplicate) | None => (EventOutcome::Duplicate, None),
        };
        Ok(Response::new(TrackEventResponse {
            outcome: outcome.into(),
            timestamp: time_us.map(clock::timestamp),
        }))
    }

    async fn track_events(
        &self,
        request: Request<TrackEventsRequest>,
    ) -> Result<Response<TrackEventsResponse>, Status> {
        let author = access::own_author(&Caller::of(&request)?)?;
        self.track_batch(&author, request.into_inner()).await.map_err(status)
    }

    async fn import_events(
        &self,
        request: Request<TrackEventsRequest>,
    ) -> Result<Response<TrackEventsResponse>, Status> {
        let author = access::any_author(&Caller::of(&request)?);
        self.track_batch(&author, request.into_inner()).await.map_err(status)
    }

    async fn record_events(
        &self,
        request: Request<TrackEventsRequest>,
    ) -> Result<Response<TrackEventsResponse>, Status> {
        let author = access::any_author(&Caller::of(&request)?);
        self.track_batch(&author, request.into_inner()).await.map_err(status)
    }
}

impl Rpc {
    async fn track_batch(
        &self,
        author: &Author,
        batch: TrackEventsRequest,
    ) -> Result<Response<TrackEventsResponse>, Error> {
        check_batch(&batch)?;
        let ids: Vec<String> = batch.events.iter().map(|event| event.message_id.clone()).collect();
        let sent_at = batch.sent_at;
        let drafts = batch.events.into_iter().map(|event| decode::draft(event, sent_at.as_ref())).collect();
        let outcomes = self.tracker.track(author, drafts).await?;
        let results = ids.into_iter().zip(outcomes).map(|(id, outcome)| result(id, outcome)).collect();
        Ok(Response::new(answer(results)))
    }
}

fn check_batch(batch: &TrackEventsRequest) -> Result<(), Error> {
    if batch.events.is_empty() || batch.events.len() > BATCH_EVENTS_MAX {
        return Err(Error::invalid("events", format!("must hold 1 to {BATCH_EVENTS_MAX} events")));
    }
    let size = batch.encoded_len();
    if size > BATCH_BYTES_MAX {
        return Err(Error::TooLarge { what: "the batch", size, limit: BATCH_BYTES_MAX });
    }
    Ok(())
}

/// Why a single event is refused.
fn refusal(rejection: Rejection) -> Error {
    if rejection.forbidden {
        return Error::OthersData { permission: WRITE_ANY };
    }
    let field = match rejection.field {
        "event" => "event.event".to_owned(),
        field => format!("event.{field}"),
    };
    Error::invalid(field, rejection.reason)
}

fn result(message_id: String, outcome: Outcome) -> EventResult {
    let result = EventResult { message_id, ..EventResult::default() };
    match outcome {
        Outcome::Accepted(time_us) => EventResult {
            outcome: EventOutcome::Accepted.into(),
            timestamp: Some(clock::timestamp(time_us)),
            ..result
        },
        Outcome::Duplicate => EventResult { outcome: EventOutcome::Duplicate.into(), ..result },
        Outcome::Rejected(rejection) => EventResult {
            outcome: EventOutcome::Rejected.into(),
            field: rejection.field.to_owned(),
            reason: rejection.reason,
            ..result
        },
    }
}

fn answer(results: Vec<EventResult>) -> TrackEventsResponse {
    let count = |outcome: EventOutcome| {
        let count = results.iter().filter(|result| result.outcome() == outcome).count();
        i32::try_from(count).unwrap_or(i32::MAX)
    };
    TrackEventsResponse {
        accepted_count: count(EventOutcome::Accepted),
        duplicate_count: count(EventOutcome::Duplicate),
        rejected_count: count(EventOutcome::Rejected),
        results,
    }
}
