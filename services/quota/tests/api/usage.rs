//! Usage, checks, alerts.

use plexus_proto::quota::v1::{
    Alert, AlertLevel, CheckRequest, CheckResponse, GetUsageRequest, ListAlertsRequest, ListAllAlertsRequest,
    TopUpRequest,
};

use super::*;

async fn check(mesh: &Harness, named: &[(Meter, i64)]) -> CheckResponse {
    let request = CheckRequest { subject: String::new(), amounts: amounts(named) };
    usage(mesh).check(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn usage_tells_limit_spent_reserved_and_left_in_each_period() {
    let mesh = start().await;
    limits(&mesh).set_limit(set_limit(Meter::Tokens, Window::Day, 100)).await.unwrap();
    limits(&mesh).set_limit(set_limit(Meter::Money, Window::Month, 7)).await.unwrap();
    spend(&mesh, &[(Meter::Tokens, 30)]).await;
    reservations(&mesh).reserve(reserve(&[(Meter::Tokens, 20)])).await.unwrap();

    let usage = usage(&mesh).get_usage(GetUsageRequest::default()).await.unwrap().into_inner().usage;
    let told: Vec<_> =
        usage.iter().map(|u| (u.meter(), u.window(), u.limit, u.posted, u.pending, u.remaining)).collect();
    assert_eq!(
        told,
        [
            (Meter::Tokens, Window::Minute, None, 30, 20, None),
            (Meter::Tokens, Window::Hour, None, 30, 20, None),
            (Meter::Tokens, Window::Day, Some(100), 30, 20, Some(50)),
            (Meter::Tokens, Window::Month, None, 30, 20, None),
            (Meter::Money, Window::Month, Some(7), 0, 0, Some(7)),
        ]
    );
    let day = of(&usage, Meter::Tokens, Window::Day);
    let period = day.period_start_time.unwrap().seconds..day.period_end_time.unwrap().seconds;
    assert_eq!(period, 1_795_219_200..1_795_305_600);
    assert_eq!((day.alert_level(), day.subject.as_str()), (AlertLevel::None, ALICE));
}

#[tokio::test]
async fn a_check_says_what_stands_in_the_way_and_holds_nothing() {
    let mesh = start().await;
    limits(&mesh).set_limit(set_limit(Meter::Tokens, Window::Hour, 10)).await.unwrap();
    spend(&mesh, &[(Meter::Tokens, 8)]).await;
    for _ in 0..3 {
        let fits = check(&mesh, &[(Meter::Tokens, 2), (Meter::Requests, 1_000)]).await;
        assert!(fits.allowed && fits.binding.is_empty() && fits.retry_delay.is_none());
        assert_eq!(of(&fits.usage, Meter::Tokens, Window::Hour).alert_level(), AlertLevel::Warning);
    }
    let refused = check(&mesh, &[(Meter::Tokens, 3)]).await;
    assert!(!refused.allowed && !refused.balance_insufficient);
    assert_eq!(refused.binding, [of(&refused.usage, Meter::Tokens, Window::Hour)]);
    assert_eq!(refused.retry_delay.unwrap().seconds, 354);
    assert_eq!(check(&mesh, &[(Meter::Tokens, 11)]).await.retry_delay, None);

    assert!(check(&mesh, &[(Meter::Money, 5)]).await.allowed, "no wallet, no limit");
    let top_up = TopUpRequest { request_id: id(), subject: ALICE.to_owned(), amount_micros: 4 };
    wallets(&mesh).top_up(top_up).await.unwrap();
    let poor = check(&mesh, &[(Meter::Money, 5)]).await;
    assert!(!poor.allowed && poor.balance_insufficient && poor.binding.is_empty());
    assert!(check(&mesh, &[(Meter::Money, 4)]).await.allowed);
}

#[tokio::test]
async fn alerts_are_listed_newest_first_for_oneself_and_for_those_who_see_all() {
    let mesh = start().await;
    limits(&mesh).set_limit(set_limit(Meter::Tokens, Window::Day, 100)).await.unwrap();
    limits(&mesh).set_limit(set_limit(Meter::Requests, Window::Day, 10)).await.unwrap();
    spend(&mesh, &[(Meter::Tokens, 79)]).await;
    spend(&mesh, &[(Meter::Tokens, 1)]).await;
    mesh.clock().advance(std::time::Duration::from_secs(1));
    spend(&mesh, &[(Meter::Tokens, 9)]).await;
    spend(&mesh, &[(Meter::Tokens, 1)]).await;
    mesh.clock().advance(std::time::Duration::from_secs(1));
    spend(&mesh, &[(Meter::Requests, 8)]).await;
    spend(&mesh, &[(Meter::Requests, 1)]).await;

    let told = |alerts: &[Alert]| -> Vec<_> {
        alerts.iter().map(|alert| (alert.meter(), alert.level(), alert.limit, alert.posted)).collect()
    };
    let expected = [
        (Meter::Requests, AlertLevel::Critical, 10, 9),
        (Meter::Requests, AlertLevel::Warning, 10, 8),
        (Meter::Tokens, AlertLevel::Critical, 100, 90),
        (Meter::Tokens, AlertLevel::Warning, 100, 80),
    ];
    let request = ListAlertsRequest { page_size: 3, ..Default::default() };
    let first = usage(&mesh).list_alerts(request.clone()).await.unwrap().into_inner();
    assert_eq!(told(&first.alerts), expected[..3]);
    let request = ListAlertsRequest { page_token: first.next_page_token, ..request };
    let second = usage(&mesh).list_alerts(request).await.unwrap().into_inner();
    assert_eq!(told(&second.alerts), expected[3..]);
    assert!(second.next_page_token.is_empty());

    let mut operator = UsageServiceClient::new(mesh.channel("user:operator", &["quota.usage.read_all"]));
    let all = operator.list_all_alerts(ListAllAlertsRequest::default()).await.unwrap().into_inner();
    assert_eq!(told(&all.alerts), expected);
    let denied = usage(&mesh).list_all_alerts(ListAllAlertsRequest::default()).await;
    assert_eq!(refused(denied), refusal(Code::PermissionDenied, "PERMISSION_DENIED"));
}

#[tokio::test]
async fn the_data_of_others_takes_a_permission() {
    let mesh = start().await;
    limits(&mesh).set_limit(set_limit(Meter::Tokens, Window::Day, 100)).await.unwrap();
    let denied = refusal(Code::PermissionDenied, "PERMISSION_DENIED");
    let of_alice = GetUsageRequest { subject: ALICE.to_owned() };
    assert_eq!(usage(&mesh).get_usage(of_alice.clone()).await.unwrap().into_inner().usage.len(), 1);

    let mut bob = UsageServiceClient::new(mesh.channel("user:bob", &["quota.usage.read"]));
    assert_eq!(refused(bob.get_usage(of_alice.clone()).await), denied);
    let request = CheckRequest { subject: ALICE.to_owned(), amounts: amounts(&[(Meter::Tokens, 1)]) };
    assert_eq!(refused(bob.check(request).await), denied);
    let request = ListAlertsRequest { subject: ALICE.to_owned(), ..Default::default() };
    assert_eq!(refused(bob.list_alerts(request).await), denied);
    assert!(bob.get_usage(GetUsageRequest::default()).await.unwrap().into_inner().usage.is_empty());

    let both = ["quota.usage.read", "quota.usage.read_all"];
    let mut operator = UsageServiceClient::new(mesh.channel("user:operator", &both));
    assert_eq!(operator.get_usage(of_alice).await.unwrap().into_inner().usage.len(), 1);
}
