//! A service that ends between reserve and commit, and the callers that never come back.

use std::time::Duration;

use plexus_proto::quota::v1::{GetUsageRequest, GetWalletRequest, TopUpRequest};

use super::*;

/// Far more rounds than the loop under test needs; a broken one fails here instead of hanging.
const ASKED_MAX: usize = 20_000;

async fn start_on(folder: Option<tempfile::TempDir>, clock: &Clock) -> Harness {
    let settings = Settings { expire_interval_ms: 10, ..Settings::default() };
    let builder = Harness::of::<Quota>().settings(settings).clock(clock.clone());
    match folder {
        Some(folder) => builder.start_in(folder).await.unwrap(),
        None => builder.start().await.unwrap(),
    }
}

async fn day(mesh: &Harness) -> (i64, i64) {
    let usage = usage(mesh).get_usage(GetUsageRequest::default()).await.unwrap().into_inner().usage;
    let day = of(&usage, Meter::Tokens, Window::Day);
    (day.posted, day.pending)
}

/// Asks until nothing is pending; nothing but the background loop of the service can bring that about.
async fn until_nothing_is_pending(mesh: &Harness) {
    for _ in 0..ASKED_MAX {
        if day(mesh).await.1 == 0 {
            return;
        }
    }
    panic!("an overdue reservation was not expired");
}

#[tokio::test]
async fn a_reservation_whose_owner_and_service_are_gone_expires_after_the_restart() {
    let clock = Clock::manual(NOW_US);
    let mesh = start_on(None, &clock).await;
    let top_up = TopUpRequest { request_id: id(), subject: ALICE.to_owned(), amount_micros: 10 };
    wallets(&mesh).top_up(top_up).await.unwrap();
    let abandoned = reserve(&[(Meter::Tokens, 70), (Meter::Money, 10)]);
    reservations(&mesh).reserve(abandoned.clone()).await.unwrap();
    let folder = mesh.stop().await;

    let mesh = start_on(folder, &clock).await;
    assert_eq!(day(&mesh).await, (0, 70), "what was acknowledged is still there");
    clock.advance(Duration::from_secs(300));
    until_nothing_is_pending(&mesh).await;
    assert_eq!(day(&mesh).await, (0, 0));
    let request = GetWalletRequest { subject: ALICE.to_owned() };
    let wallet = wallets(&mesh).get_wallet(request).await.unwrap().into_inner();
    assert_eq!((wallet.available_micros, wallet.held_micros), (10, 0));

    // The owner comes back after all: what it spent is real.
    reservations(&mesh).commit(commit(&abandoned, &[(Meter::Tokens, 66)])).await.unwrap();
    assert_eq!(day(&mesh).await, (66, 0));
}

#[tokio::test]
async fn an_answer_that_was_lost_is_given_again_after_the_restart() {
    let clock = Clock::manual(NOW_US);
    let mesh = start_on(None, &clock).await;
    let request = reserve(&[(Meter::Tokens, 70)]);
    let first = reservations(&mesh).reserve(request.clone()).await.unwrap().into_inner();
    let folder = mesh.stop().await;
    let mesh = start_on(folder, &clock).await;
    assert_eq!(reservations(&mesh).reserve(request).await.unwrap().into_inner(), first);
    assert_eq!(day(&mesh).await, (0, 70));
}
