//! Background loops: named, stopped together, and waited for before the process ends.

use std::{
    any::Any,
    future::Future,
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
};

use futures_util::FutureExt as _;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument as _;

/// The background tasks of one service; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    stop: CancellationToken,
    cut: CancellationToken,
    tracker: TaskTracker,
    panicked: Arc<OnceLock<&'static str>>,
}

impl Tasks {
    /// Starts `task`, which ends soon after its token is cancelled.
    ///
    /// A panic in it is logged, and the replica is not ready from then on: what the loop did is not done any more.
    pub fn spawn<F, T>(&self, name: &'static str, task: F)
    where
        F: FnOnce(CancellationToken) -> T,
        T: Future<Output = ()> + Send + 'static,
    {
        let (future, panicked) = (task(self.stop.clone()), Arc::clone(&self.panicked));
        let future = AssertUnwindSafe(future).catch_unwind();
        let future = self.cut.clone().run_until_cancelled_owned(future);
        self.tracker.spawn(async move {
            match future.await {
                Some(Ok(())) => tracing::debug!(task = name, "a background task ended"),
                Some(Err(panic)) => {
                    tracing::error!(
                        task = name,
                        panic = panic_message(&*panic),
                        "a background task panicked"
                    );
                    panicked.get_or_init(|| name);
                }
                None => tracing::warn!(task = name, "a background task was cut off at the drain deadline"),
            }
        });
    }

    /// The token that is cancelled when the service stops.
    #[must_use]
    pub fn stopping(&self) -> &CancellationToken {
        &self.stop
    }

    /// Finishes work that has to outlive the call that began it, such as releasing a reservation.
    ///
    /// It keeps the trace of the call but not its deadline, and the service waits for it before it stops,
    /// up to the drain deadline.
    pub fn detached(&self, work: impl Future<Output = ()> + Send + 'static) {
        let work = plexus_client::deadline::scope(None, work).in_current_span();
        self.tracker.spawn(self.cut.clone().run_until_cancelled_owned(work));
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

    /// The first loop that ended in a panic.
    pub(crate) fn panicked(&self) -> Option<&'static str> {
        self.panicked.get().copied()
    }

    /// Drops all tasks where they stand.
    pub(crate) fn cut(&self) {
        self.cut.cancel();
    }
}

/// What a panic said.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_loop_that_panics_is_named_and_does_not_hold_up_the_stop() {
        let tasks = Tasks::default();
        tasks.spawn("fine", |stop| async move { stop.cancelled().await });
        assert_eq!(tasks.panicked(), None);
        tasks.spawn("broken", |_| async { panic!("a bug in a loop") });
        tasks.stop();
        tasks.stopped().await;
        assert_eq!(tasks.panicked(), Some("broken"));
    }

    #[tokio::test]
    async fn what_does_not_stop_is_cut_off() {
        let tasks = Tasks::default();
        tasks.spawn("deaf", |_| std::future::pending());
        tasks.detached(std::future::pending());
        tasks.stop();
        tasks.cut();
        tasks.stopped().await;
        assert_eq!(tasks.panicked(), None);
    }
}
