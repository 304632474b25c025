//! The service that tells what happens now and lately.

use std::sync::Arc;

use futures_util::{Stream, StreamExt as _, future::ready, stream};
use plexus_proto::analytics::v1::{
    Dashboard, DashboardTiles, GetDashboardRequest, GetLiveMetricsRequest, HourCount, LiveMetrics,
    LiveSource, MinuteCount, WatchLiveMetricsRequest, metrics_service_server::MetricsService,
};
use plexus_runtime::clock::timestamp;
use std::pin::Pin;
use tokio_stream::wrappers::WatchStream;
use tonic::{Request, Response, Status};

use super::{Rpc, encode, status};
use crate::{
    calendar::MINUTE_US,
    dashboard,
    live::Snapshot,
    live_window::{Source, Window},
};

#[tonic::async_trait]
impl MetricsService for Rpc {
    async fn get_live_metrics(
        &self,
        _request: Request<GetLiveMetricsRequest>,
    ) -> Result<Response<LiveMetrics>, Status> {
        let snapshot = self.live.snapshot().await.map_err(status)?;
        Ok(Response::new(live_metrics(&snapshot)))
    }

    type WatchLiveMetricsStream = Pin<Box<dyn Stream<Item = Result<LiveMetrics, Status>> + Send>>;

    async fn watch_live_metrics(
        &self,
        _request: Request<WatchLiveMetricsRequest>,
    ) -> Result<Response<Self::WatchLiveMetricsStream>, Status> {
        let seat = self.watchers.watch().await.map_err(status)?;
        let permit = seat.permit;
        let next = WatchStream::from_changes(seat.next).filter_map(ready);
        let snapshots = stream::iter([Arc::new(seat.first)]).chain(next).map(move |snapshot| {
            // The seat is taken for as long as the stream is there.
            let _held = &permit;
            Ok(live_metrics(&snapshot))
        });
        let stopping = self.tasks.stopping().clone().cancelled_owned();
        Ok(Response::new(Box::pin(snapshots.take_until(stopping))))
    }

    async fn get_dashboard(
        &self,
        _request: Request<GetDashboardRequest>,
    ) -> Result<Response<Dashboard>, Status> {
        let read = dashboard::Dashboard::read(&self.store, &self.live).await.map_err(status)?;
        let hours = read.hours.iter().map(|(start_us, count)| HourCount {
            start_time: Some(timestamp(*start_us)),
            event_count: *count,
        });
        Ok(Response::new(Dashboard {
            time: Some(timestamp(read.time_us)),
            tiles: Some(tiles(&read)),
            hours: hours.collect(),
            days: encode::days(&read.days),
            top_events: encode::event_counts(read.top_events),
        }))
    }
}

fn live_metrics(snapshot: &Snapshot) -> LiveMetrics {
    let source = match snapshot.window.source {
        Source::Counters => LiveSource::Counters,
        Source::Mixed => LiveSource::Mixed,
        Source::Store => LiveSource::Store,
    };
    LiveMetrics {
        time: Some(timestamp(snapshot.time_us)),
        minutes: minutes(&snapshot.window),
        event_count: snapshot.event_count(),
        active_users_5m: snapshot.active_users_5m,
        active_users_60m: snapshot.active_users_60m,
        top_events: encode::event_counts(snapshot.top_events.clone()),
        source: source.into(),
    }
}

fn minutes(window: &Window) -> Vec<MinuteCount> {
    (window.first..)
        .zip(&window.counts)
        .map(|(minute, count)| MinuteCount {
            start_time: Some(timestamp(minute * MINUTE_US)),
            event_count: *count,
        })
        .collect()
}

fn tiles(read: &dashboard::Dashboard) -> DashboardTiles {
    let (today, yesterday) = (read.today(), read.yesterday());
    DashboardTiles {
        events_today: today.events,
        events_yesterday: yesterday.events,
        active_users_today: today.users,
        active_users_yesterday: yesterday.users,
        active_users_7d: read.active_users_7d,
        active_users_30d: read.active_users_30d,
        new_users_today: read.new_users_today,
        messages_today: read.messages_today.sent + read.messages_today.received,
        tokens_today: read.messages_today.tokens,
        events_last_60m: read.events_last_60m,
        active_users_5m: read.active_users_5m,
    }
}
