//! Background loops: named, stopped together, and waited for before the process ends.

use std::future::Future;

use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument as _;

/// The background tasks of one service; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    stop: CancellationToken,
    tracker: TaskTracker,
}

impl Tasks {
    /// Starts `task`, which ends soon after its token is cancelled.
    pub fn spawn<F, T>(&self, name: &'static str, task: F)
    where
        F: FnOnce(CancellationToken) -> T,
        T: Future<Output = ()> + Send + 'static,
    {
        let future = task(self.stop.clone());
        self.tracker.spawn(async move {
            future.await;
            tracing::debug!(task = name, "a background task ended");
        });
    }

    /// The token that is cancelled when the service stops.
    #[must_use]
    pub fn stopping(&self) -> &CancellationToken {
        &self.stop
    }

    /// Finishes work that has to outlive the call that began it, such as releasing a reservation.
    ///
    /// It keeps the trace of the call but not its deadline, and the service waits for it before it stops.
    pub fn detached(&self, work: impl Future<Output = ()> + Send + 'static) {
        let work = plexus_client::deadline::scope(None, work).in_current_span();
        self.tracker.spawn(work);
    }

    /// Asks all tasks to end.
    pub fn stop(&self) {
        self.stop.cancel();
        self.tracker.close();
    }

    /// Waits until all tasks have ended; call [`Tasks::stop`] first.
    pub async fn stopped(&self) {
        self.tracker.wait().await;
    }
}
