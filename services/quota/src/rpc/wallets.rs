//! Top-ups, balances and the ledger.

use std::sync::Arc;

use plexus_proto::quota::v1::{
    GetWalletRequest, ListLedgerEntriesRequest, ListLedgerEntriesResponse, TopUpRequest, Wallet,
    wallet_service_server::WalletService,
};
use plexus_runtime::{page, status::Problem};
use tonic::{Request, Response, Status};

use super::{Rpc, decode, encode, readable_subject};
use crate::{error::Error, store::TopUp};

#[tonic::async_trait]
impl WalletService for Rpc {
    async fn top_up(&self, request: Request<TopUpRequest>) -> Result<Response<Wallet>, Status> {
        let write = self.write("TopUp", &request, &request.get_ref().request_id)?;
        let request = request.into_inner();
        let subject = decode::subject("subject", &request.subject)?;
        let amount_micros = decode::top_up_micros(request.amount_micros)?;
        let (rules, owner) = (Arc::clone(&self.rules), subject.clone());
        let top_up = TopUp { request_id: request.request_id, subject, amount_micros };
        let answer = self
            .store
            .top_up(write, top_up, move |wallet| encode::wallet(&owner, wallet, &rules.currency_code))
            .await;
        Ok(Response::new(answer.map_err(Problem::from)?))
    }

    async fn get_wallet(&self, request: Request<GetWalletRequest>) -> Result<Response<Wallet>, Status> {
        let subject = readable_subject(&request, &request.get_ref().subject)?;
        let wallet = self.store.wallet(&subject).await.map_err(Problem::from)?;
        let wallet = wallet
            .ok_or_else(|| Error::WalletNotFound { subject: subject.clone() })
            .map_err(Problem::from)?;
        Ok(Response::new(encode::wallet(&subject, &wallet, &self.rules.currency_code)))
    }

    async fn list_ledger_entries(
        &self,
        request: Request<ListLedgerEntriesRequest>,
    ) -> Result<Response<ListLedgerEntriesResponse>, Status> {
        let subject = readable_subject(&request, &request.get_ref().subject)?;
        let size = page::size(request.get_ref().page_size)?;
        let before = decode::entry_page(&request.get_ref().page_token)?;
        let mut entries = self.store.entries(&subject, before, size + 1).await.map_err(Problem::from)?;
        let next_page_token = encode::cut_page(&mut entries, size, encode::entry_key);
        let entries = entries.iter().map(encode::entry).collect();
        Ok(Response::new(ListLedgerEntriesResponse { entries, next_page_token }))
    }
}
