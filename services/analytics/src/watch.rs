//! The background loop that brings counts to the shared tier and live metrics to those who watch.

use std::{sync::Arc, time::Duration};

use plexus_runtime::tasks::Tasks;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{MissedTickBehavior, interval, sleep},
};

use crate::{
    error::Error,
    live::{Live, Snapshot},
};

/// The pause after a change: changes of this long are sent as one, so that a flood of events costs a few
/// questions a second.
const CHANGE_PAUSE: Duration = Duration::from_millis(200);

/// Sends live metrics to any number of watchers, up to a limit.
pub struct Watchers {
    live: Arc<Live>,
    snapshots: watch::Sender<Option<Arc<Snapshot>>>,
    seats: Arc<Semaphore>,
    seats_max: usize,
}

/// A place among the watchers, given up when dropped.
pub struct Seat {
    /// The live metrics when the seat was taken.
    pub first: Snapshot,
    /// Those that follow.
    pub next: watch::Receiver<Option<Arc<Snapshot>>>,
    /// Counts the seat.
    pub permit: OwnedSemaphorePermit,
}

impl Watchers {
    /// Watchers of `live`; its loop ends with `tasks`.
    pub fn start(live: Arc<Live>, seats_max: usize, every: Duration, tasks: &Tasks) -> Arc<Self> {
        let watchers = Arc::new(Self {
            live,
            snapshots: watch::channel(None).0,
            seats: Arc::new(Semaphore::new(seats_max)),
            seats_max,
        });
        let publisher = Arc::clone(&watchers);
        tasks.spawn("live_metrics", move |stop| async move {
            let mut ticks = interval(every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = publisher.live.changed() => publisher.publish().await,
                    _ = ticks.tick() => publisher.publish().await,
                }
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = sleep(CHANGE_PAUSE) => {}
                }
            }
            publisher.live.flush().await;
        });
        watchers
    }

    /// Takes a seat.
    ///
    /// # Errors
    /// [`Error::TooManyWatchers`] when none is free, and those of the store.
    pub async fn watch(&self) -> Result<Seat, Error> {
        let permit = Arc::clone(&self.seats)
            .try_acquire_owned()
            .map_err(|_taken| Error::TooManyWatchers { limit: self.seats_max })?;
        // Subscribed before the first look, so that no change falls between the two.
        let next = self.snapshots.subscribe();
        Ok(Seat { first: self.live.snapshot().await?, next, permit })
    }

    async fn publish(&self) {
        if self.snapshots.receiver_count() == 0 {
            return self.live.flush().await;
        }
        match self.live.snapshot().await {
            Ok(snapshot) => drop(self.snapshots.send_replace(Some(Arc::new(snapshot)))),
            Err(error) => {
                tracing::warn!(%error, "live metrics could not be read; watchers wait for the next")
            }
        }
    }
}
