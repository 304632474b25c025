//! Behaviour, messages and recommendations.

use plexus_proto::analytics::v1::{
    GetMessageStatisticsRequest, GetRecommendationsRequest, GetUserBehaviorRequest, ListActiveUsersRequest,
    Recommendation, RecommendationBasis,
};
use tonic::Code;

use super::*;

fn behavior_of(user_id: &str) -> GetUserBehaviorRequest {
    GetUserBehaviorRequest { user_id: user_id.to_owned(), ..GetUserBehaviorRequest::default() }
}

fn messages_of(user_id: &str) -> GetMessageStatisticsRequest {
    GetMessageStatisticsRequest { user_id: user_id.to_owned(), ..GetMessageStatisticsRequest::default() }
}

#[tokio::test]
async fn the_behaviour_of_a_user_is_told_from_their_events() {
    let mesh = service().await;
    let minute_us = HOUR_US / 60;
    let batch = vec![
        track_of("alice", NOON_US - 3 * DAY_US, track("1", "opened")),
        track_of("alice", NOON_US - 40 * minute_us, track("2", "opened")),
        track_of("alice", NOON_US - 11 * minute_us, track("3", "closed")),
        track_of("alice", NOON_US, track("4", "opened")),
        track_of("bob", NOON_US, track("5", "opened")),
    ];
    import(&mesh, batch).await;

    let behavior = insights(alice(&mesh)).get_user_behavior(behavior_of("")).await.unwrap().into_inner();
    assert_eq!(
        (behavior.user_id.as_str(), behavior.event_count, behavior.lifetime_event_count),
        ("alice", 4, 4)
    );
    assert_eq!(behavior.first_seen_time, Some(clock::timestamp(NOON_US - 3 * DAY_US)));
    assert_eq!(behavior.last_seen_time, Some(clock::timestamp(NOON_US)));
    let days: Vec<i64> = behavior.active_days.iter().map(|day| day.event_count).collect();
    assert_eq!(days, [1, 3]);
    assert_eq!((behavior.hour_of_day_counts[11], behavior.hour_of_day_counts[12]), (2, 2));
    assert_eq!((behavior.top_events[0].name.as_str(), behavior.top_events[0].event_count), ("opened", 3));
    let sessions = behavior.session_summary.unwrap();
    assert_eq!((sessions.session_count, sessions.average_event_count), (2, 2.0));
    assert_eq!(behavior.recent_sessions[0].event_count, 3);
    assert_eq!(behavior.recent_events[0].message_id, "4");
    assert!(!behavior.truncated);
}

#[tokio::test]
async fn a_range_limits_what_behaviour_is_drawn_from() {
    let mesh = service().await;
    let batch = vec![
        track_of("", NOON_US - 2 * HOUR_US, track("1", "opened")),
        track_of("", NOON_US - HOUR_US, track("2", "opened")),
        track_of("", NOON_US, track("3", "opened")),
    ];
    track_all(alice(&mesh), batch).await;
    let mut client = insights(alice(&mesh));
    let request = GetUserBehaviorRequest {
        start_time: Some(clock::timestamp(NOON_US - HOUR_US)),
        end_time: Some(clock::timestamp(NOON_US)),
        ..behavior_of("alice")
    };
    let behavior = client.get_user_behavior(request.clone()).await.unwrap().into_inner();
    assert_eq!((behavior.event_count, behavior.lifetime_event_count), (1, 3));
    let backwards =
        GetUserBehaviorRequest { end_time: request.start_time, start_time: request.end_time, ..request };
    assert_eq!(client.get_user_behavior(backwards).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn users_see_their_own_data_and_that_of_others_only_with_a_permission() {
    let mesh = service().await;
    let mut client = insights(alice(&mesh));
    let refused = [
        client.get_user_behavior(behavior_of("bob")).await.err(),
        client.list_active_users(ListActiveUsersRequest::default()).await.err(),
        client.get_message_statistics(messages_of("bob")).await.err(),
        client.get_message_statistics(messages_of("")).await.err(),
        client.get_recommendations(recommendations_for("bob")).await.err(),
    ];
    for status in refused {
        assert_eq!(status.map(|status| status.code()), Some(Code::PermissionDenied));
    }
    client.get_message_statistics(messages_of("alice")).await.unwrap();

    let mut client = insights(operator(&mesh));
    client.get_user_behavior(behavior_of("bob")).await.unwrap();
    client.get_message_statistics(messages_of("bob")).await.unwrap();
    client.get_message_statistics(messages_of("")).await.unwrap();
    client.get_recommendations(recommendations_for("bob")).await.unwrap();
}

#[tokio::test]
async fn active_users_are_listed_page_by_page_latest_first() {
    let mesh = service().await;
    let mut batch: Vec<Event> = (0..5)
        .map(|number| {
            track_of(&format!("u{number}"), NOON_US - number * 1_000_000, track(&number.to_string(), "a"))
        })
        .collect();
    batch.push(track_of("u9", NOON_US - 2_000_000, track("9", "a")));
    batch.push(Event { anonymous_id: "device".to_owned(), ..track("10", "a") });
    import(&mesh, batch).await;

    let mut client = insights(operator(&mesh));
    let (mut users, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListActiveUsersRequest { page_size: 2, page_token };
        let page = client.list_active_users(request).await.unwrap().into_inner();
        assert!(page.users.iter().all(|user| user.lifetime_event_count == 1));
        users.extend(page.users.into_iter().map(|user| user.user_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(users, ["u0", "u1", "u2", "u9", "u3", "u4"]);
    let wrong = ListActiveUsersRequest { page_token: "not one".to_owned(), ..Default::default() };
    assert_eq!(client.list_active_users(wrong).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn message_statistics_count_by_day_and_model() {
    let mesh = service().await;
    let answer = |id: &str, model: &str, tokens: f64, latency_ms: f64| {
        let properties = [
            ("conversation_id", text("c1")),
            ("model", text(model)),
            ("tokens", Kind::NumberValue(tokens)),
            ("length", Kind::NumberValue(tokens * 4.0)),
            ("latency_ms", Kind::NumberValue(latency_ms)),
        ];
        with(&properties, track(id, "message_received"))
    };
    let batch = vec![
        track_of(
            "alice",
            NOON_US - DAY_US,
            with(&[("conversation_id", text("c2"))], track("1", "message_sent")),
        ),
        track_of("alice", NOON_US, answer("2", "large", 100.0, 1_000.0)),
        track_of("alice", NOON_US, answer("3", "large", 300.0, 3_000.0)),
        track_of("bob", NOON_US, answer("4", "small", 10.0, 200.0)),
    ];
    import(&mesh, batch).await;

    let mut service = insights(operator(&mesh));
    let all = service.get_message_statistics(messages_of("")).await.unwrap().into_inner();
    let totals = all.totals.unwrap();
    assert_eq!((totals.sent_count, totals.received_count, totals.tokens), (1, 3, 410));
    assert_eq!((all.conversation_count, all.days.len()), (2, 30));
    assert_eq!((all.days[28].sent_count, all.days[29].received_count, all.days[29].tokens), (1, 3, 410));
    let latency = totals.latency_ms.unwrap();
    assert_eq!((latency.count, latency.average), (3, 1_400.0));
    assert!((latency.p50 - 1_000.0).abs() <= 10.0, "{}", latency.p50);
    let models: Vec<_> = all.models.iter().map(|model| model.model.as_str()).collect();
    assert_eq!(models, ["large", "", "small"]);
    assert_eq!(all.models[0].totals.as_ref().unwrap().length.as_ref().unwrap().average, 800.0);

    let own = insights(alice(&mesh)).get_message_statistics(messages_of("alice")).await.unwrap().into_inner();
    assert_eq!((own.totals.unwrap().received_count, own.conversation_count), (2, 2));
}

fn recommendations_for(user_id: &str) -> GetRecommendationsRequest {
    GetRecommendationsRequest { user_id: user_id.to_owned(), page_size: 0 }
}

async fn recommended(mesh: &Harness, user_id: &str) -> Vec<Recommendation> {
    let request = recommendations_for(user_id);
    let answer = insights(operator(mesh)).get_recommendations(request).await.unwrap().into_inner();
    assert_eq!(answer.model_time, Some(clock::timestamp(NOON_US)));
    answer.recommendations
}

#[tokio::test]
async fn recommendations_follow_what_somebody_just_did_and_say_why() {
    let mesh = service().await;
    let item = |user: &str, event: &str, item: &str| {
        let id = format!("{user}-{event}-{item}");
        track_of(user, NOON_US, with(&[("item_id", text(item))], track(&id, event)))
    };
    let batch = vec![
        item("bob", "item_viewed", "lamp"),
        item("bob", "item_liked", "shade"),
        item("carol", "item_viewed", "rope"),
        item("carol", "item_viewed", "hook"),
        item("dave", "item_purchased", "rope"),
    ];
    import(&mesh, batch).await;

    let for_stranger = recommended(&mesh, "alice").await;
    assert_eq!(for_stranger[0].item_id, "rope");
    assert!(for_stranger.iter().all(|found| found.basis() == RecommendationBasis::Popularity));
    assert_eq!(for_stranger[0].explanation, "popular with others");

    import(&mesh, vec![item("alice", "item_viewed", "lamp")]).await;
    let for_alice = recommended(&mesh, "alice").await;
    assert_eq!(for_alice[0].item_id, "shade");
    assert_eq!(for_alice[0].basis(), RecommendationBasis::History);
    assert_eq!(for_alice[0].because_item_id, "lamp");
    assert_eq!(for_alice[0].explanation, "because you viewed lamp");
    let items: Vec<&str> = for_alice.iter().map(|found| found.item_id.as_str()).collect();
    assert!(!items.contains(&"lamp"), "known items are left out: {items:?}");
    assert_eq!(items.len(), 3);
}

#[tokio::test]
async fn a_list_of_recommendations_has_its_limits() {
    let mesh = service().await;
    let mut client = insights(alice(&mesh));
    for page_size in [-1, 101] {
        let request = GetRecommendationsRequest { user_id: String::new(), page_size };
        assert_eq!(client.get_recommendations(request).await.unwrap_err().code(), Code::InvalidArgument);
    }
    let request = GetRecommendationsRequest { user_id: String::new(), page_size: 100 };
    assert!(client.get_recommendations(request).await.unwrap().into_inner().recommendations.is_empty());
}
