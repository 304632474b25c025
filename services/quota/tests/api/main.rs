//! The quota service from outside: every RPC, over real sockets.
#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that goes wrong")]

mod limits;
mod reservations;
mod restart;
mod usage;
mod wallets;

use plexus_client::Channel;
use plexus_proto::quota::v1::{
    CommitRequest, Meter, MeterAmount, ReserveRequest, SetLimitRequest, Usage, Window,
    limit_service_client::LimitServiceClient, reservation_service_client::ReservationServiceClient,
    usage_service_client::UsageServiceClient, wallet_service_client::WalletServiceClient,
};
use plexus_quota::{Quota, Settings};
use plexus_runtime::clock::Clock;
use plexus_testkit::Harness;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

/// 2026-11-21T04:54:05.5Z: in the middle of a minute, an hour, a day and a month.
const NOW_US: i64 = 1_795_236_845_500_000;
const ALICE: &str = "user:alice";

/// The service with a clock that the test moves, and no default limits.
async fn start() -> Harness {
    let settings = Settings { default_tokens: plexus_quota::PerWindow::default(), ..Settings::default() };
    Harness::of::<Quota>().settings(settings).clock(Clock::manual(NOW_US)).start().await.unwrap()
}

fn limits(mesh: &Harness) -> LimitServiceClient<Channel> {
    LimitServiceClient::new(mesh.channel("user:admin", &["quota.limits.read", "quota.limits.write"]))
}

/// As the service `ai` calls.
fn reservations(mesh: &Harness) -> ReservationServiceClient<Channel> {
    ReservationServiceClient::new(mesh.service_channel("ai"))
}

/// As alice calls.
fn usage(mesh: &Harness) -> UsageServiceClient<Channel> {
    UsageServiceClient::new(mesh.channel(ALICE, &["quota.usage.read"]))
}

/// As an operator calls.
fn wallets(mesh: &Harness) -> WalletServiceClient<Channel> {
    let permissions = ["quota.wallets.write", "quota.usage.read", "quota.usage.read_all"];
    WalletServiceClient::new(mesh.channel("user:admin", &permissions))
}

fn id() -> String {
    Uuid::now_v7().to_string()
}

fn amounts(named: &[(Meter, i64)]) -> Vec<MeterAmount> {
    named.iter().map(|(meter, amount)| MeterAmount { meter: (*meter).into(), amount: *amount }).collect()
}

fn set_limit(meter: Meter, window: Window, amount: i64) -> SetLimitRequest {
    let limit = plexus_proto::quota::v1::Limit {
        subject: ALICE.to_owned(),
        meter: meter.into(),
        window: window.into(),
        amount,
        ..Default::default()
    };
    SetLimitRequest { request_id: id(), limit: Some(limit) }
}

fn reserve(named: &[(Meter, i64)]) -> ReserveRequest {
    ReserveRequest { request_id: id(), subject: ALICE.to_owned(), amounts: amounts(named), ttl: None }
}

fn commit(reservation: &ReserveRequest, named: &[(Meter, i64)]) -> CommitRequest {
    let reservation_id = reservation.request_id.clone();
    CommitRequest { request_id: id(), reservation_id, amounts: amounts(named) }
}

/// Reserves and commits in one go.
async fn spend(mesh: &Harness, named: &[(Meter, i64)]) {
    let mut client = reservations(mesh);
    let request = reserve(named);
    client.reserve(request.clone()).await.unwrap();
    client.commit(commit(&request, named)).await.unwrap();
}

/// The one among `usage` with this window.
fn of(usage: &[Usage], meter: Meter, window: Window) -> Usage {
    let found = usage.iter().find(|usage| usage.meter() == meter && usage.window() == window);
    found.cloned().unwrap()
}

/// The code and reason of a refusal.
fn refused<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String) {
    let status = answer.unwrap_err();
    let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
    (status.code(), reason)
}

/// `refused` as tests write it down.
fn refusal(code: Code, reason: &str) -> (Code, String) {
    (code, reason.to_owned())
}
