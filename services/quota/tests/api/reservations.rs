//! Reserve, extend, commit, release.

use std::time::Duration;

use plexus_proto::quota::v1::{AlertLevel, ExtendRequest, GetUsageRequest, ReleaseRequest, ReservationState};

use super::*;

fn release(reservation: &ReserveRequest) -> ReleaseRequest {
    ReleaseRequest { request_id: id(), reservation_id: reservation.request_id.clone() }
}

fn extend(reservation: &ReserveRequest, named: &[(Meter, i64)], ttl_seconds: i64) -> ExtendRequest {
    let ttl = (ttl_seconds > 0).then_some(prost_types::Duration { seconds: ttl_seconds, nanos: 0 });
    ExtendRequest {
        request_id: id(),
        reservation_id: reservation.request_id.clone(),
        amounts: amounts(named),
        ttl,
    }
}

#[tokio::test]
async fn a_piece_of_work_reserves_extends_and_commits_what_it_used() {
    let mesh = start().await;
    limits(&mesh).set_limit(set_limit(Meter::Tokens, Window::Day, 100)).await.unwrap();
    let mut client = reservations(&mesh);

    let request = reserve(&[(Meter::Tokens, 40), (Meter::Requests, 1)]);
    let answer = client.reserve(request.clone()).await.unwrap().into_inner();
    let reservation = answer.reservation.unwrap();
    assert_eq!(reservation.reservation_id, request.request_id);
    assert_eq!(reservation.state(), ReservationState::Pending);
    assert_eq!(reservation.reserved_amounts, amounts(&[(Meter::Tokens, 40), (Meter::Requests, 1)]));
    let lasts = reservation.expire_time.unwrap().seconds - reservation.create_time.unwrap().seconds;
    assert_eq!(lasts, 300);
    // Only what has a limit is told.
    let told: Vec<_> = answer.usage.iter().map(|u| (u.meter(), u.window(), u.pending, u.remaining)).collect();
    assert_eq!(told, [(Meter::Tokens, Window::Day, 40, Some(60))]);

    let longer = client.extend(extend(&request, &[(Meter::Tokens, 50)], 600)).await.unwrap().into_inner();
    let longer = longer.reservation.unwrap();
    assert_eq!(longer.reserved_amounts, amounts(&[(Meter::Tokens, 90), (Meter::Requests, 1)]));
    assert_eq!(longer.expire_time.unwrap().seconds - longer.create_time.unwrap().seconds, 600);
    let too_much = client.extend(extend(&request, &[(Meter::Tokens, 11)], 0)).await;
    assert_eq!(refused(too_much), refusal(Code::ResourceExhausted, "LIMIT_EXCEEDED"));

    let spent = [(Meter::Tokens, 85), (Meter::Requests, 1)];
    let answer = client.commit(commit(&request, &spent)).await.unwrap().into_inner();
    let posted = answer.reservation.unwrap();
    assert_eq!(posted.state(), ReservationState::Posted);
    assert_eq!(posted.committed_amounts, amounts(&spent));
    let day = of(&answer.usage, Meter::Tokens, Window::Day);
    assert_eq!((day.posted, day.pending, day.remaining), (85, 0, Some(15)));
    assert_eq!(day.alert_level(), AlertLevel::Warning);
}

#[tokio::test]
async fn a_refusal_names_the_limit_and_when_to_try_again() {
    let mesh = start().await;
    limits(&mesh).set_limit(set_limit(Meter::Tokens, Window::Day, 100)).await.unwrap();
    limits(&mesh).set_limit(set_limit(Meter::Tokens, Window::Hour, 100)).await.unwrap();
    let mut client = reservations(&mesh);
    client.reserve(reserve(&[(Meter::Tokens, 99)])).await.unwrap();
    let request = reserve(&[(Meter::Requests, 1), (Meter::Tokens, 2)]);
    let status = client.reserve(request.clone()).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    let details = status.get_error_details();
    let info = details.error_info().unwrap();
    assert_eq!(info.reason, "LIMIT_EXCEEDED");
    let told = ["meter", "window", "limit", "remaining", "requested"].map(|key| info.metadata[key].as_str());
    assert_eq!(told, ["tokens", "day", "100", "1", "2"]);
    let named: Vec<_> =
        details.quota_failure().unwrap().violations.iter().map(|v| v.description.as_str()).collect();
    assert_eq!(
        named,
        [
            "100 tokens per hour: 1 are left, 2 were asked for",
            "100 tokens per day: 1 are left, 2 were asked for"
        ]
    );
    // Until midnight, to the microsecond.
    let until_midnight = Duration::from_micros(68_754_500_000);
    assert_eq!(details.retry_info().unwrap().retry_delay, Some(until_midnight));

    // Nothing of the refused request is left, and it may be repeated under its id.
    let usage = usage(&mesh).get_usage(GetUsageRequest::default()).await.unwrap().into_inner().usage;
    assert!(usage.iter().all(|usage| usage.meter() == Meter::Tokens));
    mesh.clock().advance(until_midnight);
    assert!(client.reserve(request).await.is_ok());

    let hopeless = client.reserve(reserve(&[(Meter::Tokens, 101)])).await.unwrap_err();
    assert!(hopeless.get_details_retry_info().is_none(), "waiting does not help");
}

#[tokio::test]
async fn each_write_is_done_once_however_often_it_is_sent() {
    let mesh = start().await;
    limits(&mesh).set_limit(set_limit(Meter::Tokens, Window::Day, 100)).await.unwrap();
    let mut client = reservations(&mesh);
    let request = reserve(&[(Meter::Tokens, 40)]);
    let first = client.reserve(request.clone()).await.unwrap().into_inner();
    assert_eq!(client.reserve(request.clone()).await.unwrap().into_inner(), first);
    let extension = extend(&request, &[(Meter::Tokens, 5)], 0);
    client.extend(extension.clone()).await.unwrap();
    client.extend(extension.clone()).await.unwrap();
    let ending = commit(&request, &[(Meter::Tokens, 30)]);
    let committed = client.commit(ending.clone()).await.unwrap().into_inner();
    assert_eq!(client.commit(ending.clone()).await.unwrap().into_inner(), committed);
    client.commit(commit(&request, &[(Meter::Tokens, 30)])).await.unwrap();
    let day = of(&committed.usage, Meter::Tokens, Window::Day);
    assert_eq!((day.posted, day.pending), (30, 0));

    let reused = refusal(Code::AlreadyExists, "REQUEST_ID_REUSED");
    let other = ReserveRequest { amounts: amounts(&[(Meter::Tokens, 41)]), ..request.clone() };
    assert_eq!(refused(client.reserve(other).await), reused);
    let other = CommitRequest { amounts: amounts(&[(Meter::Tokens, 31)]), ..ending };
    assert_eq!(refused(client.commit(other).await), reused);
    let other = ExtendRequest { amounts: vec![], ..extension };
    assert_eq!(refused(client.extend(other).await), reused);
    // The id of a reservation is unique among services.
    let mut card = ReservationServiceClient::new(mesh.service_channel("card"));
    assert_eq!(refused(card.reserve(request.clone()).await), reused);

    let usage = usage(&mesh).get_usage(GetUsageRequest::default()).await.unwrap().into_inner().usage;
    let day = of(&usage, Meter::Tokens, Window::Day);
    assert_eq!((day.posted, day.pending), (30, 0));
}

#[tokio::test]
async fn a_release_gives_everything_back_and_ends_the_reservation() {
    let mesh = start().await;
    limits(&mesh).set_limit(set_limit(Meter::Tokens, Window::Month, 10)).await.unwrap();
    let mut client = reservations(&mesh);
    let request = reserve(&[(Meter::Tokens, 10)]);
    client.reserve(request.clone()).await.unwrap();
    let released = client.release(release(&request)).await.unwrap().into_inner().reservation.unwrap();
    assert_eq!(released.state(), ReservationState::Voided);
    assert_eq!(client.release(release(&request)).await.unwrap().into_inner().reservation.unwrap(), released);
    let again = reserve(&[(Meter::Tokens, 10)]);
    client.reserve(again.clone()).await.unwrap();

    let wrong = refusal(Code::FailedPrecondition, "WRONG_STATE");
    assert_eq!(refused(client.commit(commit(&request, &[(Meter::Tokens, 1)])).await), wrong);
    assert_eq!(refused(client.extend(extend(&request, &[], 60)).await), wrong);
    client.commit(commit(&again, &[(Meter::Tokens, 1)])).await.unwrap();
    assert_eq!(refused(client.commit(commit(&again, &[(Meter::Tokens, 2)])).await), wrong);
    assert_eq!(refused(client.release(release(&again)).await), wrong);

    let unknown = refusal(Code::NotFound, "NOT_FOUND");
    let nothing = reserve(&[]);
    assert_eq!(refused(client.commit(commit(&nothing, &[])).await), unknown);
    assert_eq!(refused(client.release(release(&nothing)).await), unknown);
    assert_eq!(refused(client.extend(extend(&nothing, &[], 60)).await), unknown);
}

#[tokio::test]
async fn a_user_without_a_limit_of_their_own_has_the_default() {
    let mut settings = Settings::default();
    settings.default_tokens.per_day = 50;
    let mesh = Harness::of::<Quota>().settings(settings).clock(Clock::manual(NOW_US)).start().await.unwrap();
    let mut client = reservations(&mesh);
    let answer = client.reserve(reserve(&[(Meter::Tokens, 50)])).await.unwrap().into_inner();
    let day = of(&answer.usage, Meter::Tokens, Window::Day);
    assert_eq!((day.limit, day.limit_is_default), (Some(50), true));
    let refused_now = refused(client.reserve(reserve(&[(Meter::Tokens, 1)])).await);
    assert_eq!(refused_now, refusal(Code::ResourceExhausted, "LIMIT_EXCEEDED"));
    let raised = set_limit(Meter::Tokens, Window::Day, 51);
    limits(&mesh).set_limit(raised).await.unwrap();
    client.reserve(reserve(&[(Meter::Tokens, 1)])).await.unwrap();
}

#[tokio::test]
async fn only_services_reserve_and_only_for_users() {
    let mesh = start().await;
    let everything = ["quota.limits.write", "quota.wallets.write", "quota.usage.read_all"];
    let mut person = ReservationServiceClient::new(mesh.channel(ALICE, &everything));
    let denied = refusal(Code::PermissionDenied, "PERMISSION_DENIED");
    let request = reserve(&[(Meter::Tokens, 1)]);
    assert_eq!(refused(person.reserve(request.clone()).await), denied);
    assert_eq!(refused(person.extend(extend(&request, &[], 60)).await), denied);
    assert_eq!(refused(person.commit(commit(&request, &[])).await), denied);
    assert_eq!(refused(person.release(release(&request)).await), denied);

    let mut client = reservations(&mesh);
    let for_a_service = ReserveRequest { subject: "service:ai".to_owned(), ..request.clone() };
    assert_eq!(refused(client.reserve(for_a_service).await).0, Code::InvalidArgument);
    let for_nothing = ReserveRequest { amounts: vec![], ..request.clone() };
    assert_eq!(refused(client.reserve(for_nothing).await).0, Code::InvalidArgument);
    let too_long = Some(prost_types::Duration { seconds: 3601, nanos: 0 });
    assert_eq!(
        refused(client.reserve(ReserveRequest { ttl: too_long, ..request }).await).0,
        Code::InvalidArgument
    );
}
