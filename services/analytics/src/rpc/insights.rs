//! The service that draws insights from events.

use plexus_proto::analytics::v1::{
    self as proto, GetMessageStatisticsRequest, GetRecommendationsRequest, GetRecommendationsResponse,
    GetUserBehaviorRequest, ListActiveUsersRequest, ListActiveUsersResponse, MessageStatistics,
    Recommendation, RecommendationBasis, Session, SessionSummary, UserBehavior, UserDay, UserEvent,
    insight_service_server::InsightService,
};
use plexus_runtime::{clock::timestamp, identity::Caller, page, status::Problem};
use tonic::{Request, Response, Status};

use super::{Rpc, asked, encode, status};
use crate::{
    access,
    behavior::{Behavior, EventCount, Moment, Record},
    calendar::{DAY_US, Days, Span},
    error::Error,
    event::user_actor,
    interest::verb,
    message::Statistics,
    recommendation::{self, Basis, RESULTS_MAX},
    rollup::EVERYBODY,
    session,
    store::ActiveUser,
};

/// Days that an answer covers when the request gives no start.
const DAYS_DEFAULT: i64 = 30;
/// Recommendations when the request does not say how many.
const RESULTS_DEFAULT: usize = 10;

#[tonic::async_trait]
impl InsightService for Rpc {
    async fn get_user_behavior(
        &self,
        request: Request<GetUserBehaviorRequest>,
    ) -> Result<Response<UserBehavior>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let user_id = access::user(&caller, &request.user_id)?;
        let asked = asked(request.start_time.as_ref(), request.end_time.as_ref())?;
        let span = Span::of(asked, DAYS_DEFAULT, self.clock.now_us()).map_err(status)?;
        let behavior = self.behavior(&user_actor(user_id), span).await.map_err(status)?;
        Ok(Response::new(user_behavior(user_id, behavior)))
    }

    async fn list_active_users(
        &self,
        request: Request<ListActiveUsersRequest>,
    ) -> Result<Response<ListActiveUsersResponse>, Status> {
        let request = request.into_inner();
        let size = page::size(request.page_size)?;
        let after = page::decode(&request.page_token)?.map(|key| place(&key)).transpose()?;
        let mut users = self.store.active_users(after, size + 1).await.map_err(status)?;
        let more = users.len() > usize::try_from(size).unwrap_or(usize::MAX);
        users.truncate(usize::try_from(size).unwrap_or(usize::MAX));
        let last = users.last().filter(|_| more);
        Ok(Response::new(ListActiveUsersResponse {
            next_page_token: last.map(|user| page::encode(&key(user))).unwrap_or_default(),
            users: users.into_iter().map(active_user).collect(),
        }))
    }

    async fn get_message_statistics(
        &self,
        request: Request<GetMessageStatisticsRequest>,
    ) -> Result<Response<MessageStatistics>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let user_id = access::user_or_everybody(&caller, &request.user_id)?;
        let asked = asked(request.start_time.as_ref(), request.end_time.as_ref())?;
        let days = Days::of(asked, DAYS_DEFAULT, self.clock.now_us()).map_err(status)?;
        let actor = user_id.map_or_else(|| EVERYBODY.to_owned(), user_actor);
        let recorded = self.store.messages(&actor, days).await.map_err(status)?;
        let statistics = Statistics::of(days, recorded);
        Ok(Response::new(encode::statistics(user_id.unwrap_or_default(), &statistics)))
    }

    async fn get_recommendations(
        &self,
        request: Request<GetRecommendationsRequest>,
    ) -> Result<Response<GetRecommendationsResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let count = result_count(request.page_size).map_err(status)?;
        let user_id = access::user(&caller, &request.user_id)?;
        let recommended = self.recommender.recommend(user_id, count).await.map_err(status)?;
        Ok(Response::new(GetRecommendationsResponse {
            recommendations: recommended.items.into_iter().map(recommendation).collect(),
            model_time: Some(timestamp(recommended.model_us)),
        }))
    }
}

impl Rpc {
    async fn behavior(&self, actor: &str, span: Span) -> Result<Behavior, Error> {
        let seen = self.store.seen(actor).await?;
        let days = self.store.active_days(actor, span).await?;
        let moments = self.store.moments(actor, span).await?;
        Ok(Behavior::of(Record { span, seen, days, moments }))
    }
}

/// What a page token holds: when the last user of the page was seen, and who it was.
fn key(user: &ActiveUser) -> String {
    format!("{}/{}", user.seen.last_us, user.user_id)
}

fn place(key: &str) -> Result<(i64, String), Problem> {
    key.split_once('/')
        .and_then(|(last_us, user_id)| Some((last_us.parse().ok()?, user_id.to_owned())))
        .ok_or_else(|| Problem::invalid("page_token", "must be a next_page_token of the answer before"))
}

fn active_user(user: ActiveUser) -> proto::ActiveUser {
    proto::ActiveUser {
        user_id: user.user_id,
        first_seen_time: Some(timestamp(user.seen.first_us)),
        last_seen_time: Some(timestamp(user.seen.last_us)),
        lifetime_event_count: user.seen.count,
    }
}

fn result_count(page_size: i32) -> Result<usize, Error> {
    match usize::try_from(page_size) {
        Ok(0) => Ok(RESULTS_DEFAULT),
        Ok(count) if count <= RESULTS_MAX => Ok(count),
        _ => {
            let reason = format!("must be 1 to {RESULTS_MAX}, or 0 for {RESULTS_DEFAULT}");
            Err(Error::invalid("page_size", reason))
        }
    }
}

fn user_behavior(user_id: &str, behavior: Behavior) -> UserBehavior {
    let day = |(day, count): &(i64, i64)| UserDay {
        start_time: Some(timestamp(day * DAY_US)),
        event_count: *count,
    };
    let top_events: Vec<EventCount> = behavior.top_events;
    UserBehavior {
        user_id: user_id.to_owned(),
        start_time: Some(timestamp(behavior.span.start_us)),
        end_time: Some(timestamp(behavior.span.end_us)),
        first_seen_time: behavior.seen.map(|seen| timestamp(seen.first_us)),
        last_seen_time: behavior.seen.map(|seen| timestamp(seen.last_us)),
        lifetime_event_count: behavior.seen.map_or(0, |seen| seen.count),
        event_count: behavior.event_count,
        active_days: behavior.days.iter().map(day).collect(),
        hour_of_day_counts: behavior.hours.to_vec(),
        top_events: encode::event_counts(top_events),
        session_summary: Some(SessionSummary {
            session_count: behavior.sessions.count,
            average_duration_ms: behavior.sessions.average_duration_ms,
            median_duration_ms: behavior.sessions.median_duration_ms,
            average_event_count: behavior.sessions.average_event_count,
        }),
        recent_sessions: behavior.recent_sessions.iter().map(session).collect(),
        recent_events: behavior.recent_events.into_iter().map(user_event).collect(),
        truncated: behavior.truncated,
    }
}

fn session(session: &session::Session) -> Session {
    Session {
        start_time: Some(timestamp(session.start_us)),
        end_time: Some(timestamp(session.end_us)),
        event_count: session.event_count,
    }
}

fn user_event(moment: Moment) -> UserEvent {
    let kind = crate::event::Kind::of(moment.kind);
    UserEvent {
        message_id: moment.message_id,
        r#type: kind.map_or("", crate::event::Kind::word).to_owned(),
        name: moment.name,
        timestamp: Some(timestamp(moment.timestamp_us)),
    }
}

fn recommendation(found: recommendation::Recommendation) -> Recommendation {
    let answer = Recommendation { item_id: found.item_id, score: found.score, ..Recommendation::default() };
    match found.basis {
        Basis::History { item_id, event } => Recommendation {
            basis: RecommendationBasis::History.into(),
            explanation: format!("because you {} {item_id}", verb(&event)),
            because_item_id: item_id,
            because_event: event,
            ..answer
        },
        Basis::Popularity => Recommendation {
            basis: RecommendationBasis::Popularity.into(),
            explanation: "popular with others".to_owned(),
            ..answer
        },
    }
}
