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
    let mut is_failing = false;
    loop {
        tokio::select! {
            () = &mut stopped => return,
            _ = ticks.tick() => {}
        }
        let outcome = round(&store, clock.now_us()).await;
        // A store that is gone for a while is told once, not once a second.
        if let Err(error) = &outcome
            && !is_failing
        {
            let error: &dyn std::error::Error = error;
            tracing::warn!(error, "overdue reservations could not be expired; every round tries again");
        }
        is_failing = outcome.is_err();
    }
}

/// Expires what is overdue at `now_us`; a subject whose turn fails does not keep others from theirs.
async fn round(store: &Store, now_us: i64) -> Result<(), Error> {
    let subjects = store.subjects_with_overdue(now_us, SUBJECTS_MAX).await?;
    let mut turns =
        stream::iter(subjects).map(|subject| store.expire(subject, now_us)).buffer_unordered(CONCURRENT_MAX);
    let (mut expired, mut outcome) = (0, Ok(()));
    while let Some(turn) = turns.next().await {
        match turn {
            Ok(count) => expired += count,
            Err(error) => outcome = Err(error),
        }
    }
    if expired > 0 {
        tracing::info!(expired, "reservations expired: their callers did not end them");
    }
    outcome
}
