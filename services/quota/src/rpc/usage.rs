//! Usage, checks and alerts.

use plexus_proto::quota::v1::{
    CheckRequest, CheckResponse, GetUsageRequest, GetUsageResponse, ListAlertsRequest, ListAlertsResponse,
    ListAllAlertsRequest, ListAllAlertsResponse, usage_service_server::UsageService,
};
use plexus_runtime::{page, status::Problem};
use tonic::{Request, Response, Status};

use super::{Rpc, decode, encode, readable_subject};
use crate::{
    limit::{self, Count},
    meter::Meter,
};

#[tonic::async_trait]
impl UsageService for Rpc {
    async fn get_usage(
        &self,
        request: Request<GetUsageRequest>,
    ) -> Result<Response<GetUsageResponse>, Status> {
        let subject = readable_subject(&request, &request.get_ref().subject)?;
        let counts = self.store.usage(&subject, self.clock.now_us()).await.map_err(Problem::from)?;
        let usage = counts.iter().filter(|count| count.is_of_interest());
        Ok(Response::new(GetUsageResponse { usage: usage.map(|c| encode::usage(&subject, c)).collect() }))
    }

    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        let subject = readable_subject(&request, &request.get_ref().subject)?;
        let amounts = decode::some_amounts(&request.get_ref().amounts)?;
        let now_us = self.clock.now_us();

        let mut counts = self.store.usage(&subject, now_us).await.map_err(Problem::from)?;
        counts.retain(|count| count.limit.is_some() && amounts.get(count.meter) > 0);
        let money = amounts.get(Meter::Money);
        let wallet = if money > 0 { self.store.wallet(&subject).await.map_err(Problem::from)? } else { None };
        let balance_insufficient = wallet.is_some_and(|wallet| wallet.available_micros < money);
        let refusal = limit::refusal(&counts, &amounts, now_us);

        let usage = |count: &Count| encode::usage(&subject, count);
        let retry_after = refusal.as_ref().and_then(|r| r.retry_after).filter(|_| !balance_insufficient);
        Ok(Response::new(CheckResponse {
            allowed: refusal.is_none() && !balance_insufficient,
            usage: counts.iter().map(usage).collect(),
            binding: refusal.iter().flat_map(|refusal| &refusal.binding).map(|(c, _)| usage(c)).collect(),
            balance_insufficient,
            retry_delay: retry_after.and_then(|delay| delay.try_into().ok()),
        }))
    }

    async fn list_alerts(
        &self,
        request: Request<ListAlertsRequest>,
    ) -> Result<Response<ListAlertsResponse>, Status> {
        let subject = readable_subject(&request, &request.get_ref().subject)?;
        let size = page::size(request.get_ref().page_size)?;
        let before = decode::alert_page(&request.get_ref().page_token)?;
        let mut alerts = self.store.alerts_of(&subject, &before, size + 1).await.map_err(Problem::from)?;
        let next_page_token = encode::cut_page(&mut alerts, size, encode::alert_key);
        let alerts = alerts.iter().map(encode::alert).collect();
        Ok(Response::new(ListAlertsResponse { alerts, next_page_token }))
    }

    async fn list_all_alerts(
        &self,
        request: Request<ListAllAlertsRequest>,
    ) -> Result<Response<ListAllAlertsResponse>, Status> {
        let size = page::size(request.get_ref().page_size)?;
        let before = decode::alert_page(&request.get_ref().page_token)?;
        let mut alerts = self.store.alerts(&before, size + 1).await.map_err(Problem::from)?;
        let next_page_token = encode::cut_page(&mut alerts, size, encode::alert_key);
        let alerts = alerts.iter().map(encode::alert).collect();
        Ok(Response::new(ListAllAlertsResponse { alerts, next_page_token }))
    }
}
