//! Setting, getting, listing and deleting limits.

use plexus_proto::quota::v1::{
    DeleteLimitRequest, DeleteLimitResponse, GetLimitRequest, Limit, ListLimitsRequest, ListLimitsResponse,
    SetLimitRequest, limit_service_server::LimitService,
};
use plexus_runtime::{page, status::Problem};
use tonic::{Request, Response, Status};

use super::{Rpc, decode, encode};
use crate::store::LimitKey;

#[tonic::async_trait]
impl LimitService for Rpc {
    async fn set_limit(&self, request: Request<SetLimitRequest>) -> Result<Response<Limit>, Status> {
        let write = self.write("SetLimit", &request, &request.get_ref().request_id)?;
        let limit = request.into_inner().limit.unwrap_or_default();
        let key = LimitKey {
            subject: decode::subject("limit.subject", &limit.subject)?,
            meter: decode::meter("limit.meter", limit.meter)?,
            window: decode::window("limit.window", limit.window)?,
        };
        let amount = decode::limit_amount("limit.amount", limit.amount)?;
        let limit = self.store.set_limit(write, (key, amount), encode::limit).await.map_err(Problem::from)?;
        Ok(Response::new(limit))
    }

    async fn get_limit(&self, request: Request<GetLimitRequest>) -> Result<Response<Limit>, Status> {
        let request = request.into_inner();
        let key = LimitKey {
            subject: decode::subject("subject", &request.subject)?,
            meter: decode::meter("meter", request.meter)?,
            window: decode::window("window", request.window)?,
        };
        let limit = self.store.limit(key).await.map_err(Problem::from)?;
        Ok(Response::new(encode::limit(&limit)))
    }

    async fn list_limits(
        &self,
        request: Request<ListLimitsRequest>,
    ) -> Result<Response<ListLimitsResponse>, Status> {
        let request = request.into_inner();
        let size = page::size(request.page_size)?;
        let after = decode::limit_page(&request.page_token)?;
        let limits = if request.subject.is_empty() {
            self.store.limits(after, size + 1).await
        } else {
            let subject = decode::subject("subject", &request.subject)?;
            self.store.limits_of(&subject, after, size + 1).await
        };
        let mut limits = limits.map_err(Problem::from)?;
        let next_page_token = encode::cut_page(&mut limits, size, encode::limit_key);
        let limits = limits.iter().map(encode::limit).collect();
        Ok(Response::new(ListLimitsResponse { limits, next_page_token }))
    }

    async fn delete_limit(
        &self,
        request: Request<DeleteLimitRequest>,
    ) -> Result<Response<DeleteLimitResponse>, Status> {
        let write = self.write("DeleteLimit", &request, &request.get_ref().request_id)?;
        let request = request.into_inner();
        let key = LimitKey {
            subject: decode::subject("subject", &request.subject)?,
            meter: decode::meter("meter", request.meter)?,
            window: decode::window("window", request.window)?,
        };
        let deleted = self.store.delete_limit(write, key, || DeleteLimitResponse {}).await;
        Ok(Response::new(deleted.map_err(Problem::from)?))
    }
}
