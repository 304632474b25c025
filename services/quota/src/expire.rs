//! The loop that expires reservations whose caller has gone away.

use std::{future::Future, pin::pin, time::Duration};

use futures_util::{StreamExt as _, stream};
use plexus_runtime::clock::Clock;
use tokio::time::{MissedTickBehavior, interval};

use crate::{error::Error, store::Store};

/// Subjects that are looked at in one round; what is left waits for the next.
const SUBJECTS_MAX: i64 = 256;
/// Subjects at the same time: enough to share commits, few enough to leave room for calls.
const CONCURRENT_MAX: usize = 16;

/// Expires what is overdue, every `pause`, until `stopped`.
pub(crate) async fn run(store: Store, clock: Clock, pause: Duration, stopped: impl Future<Output = ()>) {
    let mut stopped = pin!(stopped);
    let mut ticks = interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = &mut stopped => return,
            _ = ticks.tick() => {}
        }
        match round(&store, clock.now_us()).await {
            Ok(0) => {}
            Ok(expired) => tracing::info!(expired, "reservations expired: their callers did not end them"),
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "overdue reservations could not be expired; the next round tries again"
            ),
        }
    }
}

/// Expires what is overdue at `now_us`, and answers how many there were.
async fn round(store: &Store, now_us: i64) -> Result<usize, Error> {
    let subjects = store.subjects_with_overdue(now_us, SUBJECTS_MAX).await?;
    let mut outcomes =
        stream::iter(subjects).map(|subject| store.expire(subject, now_us)).buffer_unordered(CONCURRENT_MAX);
    let mut expired = 0;
    while let Some(outcome) = outcomes.next().await {
        expired += outcome?;
    }
    Ok(expired)
}
