//! The loop that deletes what is too old to be asked for.

use std::{future::Future, pin::pin, time::Duration};

use plexus_runtime::clock::Clock;
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    error::Error,
    store::{Cutoffs, Store},
};

/// Between two rounds; the first is at the start.
const PAUSE: Duration = Duration::from_secs(3600);
/// Transactions in one round, of some hundred rows each; what is left waits for the next.
const STEPS_MAX: usize = 10_000;
/// How long alerts are kept: a year and a month, to compare with.
const ALERTS_DAYS: i64 = 396;
/// How long counts of minutes and hours are kept: longer than any reservation that is still worked on.
const SHORT_PERIODS_DAYS: i64 = 2;
/// Microseconds of a day.
const DAY_US: i64 = 86_400_000_000;

/// Deletes what is older than `history_days`, once an hour, until `stopped`.
pub(crate) async fn run(store: Store, clock: Clock, history_days: i64, stopped: impl Future<Output = ()>) {
    let mut stopped = pin!(stopped);
    let mut ticks = interval(PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = &mut stopped => return,
            _ = ticks.tick() => {}
        }
        let now_us = clock.now_us();
        let cutoffs = Cutoffs {
            history_us: now_us - history_days * DAY_US,
            alerts_us: now_us - ALERTS_DAYS * DAY_US,
            short_periods_us: now_us - SHORT_PERIODS_DAYS * DAY_US,
        };
        tokio::select! {
            () = &mut stopped => return,
            outcome = round(&store, cutoffs) => if let Err(error) = outcome {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "old rows could not be deleted; the next round tries again"
                );
            }
        }
    }
}

async fn round(store: &Store, cutoffs: Cutoffs) -> Result<(), Error> {
    let mut deleted = 0;
    for _ in 0..STEPS_MAX {
        match store.delete_history(cutoffs).await? {
            0 => break,
            rows => deleted += rows,
        }
    }
    if deleted > 0 {
        tracing::info!(deleted, "old rows were deleted");
    }
    Ok(())
}
