//! Waiting until an endpoint can take a call, and saying why none could.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::time::Instant;
use tonic::Status;

use crate::{
    address::Address,
    channel::Core,
    connection::Stream,
    deadline::Deadline,
    endpoint::{ConnectionState, Endpoint, EndpointStatus},
    pool::NoPick,
    telemetry::{AttemptRecord, CallLimit, CallRecord, PickResult},
};

/// What a call wants of its endpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// Endpoints that it has met, to be avoided.
    pub(crate) tried: &'a [Address],
    /// What of the request decides, for pickers that ask for it.
    pub(crate) hash: Option<u64>,
    pub(crate) deadline: Deadline,
    /// Wait until the deadline, however long no endpoint is ready.
    pub(crate) wait_for_ready: bool,
}

/// An endpoint that can take the call, as soon as there is one.
///
/// # Errors
/// `RESOURCE_EXHAUSTED` at once when all endpoints are full; `UNAVAILABLE` when none became ready within
/// the channel's wait; `DEADLINE_EXCEEDED` when the call's time is up before that.
pub(crate) async fn endpoint(
    core: &Core,
    wanted: Wanted<'_>,
    call: &mut CallRecord,
    attempt: &AttemptRecord,
) -> Result<(Arc<Endpoint>, Stream), Status> {
    let is_crowded = AtomicBool::new(false);
    let pick = || match core.pool.pick(wanted.tried, wanted.hash) {
        Ok(picked) => Some(Ok(picked)),
        Err(NoPick::Full) => Some(Err(Status::resource_exhausted(format!(
            "every endpoint of {} has as many calls in flight as it may",
            core.name
        )))),
        Err(NoPick::NotReady) => None,
        // Calls end sooner or later: that is waited for as long as the deadline allows.
        Err(NoPick::Crowded) => {
            is_crowded.store(true, Ordering::Relaxed);
            None
        }
    };
    if let Some(picked) = pick() {
        if picked.is_ok() {
            call.picked(PickResult::Found);
        } else {
            call.refused(CallLimit::Endpoint);
        }
        return picked;
    }
    let has_endpoints = core.pool.has_endpoints();
    let patience = Instant::now()
        .checked_add(core.ready_wait)
        .filter(|_| !wanted.wait_for_ready && !is_crowded.load(Ordering::Relaxed));
    let limit = patience.into_iter().chain(wanted.deadline.head).min();
    let waiting = async {
        loop {
            let mut changed = pin!(core.pool.changed());
            // Before looking, so that no change is missed.
            changed.as_mut().enable();
            if let Some(picked) = pick() {
                return picked;
            }
            changed.await;
        }
    };
    // Boxed, or every call would carry the room that a wait needs.
    let picked = Box::pin(async {
        match limit {
            Some(limit) => tokio::time::timeout_at(limit, waiting).await.ok(),
            None => Some(waiting.await),
        }
    });
    let picked = picked.await;
    match picked {
        Some(picked) => {
            call.picked(PickResult::Found);
            attempt.picked_late();
            if !has_endpoints {
                call.resolved_late();
            }
            picked
        }
        None if wanted.deadline.head.is_some_and(|deadline| Some(deadline) == limit) => {
            call.picked(PickResult::DeadlineExceeded);
            Err(Status::deadline_exceeded(why_none(core)))
        }
        None => {
            call.picked(PickResult::Unavailable);
            Err(Status::unavailable(why_none(core)))
        }
    }
}

/// Says for each endpoint why it takes no calls.
fn why_none(core: &Core) -> String {
    let (name, endpoints) = (&core.name, core.pool.status());
    let resolver = match core.pool.resolver_error() {
        Some(error) => format!("; resolver: {error}"),
        None => String::new(),
    };
    if endpoints.is_empty() {
        return format!("{name} has no endpoints{resolver}");
    }
    let each: Vec<_> = endpoints.iter().map(why_not).collect();
    format!("no endpoint of {name} is ready: {}{resolver}", each.join(", "))
}

fn why_not(endpoint: &EndpointStatus) -> String {
    match (endpoint.state, endpoint.last_error.as_str()) {
        (ConnectionState::Ready, _) if !endpoint.is_serving => format!("{} (NOT_SERVING)", endpoint.address),
        (state, "") => format!("{} ({state:?})", endpoint.address),
        (_, error) => format!("{} ({error})", endpoint.address),
    }
}
