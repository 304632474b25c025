//! The client of the service quota: tokens and one request for each call.

use std::time::Duration;

use plexus_client::Channel;
use plexus_proto::quota::v1::{
    CommitRequest, ExtendRequest, Meter, MeterAmount, ReleaseRequest, ReserveRequest,
    reservation_service_client::ReservationServiceClient,
};
use tonic::Status;

/// The service quota; clones share its connections.
#[derive(Clone)]
pub(crate) struct Quota {
    client: ReservationServiceClient<Channel>,
}

impl Quota {
    /// The service behind `channel`.
    pub(crate) fn new(channel: Channel) -> Self {
        Self { client: ReservationServiceClient::new(channel) }
    }

    /// Reserves `tokens` and one request under `id`.
    pub(crate) async fn reserve(
        &self,
        id: &str,
        subject: &str,
        tokens: i64,
        ttl: Duration,
    ) -> Result<(), Box<Status>> {
        let ttl = prost_types::Duration { seconds: ttl.as_secs().try_into().unwrap_or(i64::MAX), nanos: 0 };
        let request = ReserveRequest {
            request_id: id.to_owned(),
            subject: subject.to_owned(),
            amounts: amounts(tokens),
            ttl: Some(ttl),
        };
        self.client.clone().reserve(request).await.map(drop).map_err(Box::new)
    }

    /// Reserves `tokens` more under `id`.
    pub(crate) async fn extend(&self, request_id: &str, id: &str, tokens: i64) -> Result<(), Box<Status>> {
        let request = ExtendRequest {
            request_id: request_id.to_owned(),
            reservation_id: id.to_owned(),
            amounts: vec![amount(Meter::Tokens, tokens)],
            ttl: None,
        };
        self.client.clone().extend(request).await.map(drop).map_err(Box::new)
    }

    /// Ends `id`: `tokens` and one request were used.
    pub(crate) async fn commit(&self, id: &str, tokens: i64) -> Result<(), Box<Status>> {
        let request = CommitRequest {
            request_id: format!("{id}-c"),
            reservation_id: id.to_owned(),
            amounts: amounts(tokens),
        };
        self.client.clone().commit(request).await.map(drop).map_err(Box::new)
    }

    /// Ends `id`: nothing was used.
    pub(crate) async fn release(&self, id: &str) -> Result<(), Box<Status>> {
        let request = ReleaseRequest { request_id: format!("{id}-r"), reservation_id: id.to_owned() };
        self.client.clone().release(request).await.map(drop).map_err(Box::new)
    }
}

fn amounts(tokens: i64) -> Vec<MeterAmount> {
    vec![amount(Meter::Tokens, tokens), amount(Meter::Requests, 1)]
}

fn amount(meter: Meter, amount: i64) -> MeterAmount {
    MeterAmount { meter: meter.into(), amount }
}
