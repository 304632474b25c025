//! Limits: set, got, listed, deleted.

use plexus_proto::quota::v1::{DeleteLimitRequest, GetLimitRequest, Limit, ListLimitsRequest};

use super::*;

fn get(meter: Meter, window: Window) -> GetLimitRequest {
    GetLimitRequest { subject: ALICE.to_owned(), meter: meter.into(), window: window.into() }
}

#[tokio::test]
async fn a_limit_is_set_got_changed_and_deleted() {
    let mesh = start().await;
    let mut client = limits(&mesh);
    let absent = client.get_limit(get(Meter::Tokens, Window::Day)).await;
    assert_eq!(refused(absent), refusal(Code::NotFound, "NOT_FOUND"));

    let first = client.set_limit(set_limit(Meter::Tokens, Window::Day, 100)).await.unwrap().into_inner();
    assert_eq!((first.subject.as_str(), first.amount), (ALICE, 100));
    mesh.clock().advance(std::time::Duration::from_secs(60));
    let second = client.set_limit(set_limit(Meter::Tokens, Window::Day, 200)).await.unwrap().into_inner();
    assert_eq!(second.create_time, first.create_time);
    assert_ne!(second.update_time, first.update_time);
    assert_eq!(client.get_limit(get(Meter::Tokens, Window::Day)).await.unwrap().into_inner(), second);

    let delete = DeleteLimitRequest {
        request_id: id(),
        subject: ALICE.to_owned(),
        meter: Meter::Tokens.into(),
        window: Window::Day.into(),
    };
    client.delete_limit(delete.clone()).await.unwrap();
    client.delete_limit(delete.clone()).await.unwrap();
    let again = client.delete_limit(DeleteLimitRequest { request_id: id(), ..delete }).await;
    assert_eq!(refused(again), refusal(Code::NotFound, "NOT_FOUND"));
}

#[tokio::test]
async fn limits_are_listed_page_by_page() {
    let mesh = start().await;
    let mut client = limits(&mesh);
    for (subject, window) in [
        ("user:bob", Window::Day),
        (ALICE, Window::Month),
        (ALICE, Window::Minute),
        ("user:bob", Window::Hour),
        (ALICE, Window::Day),
    ] {
        let mut request = set_limit(Meter::Requests, window, 5);
        request.limit.as_mut().unwrap().subject = subject.to_owned();
        client.set_limit(request).await.unwrap();
    }
    let mut list = async |subject: &str| {
        let (mut pages, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListLimitsRequest { subject: subject.to_owned(), page_size: 2, page_token };
            let page = client.list_limits(request).await.unwrap().into_inner();
            pages.push(
                page.limits.iter().map(|l: &Limit| (l.subject.clone(), l.window())).collect::<Vec<_>>(),
            );
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return pages;
            }
        }
    };
    let of = |subject: &str, window| (subject.to_owned(), window);
    assert_eq!(
        list("").await,
        [
            vec![of(ALICE, Window::Minute), of(ALICE, Window::Day)],
            vec![of(ALICE, Window::Month), of("user:bob", Window::Hour)],
            vec![of("user:bob", Window::Day)],
        ]
    );
    assert_eq!(list("user:bob").await, [vec![of("user:bob", Window::Hour), of("user:bob", Window::Day)]]);
}

#[tokio::test]
async fn a_limit_that_makes_no_sense_is_refused_by_the_name_of_its_field() {
    let mesh = start().await;
    let mut client = limits(&mesh);
    type Change = fn(&mut Limit);
    let broken: [(&str, Change); 4] = [
        ("limit.subject", |limit| limit.subject = "alice".to_owned()),
        ("limit.meter", |limit| limit.meter = 0),
        ("limit.window", |limit| limit.window = 99),
        ("limit.amount", |limit| limit.amount = -1),
    ];
    for (field, change) in broken {
        let mut request = set_limit(Meter::Tokens, Window::Day, 100);
        change(request.limit.as_mut().unwrap());
        let status = client.set_limit(request).await.unwrap_err();
        assert_eq!(status.get_details_bad_request().unwrap().field_violations[0].field, field);
    }
    let request = SetLimitRequest { request_id: String::new(), ..set_limit(Meter::Tokens, Window::Day, 1) };
    assert_eq!(refused(client.set_limit(request).await), refusal(Code::InvalidArgument, "INVALID_FIELD"));
}

#[tokio::test]
async fn a_repeated_request_is_answered_as_before_and_its_id_serves_no_other() {
    let mesh = start().await;
    let mut client = limits(&mesh);
    let request = set_limit(Meter::Tokens, Window::Day, 100);
    let first = client.set_limit(request.clone()).await.unwrap().into_inner();
    client.set_limit(set_limit(Meter::Tokens, Window::Day, 300)).await.unwrap();
    assert_eq!(client.set_limit(request.clone()).await.unwrap().into_inner(), first);
    let now = client.get_limit(get(Meter::Tokens, Window::Day)).await.unwrap().into_inner();
    assert_eq!(now.amount, 300);

    let mut other = request;
    other.limit.as_mut().unwrap().amount = 101;
    assert_eq!(refused(client.set_limit(other).await), refusal(Code::AlreadyExists, "REQUEST_ID_REUSED"));
}

#[tokio::test]
async fn only_those_who_may_read_or_write_limits_do() {
    let mesh = start().await;
    let mut reader = LimitServiceClient::new(mesh.channel(ALICE, &["quota.limits.read", "quota.usage.read"]));
    let denied = refusal(Code::PermissionDenied, "PERMISSION_DENIED");
    assert_eq!(refused(reader.set_limit(set_limit(Meter::Tokens, Window::Day, 1)).await), denied);
    assert!(reader.list_limits(ListLimitsRequest::default()).await.is_ok());
    let mut user = LimitServiceClient::new(mesh.channel(ALICE, &["quota.usage.read"]));
    assert_eq!(refused(user.list_limits(ListLimitsRequest::default()).await), denied);
    let mut nobody = LimitServiceClient::new(mesh.anonymous_channel());
    let list = nobody.list_limits(ListLimitsRequest::default()).await;
    assert_eq!(refused(list), refusal(Code::Unauthenticated, "UNAUTHENTICATED"));
}
