//! The loop that forgets answers which were kept for repeated requests and are too old to be asked for.

use std::{future::Future, pin::pin, time::Duration};

use plexus_runtime::clock::Clock;
use tokio::time::{MissedTickBehavior, interval};

use crate::store::Store;

/// Between two rounds; the first is at the start.
const PAUSE: Duration = Duration::from_secs(600);

/// Forgets what is older than `kept`, until `stopped`.
pub(crate) async fn run(store: Store, clock: Clock, kept: Duration, stopped: impl Future<Output = ()>) {
    let mut stopped = pin!(stopped);
    let mut ticks = interval(PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let kept_us = i64::try_from(kept.as_micros()).unwrap_or(i64::MAX);
    loop {
        tokio::select! {
            () = &mut stopped => return,
            _ = ticks.tick() => {}
        }
        if let Err(error) = store.forget(clock.now_us().saturating_sub(kept_us)).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "old answers could not be forgotten; the next round tries again"
            );
        }
    }
}
