//! Events, live metrics, behaviour, recommendations and reports.
//!
//! RPCs: `EventService` takes events one by one or in batches; `MetricsService` tells what happens now and lately,
//! also as a stream; `InsightService` knows how one user behaves, what messages look like and what somebody may
//! like; `ReportService` reports over days, as data and as a page.
//!
//! Tables: `events`, each once by its source and message id; counts of them by minute, hour and day, users and
//! their days, messages, and interests in items, all written in the transaction of the events they count.
//!
//! It calls no other service. Services and browsers may send it events; operators read from it. Losing it stops nobody:
//! who sends events goes on without an answer and may send them again, since a repetition changes nothing.
//!
//! Where to go on: [`admission`] says which events are taken, [`rollup`] what is counted of them, and
//! [`recommendation`] how items are recommended.

pub mod access;
pub mod admission;
pub mod behavior;
pub mod calendar;
pub mod chart;
pub mod config;
pub mod dashboard;
pub mod error;
pub mod event;
pub mod histogram;
pub mod html;
pub mod interest;
pub mod live;
pub mod live_window;
pub mod message;
pub mod number;
pub mod page;
pub mod recommendation;
pub mod recommender;
pub mod report;
pub mod retention;
pub mod rollup;
mod rpc;
#[cfg(test)]
mod sample;
pub mod session;
pub mod store;
pub mod tracking;
pub mod watch;

use std::{sync::Arc, time::Duration};

use plexus_runtime::{
    service::{Dependencies, Service, StartError, Started},
    stores::database::Migrations,
};

pub use crate::config::Settings;
use crate::{
    live::Live, recommender::Recommender, rpc::Rpc, store::Store, tracking::Tracker, watch::Watchers,
};

/// The analytics service.
pub struct Analytics;

impl Service for Analytics {
    const NAME: &'static str = "analytics";
    const CALLS: &'static [&'static str] = &[];
    type Settings = Settings;

    fn migrations() -> Migrations {
        Migrations {
            sqlite: sqlx::migrate!("migrations/sqlite"),
            postgres: sqlx::migrate!("migrations/postgres"),
        }
    }

    async fn start(settings: Settings, with: Dependencies) -> Result<Started, StartError> {
        let store = Store::new(with.database);
        let live = Arc::new(Live::new(with.shared.clone(), store.clone(), with.clock.clone()));
        let every = Duration::from_millis(settings.live_interval_ms);
        let watchers = Watchers::start(Arc::clone(&live), settings.watchers_max, every, &with.tasks);
        retention::start(store.clone(), with.shared, settings.clone(), (with.clock.clone(), &with.tasks));
        let age_max = Duration::from_secs(settings.recommendation_age_max_seconds);
        let rpc = Rpc {
            tracker: Tracker::new(
                store.clone(),
                Arc::clone(&live),
                with.clock.clone(),
                settings.events_kept_days,
            ),
            recommender: Recommender::new(
                store.clone(),
                with.clock.clone(),
                settings.recommendation_interests_max,
                age_max,
            ),
            store,
            live,
            watchers,
            clock: with.clock,
            tasks: with.tasks,
        };
        Ok(Started::new(rpc.routes()))
    }
}
