//! Requests that are repeated with the same id: the kept answer is given again, and nothing is charged.

use plexus_runtime::{identity::Caller, status::Problem, stores::requests::RequestKey};
use prost::Message;

use super::Rpc;
use crate::error::Error;

/// What identifies `request`, unless the client does not want it to be kept.
///
/// # Errors
/// When the id is too long.
pub(super) fn key(
    caller: &Caller,
    method: &'static str,
    request_id: &str,
    request: &impl Message,
) -> Result<Option<RequestKey>, Problem> {
    if request_id.is_empty() {
        return Ok(None);
    }
    RequestKey::new(caller, method, request_id, request).map(Some)
}

impl Rpc {
    /// The answer that was kept for `key`.
    ///
    /// # Errors
    /// When the id was used for another request, or the store fails.
    pub(super) async fn kept<M: Message + Default>(
        &self,
        key: Option<&RequestKey>,
    ) -> Result<Option<M>, Error> {
        let Some(key) = key else { return Ok(None) };
        let Some(bytes) = self.store.kept(key).await? else { return Ok(None) };
        // What was written here decodes, unless its type was changed against the rules of the contract.
        M::decode(bytes.as_slice()).map(Some).map_err(|error| Problem::internal(&error).into())
    }

    /// Keeps `answer` for `key`. The work has been done and charged, so a store that fails now does not undo it.
    pub(super) async fn keep(&self, key: Option<RequestKey>, answer: &impl Message) {
        let Some(key) = key else { return };
        if let Err(error) = self.store.keep(key, answer.encode_to_vec(), self.clock.now_us()).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "an answer could not be kept");
        }
    }
}
