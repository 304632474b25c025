//! List, then watch, and list again only when the API server has forgotten where the watch was.

use std::time::Duration;

use http_body_util::BodyExt as _;
use serde::Deserialize;
use tokio::time::Instant;

use super::{
    super::{publisher::Publisher, retry::Retry},
    KubernetesApi, KubernetesTarget,
    api::{self, ApiError, Refusal},
    slices::{Slice, Slices},
};
use crate::failure::describe;

/// After how long the API server is asked to end a watch, which is then continued where it was: a
/// connection that is dead without a sign is noticed by then.
const WATCH_LIFE: Duration = Duration::from_secs(120);

/// How long a watch may be silent: its life, and some time for its end to arrive.
const WATCH_SILENCE_MAX: Duration = Duration::from_secs(130);

/// A watch that ends sooner counts as failed, or a server that ends them at once would be hammered.
const WATCH_LIFE_MIN: Duration = Duration::from_secs(5);

/// The longest event, in bytes; the store of the API server holds objects of up to 1.5 MB.
const EVENT_BYTES_MAX: usize = 4_000_000;

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    object: serde_json::Value,
}

/// Keeps the published set at what the API server says.
pub(super) async fn follow(
    api: KubernetesApi,
    target: KubernetesTarget,
    publisher: Publisher,
    mut retry: Retry,
) {
    let mut known = None;
    loop {
        let began = Instant::now();
        match round(&api, &target, &publisher, &mut known).await {
            Ok(()) => {}
            Err(ApiError::Gone) => known = None,
            Err(error) => {
                publisher.fail(describe(&error));
                // From an event that cannot be read no watch gets further.
                if matches!(error, ApiError::Invalid(_) | ApiError::TooLong(_)) {
                    known = None;
                }
            }
        }
        if began.elapsed() < WATCH_LIFE_MIN {
            tokio::time::sleep(retry.next_wait()).await;
        } else {
            retry.succeeded();
        }
    }
}

/// Lists the slices unless they are known, and watches them until the watch ends.
async fn round(
    api: &KubernetesApi,
    target: &KubernetesTarget,
    publisher: &Publisher,
    known: &mut Option<Slices>,
) -> Result<(), ApiError> {
    let slices = match known {
        Some(slices) => slices,
        None => known.insert(api::list(api, target).await?),
    };
    publish(slices, target, publisher);
    let mut answer = api::watch(api, target, &slices.version, WATCH_LIFE).await?;
    // Again, since an error of the watch before may stand there.
    publish(slices, target, publisher);
    let mut pending = Vec::new();
    loop {
        let frame = tokio::time::timeout(WATCH_SILENCE_MAX, answer.body.frame());
        let Some(frame) = frame.await.map_err(|_| ApiError::Timeout)? else { return Ok(()) };
        let Ok(data) = frame?.into_data() else { continue };
        pending.extend_from_slice(&data);
        let Some(end) = pending.iter().rposition(|byte| *byte == b'\n') else {
            if pending.len() > EVENT_BYTES_MAX {
                return Err(ApiError::TooLong("the limit of one event"));
            }
            continue;
        };
        let rest = pending.split_off(end + 1);
        for line in pending.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            apply(serde_json::from_slice(line)?, slices)?;
        }
        pending = rest;
        // Once for all that came together: an endpoint that moves between slices is never away.
        publish(slices, target, publisher);
    }
}

fn apply(event: Event, slices: &mut Slices) -> Result<(), ApiError> {
    match event.kind.as_str() {
        "ADDED" | "MODIFIED" => {
            let slice: Slice = serde_json::from_value(event.object)?;
            slices.version.clone_from(&slice.metadata.resource_version);
            slices.put(slice);
        }
        "DELETED" => {
            let slice: Slice = serde_json::from_value(event.object)?;
            slices.remove(&slice.metadata.name);
            slices.version = slice.metadata.resource_version;
        }
        // A newer version without a change of ours, so that the watch can be continued from there.
        "BOOKMARK" => {
            slices.version = serde_json::from_value::<Slice>(event.object)?.metadata.resource_version;
        }
        "ERROR" => return Err(serde_json::from_value::<Refusal>(event.object)?.into_error()),
        kind => tracing::debug!(kind, "an event of unknown kind"),
    }
    Ok(())
}

fn publish(slices: &Slices, target: &KubernetesTarget, publisher: &Publisher) {
    match slices.members(target) {
        Ok(members) => {
            publisher.publish(members);
        }
        Err(reason) => publisher.fail(reason),
    }
}
