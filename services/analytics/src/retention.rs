//! The background loop that throws away what is older than the settings allow.

use std::time::Duration;

use bytes::Bytes;
use plexus_runtime::{clock::Clock, stores::shared::Shared, tasks::Tasks};
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    calendar::{DAY_US, day, minute},
    config::Settings,
    error::Error,
    live_window::MINUTES,
    store::{Cutoffs, Store},
};

/// Held by the replica that is at it, so that the others need not look too. It is let go when the round ends, or
/// runs out when its holder is gone.
const LEASE_KEY: &str = "analytics:retention";
/// Longer than a round that deletes a day of events.
const LEASE_TTL: Duration = Duration::from_secs(10 * 60);

/// What is old enough to go at `now_us`.
#[must_use]
pub fn cutoffs(settings: &Settings, now_us: i64) -> Cutoffs {
    let rollups_day = day(now_us) - settings.rollups_kept_days;
    Cutoffs {
        events_us: now_us - settings.events_kept_days * DAY_US,
        received_us: now_us - DAY_US,
        rollups_day,
        rollups_hour: rollups_day * 24,
        users_us: rollups_day * DAY_US,
        minute: minute(now_us) - 2 * MINUTES,
    }
}

/// Deletes everything that is old at `now_us`; `Ok` says how many rows went.
///
/// # Errors
/// Those of the store; what has been deleted until then stays deleted.
pub async fn delete_old(store: &Store, settings: &Settings, now_us: i64) -> Result<u64, Error> {
    let mut total = 0;
    loop {
        match store.delete_old(cutoffs(settings, now_us)).await? {
            0 => return Ok(total),
            deleted => total += deleted,
        }
    }
}

/// Starts the loop.
pub fn start(store: Store, shared: Shared, settings: Settings, with: (Clock, &Tasks)) {
    let (clock, tasks) = with;
    tasks.spawn("retention", move |stop| async move {
        let mut ticks = interval(Duration::from_secs(settings.retention_interval_seconds));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = ticks.tick() => {}
            }
            tokio::select! {
                // What is deleted stays deleted; the next start goes on with the rest.
                () = stop.cancelled() => break,
                () = round(&store, &shared, &settings, clock.now_us()) => {}
            }
        }
    });
}

async fn round(store: &Store, shared: &Shared, settings: &Settings, now_us: i64) {
    let lease = Bytes::from(uuid::Uuid::now_v7().to_string());
    // Without the shared tier nobody can hold a lease; deleting twice does no harm.
    if matches!(shared.set_if_absent(LEASE_KEY, lease.clone(), LEASE_TTL).await, Ok(false)) {
        return;
    }
    match delete_old(store, settings, now_us).await {
        Ok(0) => {}
        Ok(rows) => tracing::info!(rows, "old rows were thrown away"),
        Err(error) => tracing::warn!(%error, "old rows could not be thrown away; the next round tries again"),
    }
    if let Err(error) = shared.delete_if_equal(LEASE_KEY, lease).await {
        tracing::debug!(%error, "a lease could not be let go and will run out");
    }
}
