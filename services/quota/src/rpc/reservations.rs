//! Reserving, extending, committing and releasing, for other services.

use plexus_proto::quota::v1::{
    CommitRequest, CommitResponse, ExtendRequest, ExtendResponse, ReleaseRequest, ReleaseResponse,
    ReserveRequest, ReserveResponse, reservation_service_server::ReservationService,
};
use plexus_runtime::status::Problem;
use tonic::{Request, Response, Status};

use super::{Rpc, decode, encode};
use crate::{
    reservation::Ending,
    store::{Extension, Order},
};

#[tonic::async_trait]
impl ReservationService for Rpc {
    async fn reserve(&self, request: Request<ReserveRequest>) -> Result<Response<ReserveResponse>, Status> {
        let write = self.write("Reserve", &request, &request.get_ref().request_id)?;
        let request = request.into_inner();
        let order = Order {
            subject: decode::subject("subject", &request.subject)?,
            amounts: decode::some_amounts(&request.amounts)?,
            ttl_us: decode::ttl_us(request.ttl.as_ref(), self.rules.ttl_us)?,
            reservation_id: request.request_id,
        };
        let answer = self.store.reserve(write, order, encode::reserved).await.map_err(Problem::from)?;
        Ok(Response::new(answer))
    }

    async fn extend(&self, request: Request<ExtendRequest>) -> Result<Response<ExtendResponse>, Status> {
        let write = self.write("Extend", &request, &request.get_ref().request_id)?;
        let request = request.into_inner();
        let extension = Extension {
            reservation_id: decode::reservation_id(&request.reservation_id)?,
            amounts: decode::amounts(&request.amounts)?,
            ttl_us: decode::ttl_us(request.ttl.as_ref(), 0)?,
        };
        let answer = self.store.extend(write, extension, encode::extended).await.map_err(Problem::from)?;
        Ok(Response::new(answer))
    }

    async fn commit(&self, request: Request<CommitRequest>) -> Result<Response<CommitResponse>, Status> {
        let write = self.write("Commit", &request, &request.get_ref().request_id)?;
        let request = request.into_inner();
        let id = decode::reservation_id(&request.reservation_id)?;
        let ending = Ending::Commit(decode::amounts(&request.amounts)?);
        let answer = self.store.end(write, (id, ending), encode::committed).await.map_err(Problem::from)?;
        Ok(Response::new(answer))
    }

    async fn release(&self, request: Request<ReleaseRequest>) -> Result<Response<ReleaseResponse>, Status> {
        let write = self.write("Release", &request, &request.get_ref().request_id)?;
        let id = decode::reservation_id(&request.get_ref().reservation_id)?;
        let answer = self.store.end(write, (id, Ending::Release), encode::released).await;
        Ok(Response::new(answer.map_err(Problem::from)?))
    }
}
