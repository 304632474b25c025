//! Forgets, once an hour, sessions that are over and answers that nobody asks for again.

use std::time::Duration;

use plexus_runtime::{clock::Clock, stores::database::Database};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    error::Error,
    store::{forget_requests, sessions},
};

/// An hour's rows are few; more often would only wake the writer.
const INTERVAL: Duration = Duration::from_secs(3600);

/// Sweeps at the start and then every hour until `stop`.
pub(crate) async fn run(database: Database, clock: Clock, stop: CancellationToken) {
    loop {
        if let Err(error) = sweep(&database, clock.now_us()).await {
            tracing::warn!(%error, "old sessions and answers stay for another hour");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(INTERVAL) => {}
        }
    }
}

async fn sweep(database: &Database, now_us: i64) -> Result<(), Error> {
    let sessions = sessions::forget(database, now_us).await?;
    let requests = forget_requests(database, now_us).await?;
    tracing::debug!(sessions, requests, "forgot old sessions and answers");
    Ok(())
}
