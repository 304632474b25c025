//! Wallets and the ledger.

use plexus_proto::quota::v1::{
    GetWalletRequest, LedgerAccount, LedgerEntry, ListLedgerEntriesRequest, TopUpRequest,
};

use super::*;

fn top_up(request_id: &str, amount_micros: i64) -> TopUpRequest {
    TopUpRequest { request_id: request_id.to_owned(), subject: ALICE.to_owned(), amount_micros }
}

/// As alice calls.
fn own(mesh: &Harness) -> WalletServiceClient<Channel> {
    WalletServiceClient::new(mesh.channel(ALICE, &["quota.usage.read"]))
}

async fn entries(mesh: &Harness) -> Vec<LedgerEntry> {
    let (mut entries, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListLedgerEntriesRequest { subject: String::new(), page_size: 3, page_token };
        let page = own(mesh).list_ledger_entries(request).await.unwrap().into_inner();
        assert!(page.entries.len() <= 3);
        entries.extend(page.entries);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return entries;
        }
    }
}

#[tokio::test]
async fn a_payment_counts_once_and_makes_the_wallet() {
    let mesh = start().await;
    let absent = own(&mesh).get_wallet(GetWalletRequest::default()).await;
    assert_eq!(refused(absent), refusal(Code::NotFound, "NOT_FOUND"));
    let mut client = wallets(&mesh);
    let first = client.top_up(top_up("payment-1", 1_000_000)).await.unwrap().into_inner();
    assert_eq!(
        (first.available_micros, first.held_micros, first.currency_code.as_str()),
        (1_000_000, 0, "USD")
    );
    assert_eq!(client.top_up(top_up("payment-1", 1_000_000)).await.unwrap().into_inner(), first);
    let reused = client.top_up(top_up("payment-1", 2_000_000)).await;
    assert_eq!(refused(reused), refusal(Code::AlreadyExists, "REQUEST_ID_REUSED"));
    let second = client.top_up(top_up("payment-2", 5)).await.unwrap().into_inner();
    assert_eq!(own(&mesh).get_wallet(GetWalletRequest::default()).await.unwrap().into_inner(), second);
    assert_eq!(second.available_micros, 1_000_005);
    for amount in [0, -1, i64::MAX] {
        assert_eq!(refused(client.top_up(top_up(&id(), amount)).await).0, Code::InvalidArgument);
    }
}

#[tokio::test]
async fn money_is_held_spent_and_given_back_and_the_ledger_tells_it_all() {
    let mesh = start().await;
    wallets(&mesh).top_up(top_up("payment-1", 100)).await.unwrap();
    let mut client = reservations(&mesh);
    let request = reserve(&[(Meter::Money, 60)]);
    client.reserve(request.clone()).await.unwrap();
    let wallet = own(&mesh).get_wallet(GetWalletRequest::default()).await.unwrap().into_inner();
    assert_eq!((wallet.available_micros, wallet.held_micros), (40, 60));
    let status = client.reserve(reserve(&[(Meter::Money, 41)])).await.unwrap_err();
    assert_eq!(status.get_details_error_info().unwrap().reason, "INSUFFICIENT_BALANCE");
    assert!(status.get_details_quota_failure().is_some() && status.get_details_retry_info().is_none());

    client.commit(commit(&request, &[(Meter::Money, 25)])).await.unwrap();
    let wallet = own(&mesh).get_wallet(GetWalletRequest::default()).await.unwrap().into_inner();
    assert_eq!((wallet.available_micros, wallet.held_micros), (75, 0));

    let entries = entries(&mesh).await;
    assert_eq!(entries.iter().map(|entry| entry.amount_micros).sum::<i64>(), 0);
    let sum = |account| -> i64 {
        entries.iter().filter(|entry| entry.account() == account).map(|entry| entry.amount_micros).sum()
    };
    assert_eq!(sum(LedgerAccount::Available), 75);
    assert_eq!(sum(LedgerAccount::Held), 0);
    assert_eq!(sum(LedgerAccount::Revenue), 25);
    assert_eq!(sum(LedgerAccount::External), -100);
    let places: Vec<_> = entries.iter().map(|entry| (entry.transaction_number, entry.line)).collect();
    assert_eq!(places, [(3, 3), (3, 2), (3, 1), (2, 2), (2, 1), (1, 2), (1, 1)]);
}

#[tokio::test]
async fn wallets_of_others_take_a_permission_and_filling_them_another() {
    let mesh = start().await;
    wallets(&mesh).top_up(top_up("payment-1", 100)).await.unwrap();
    let denied = refusal(Code::PermissionDenied, "PERMISSION_DENIED");
    assert_eq!(refused(own(&mesh).top_up(top_up("payment-2", 100)).await), denied);
    let mut bob = WalletServiceClient::new(mesh.channel("user:bob", &["quota.usage.read"]));
    let of_alice = GetWalletRequest { subject: ALICE.to_owned() };
    assert_eq!(refused(bob.get_wallet(of_alice.clone()).await), denied);
    let request = ListLedgerEntriesRequest { subject: ALICE.to_owned(), ..Default::default() };
    assert_eq!(refused(bob.list_ledger_entries(request).await), denied);
    assert_eq!(wallets(&mesh).get_wallet(of_alice).await.unwrap().into_inner().available_micros, 100);
}
