//! Reservations at quota that end whatever happens: committed when the answer is whole, and otherwise by their guard.

use std::time::Duration;

use plexus_runtime::tasks::Tasks;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::{error::Error, rpc::quota::Quota};

/// The pauses before ending a reservation is tried again while quota does not answer; then it expires by itself.
const RETRY_PAUSES: [Duration; 4] =
    [Duration::from_millis(100), Duration::from_millis(400), Duration::from_secs(2), Duration::from_secs(8)];

/// Takes tokens and requests from the quota of callers; clones share it.
#[derive(Clone)]
pub(crate) struct Meter {
    quota: Quota,
    tasks: Tasks,
    /// How long a reservation lasts if this process dies.
    ttl: Duration,
    /// Tokens that are added when a reservation is outgrown.
    step: i64,
}

/// Tokens and one request held for one call.
///
/// Dropping it ends it at once: what was used until then is committed, and if nothing was, all is released.
pub(crate) struct Reservation {
    meter: Meter,
    id: String,
    reserved: i64,
    /// Tokens used so far; none before the provider's first token.
    used: Option<i64>,
    extensions: u32,
    ended: bool,
}

/// How a reservation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// These tokens and one request were used.
    Commit(i64),
    /// Nothing was used.
    Release,
}

impl Meter {
    /// A meter that reserves at `quota` for `ttl`, and `step` tokens more when that is not enough.
    pub(crate) fn new(quota: Quota, tasks: Tasks, ttl: Duration, step: i64) -> Self {
        Self { quota, tasks, ttl, step }
    }

    /// The tokens of an answer that are reserved before it begins, if it has at most `output_max`.
    pub(crate) fn first_step(&self, output_max: i64) -> i64 {
        self.step.min(output_max)
    }

    /// Reserves `tokens` and one request for `subject`.
    ///
    /// # Errors
    /// When quota refuses or does not answer.
    pub(crate) async fn reserve(&self, subject: &str, tokens: i64) -> Result<Reservation, Error> {
        let id = Uuid::now_v7().to_string();
        // The guard comes first: a caller who goes away while quota answers leaves nothing behind.
        let mut reservation = Reservation {
            meter: self.clone(),
            id,
            reserved: tokens,
            used: None,
            extensions: 0,
            ended: false,
        };
        match self.quota.reserve(&reservation.id, subject, tokens, self.ttl).await {
            Ok(()) => Ok(reservation),
            Err(status) => {
                // What was refused does not exist; of what was not answered that is not known.
                reservation.ended = status.code() == Code::ResourceExhausted;
                Err(Error::Quota(status))
            }
        }
    }
}

impl Reservation {
    /// Notes that `tokens` have been used in all, after reserving more if they have outgrown what is reserved.
    ///
    /// # Errors
    /// When quota refuses more; the tokens are not noted then.
    pub(crate) async fn cover(&mut self, tokens: i64) -> Result<(), Error> {
        if tokens > self.reserved {
            let more = (tokens - self.reserved).max(self.meter.step);
            self.extensions += 1;
            let request_id = format!("{}-e{}", self.id, self.extensions);
            self.meter.quota.extend(&request_id, &self.id, more).await.map_err(Error::Quota)?;
            self.reserved += more;
        }
        self.used = Some(tokens);
        Ok(())
    }

    /// Ends it: `tokens` and one request were used. Succeeds even if quota does not answer: then it is tried again
    /// in the background, since the work has been done.
    pub(crate) async fn commit(mut self, tokens: i64) {
        self.used = Some(tokens);
        if self.meter.quota.commit(&self.id, tokens).await.is_ok() {
            self.ended = true;
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let (quota, id) = (self.meter.quota.clone(), std::mem::take(&mut self.id));
        let end = self.used.map_or(End::Release, End::Commit);
        self.meter.tasks.detached(async move { finish(&quota, &id, end).await });
    }
}

async fn finish(quota: &Quota, id: &str, end: End) {
    for pause in RETRY_PAUSES.map(Some).into_iter().chain([None]) {
        let answer = match end {
            End::Commit(tokens) => quota.commit(id, tokens).await,
            End::Release => quota.release(id).await,
        };
        let Err(status) = answer else { return };
        if end == End::Release && status.code() == Code::NotFound {
            return;
        }
        match (pause, is_passing(&status)) {
            (Some(pause), true) => tokio::time::sleep(pause).await,
            _ => {
                tracing::warn!(reservation = id, ?end, code = ?status.code(),
                    "a reservation could not be ended; it expires by itself");
                return;
            }
        }
    }
}

fn is_passing(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable | Code::DeadlineExceeded | Code::Unknown | Code::Internal | Code::Aborted
    )
}
