//! The loop that deletes answers which are too old to be asked for again.

use std::{future::Future, pin::pin, time::Duration};

use plexus_runtime::clock::Clock;
use tokio::time::{MissedTickBehavior, interval};

use crate::{error::Error, store::Store};

/// Between two rounds; the first is at the start.
const PAUSE: Duration = Duration::from_secs(3600);
/// Transactions in one round; what is left waits for the next.
const STEPS_MAX: usize = 10_000;
/// Microseconds of a day.
const DAY_US: i64 = 86_400_000_000;

/// Deletes what is older than `days`, once an hour, until `stopped`.
pub(crate) async fn run(store: Store, clock: Clock, days: i64, stopped: impl Future<Output = ()>) {
    let mut stopped = pin!(stopped);
    let mut ticks = interval(PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = &mut stopped => return,
            _ = ticks.tick() => {}
        }
        tokio::select! {
            () = &mut stopped => return,
            outcome = round(&store, clock.now_us() - days * DAY_US) => if let Err(error) = outcome {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "old answers could not be deleted; the next round tries again"
                );
            }
        }
    }
}

async fn round(store: &Store, before_us: i64) -> Result<(), Error> {
    for _ in 0..STEPS_MAX {
        if store.prune(before_us).await? == 0 {
            break;
        }
    }
    Ok(())
}
