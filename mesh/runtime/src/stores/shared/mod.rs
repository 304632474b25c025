//! The shared tier: cached reads, counters, leases and messages between replicas, all of which may be lost.
//!
//! Two twins with one meaning, held by one suite of tests: [`Memory`] for one process, [`Redis`] for many.
//! Whoever uses it goes on with the durable store when it fails.

mod memory;
mod redis;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

pub use memory::Memory;
pub use redis::Redis;

/// Messages that wait for one subscriber; a slower one loses the newest and must not rely on having seen all.
const SUBSCRIPTION_MESSAGES_MAX: usize = 256;

/// Why the shared tier did not answer.
#[derive(Debug, thiserror::Error)]
pub enum SharedError {
    /// It cannot be reached, or did not answer in time.
    #[error("the shared tier does not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It holds something else under this key.
    #[error("the shared tier holds a value of another kind under this key")]
    WrongKind,
    /// It is full.
    #[error("the shared tier is full")]
    Full,
}

/// What both twins can do. Each operation is atomic by itself.
pub trait SharedTier: Send + Sync {
    /// The value under `key`.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, SharedError>>;
    /// The values under `keys`, in their order.
    fn get_many<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, SharedError>>;
    /// Puts `value` under `key` for `ttl`.
    fn set<'a>(&'a self, key: &'a str, value: Bytes, ttl: Duration)
    -> BoxFuture<'a, Result<(), SharedError>>;
    /// Puts `value` under `key` for `ttl` unless something is there; says whether it did.
    fn set_if_absent<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, SharedError>>;
    /// Removes `key`.
    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), SharedError>>;
    /// Removes `key` if it holds `value`; says whether it did.
    fn delete_if_equal<'a>(&'a self, key: &'a str, value: Bytes) -> BoxFuture<'a, Result<bool, SharedError>>;
    /// Adds `delta` to the counter `key`, which begins at zero and lives for `ttl` from its first addition.
    fn add<'a>(&'a self, key: &'a str, delta: i64, ttl: Duration) -> BoxFuture<'a, Result<i64, SharedError>>;
    /// Sends `message` to whoever is subscribed to `channel` at this moment.
    fn publish<'a>(&'a self, channel: &'a str, message: Bytes) -> BoxFuture<'a, Result<(), SharedError>>;
    /// Receives what is published on `channel` from now on, for as long as the receiver is kept.
    fn subscribe<'a>(&'a self, channel: &'a str)
    -> BoxFuture<'a, Result<mpsc::Receiver<Bytes>, SharedError>>;
    /// Whether it answers.
    fn check(&self) -> BoxFuture<'_, Result<(), SharedError>>;
}

/// A handle on the shared tier of this process.
#[derive(Clone)]
pub struct Shared(Arc<dyn SharedTier>);

impl Shared {
    /// The in-process twin.
    #[must_use]
    pub fn memory() -> Self {
        Self(Arc::new(Memory::default()))
    }

    /// Redis at `url` (`redis://` or `rediss://`); connects when it is first used.
    ///
    /// # Errors
    /// When the URL is not one.
    pub fn redis(url: &str) -> Result<Self, SharedError> {
        Ok(Self(Arc::new(Redis::new(url)?)))
    }
}

impl std::ops::Deref for Shared {
    type Target = dyn SharedTier;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}
