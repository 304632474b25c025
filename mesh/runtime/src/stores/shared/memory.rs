//! The shared tier of a single process.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::{BoxFuture, ready};
use tokio::{sync::mpsc, time::Instant};

use super::{SUBSCRIPTION_MESSAGES_MAX, SharedError, SharedTier};

/// Entries kept at most; at a few hundred bytes each about 30 MB. Redis has its own `maxmemory`.
const ENTRIES_MAX: usize = 100_000;

/// Keys, counters and subscriptions in memory, gone with the process.
#[derive(Default)]
pub struct Memory {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: HashMap<String, Entry>,
    subscribers: HashMap<String, Vec<mpsc::Sender<Bytes>>>,
}

struct Entry {
    value: Bytes,
    expires: Instant,
}

impl Memory {
    fn locked<T>(&self, act: impl FnOnce(&mut State, Instant) -> T) -> T {
        // Poisoning is of no concern: no step below leaves a half-made state behind.
        let mut state: MutexGuard<'_, State> = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut state, Instant::now())
    }
}

impl State {
    fn live(&self, key: &str, now: Instant) -> Option<Bytes> {
        self.entries.get(key).filter(|entry| entry.expires > now).map(|entry| entry.value.clone())
    }

    fn put(&mut self, key: &str, value: Bytes, expires: Instant, now: Instant) -> Result<(), SharedError> {
        if self.entries.len() >= ENTRIES_MAX && !self.entries.contains_key(key) {
            self.entries.retain(|_, entry| entry.expires > now);
            if self.entries.len() >= ENTRIES_MAX {
                return Err(SharedError::Full);
            }
        }
        self.entries.insert(key.to_owned(), Entry { value, expires });
        Ok(())
    }
}

impl SharedTier for Memory {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, SharedError>> {
        Box::pin(ready(Ok(self.locked(|state, now| state.live(key, now)))))
    }

    fn get_many<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, SharedError>> {
        let values = self.locked(|state, now| keys.iter().map(|key| state.live(key, now)).collect());
        Box::pin(ready(Ok(values)))
    }

    fn set<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<(), SharedError>> {
        Box::pin(ready(self.locked(|state, now| state.put(key, value, now + ttl, now))))
    }

    fn set_if_absent<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, SharedError>> {
        Box::pin(ready(self.locked(|state, now| {
            if state.live(key, now).is_some() {
                return Ok(false);
            }
            state.put(key, value, now + ttl, now).map(|()| true)
        })))
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), SharedError>> {
        self.locked(|state, _| state.entries.remove(key));
        Box::pin(ready(Ok(())))
    }

    fn delete_if_equal<'a>(&'a self, key: &'a str, value: Bytes) -> BoxFuture<'a, Result<bool, SharedError>> {
        Box::pin(ready(Ok(self.locked(|state, now| {
            let equal = state.live(key, now).is_some_and(|held| held == value);
            if equal {
                state.entries.remove(key);
            }
            equal
        }))))
    }

    fn add<'a>(&'a self, key: &'a str, delta: i64, ttl: Duration) -> BoxFuture<'a, Result<i64, SharedError>> {
        Box::pin(ready(self.locked(|state, now| {
            let held = state.entries.get(key).filter(|entry| entry.expires > now);
            let (before, expires) = match held {
                Some(entry) => (number(&entry.value)?, entry.expires),
                None => (0, now + ttl),
            };
            let after = before.checked_add(delta).ok_or(SharedError::WrongKind)?;
            state.put(key, Bytes::from(after.to_string()), expires, now)?;
            Ok(after)
        })))
    }

    fn publish<'a>(&'a self, channel: &'a str, message: Bytes) -> BoxFuture<'a, Result<(), SharedError>> {
        self.locked(|state, _| {
            if let Some(subscribers) = state.subscribers.get_mut(channel) {
                subscribers.retain(|subscriber| !subscriber.is_closed());
                for subscriber in subscribers {
                    // A subscriber whose buffer is full loses this message, as the trait says.
                    let _lost = subscriber.try_send(message.clone());
                }
            }
        });
        Box::pin(ready(Ok(())))
    }

    fn subscribe<'a>(
        &'a self,
        channel: &'a str,
    ) -> BoxFuture<'a, Result<mpsc::Receiver<Bytes>, SharedError>> {
        let (sender, receiver) = mpsc::channel(SUBSCRIPTION_MESSAGES_MAX);
        self.locked(|state, _| state.subscribers.entry(channel.to_owned()).or_default().push(sender));
        Box::pin(ready(Ok(receiver)))
    }

    fn check(&self) -> BoxFuture<'_, Result<(), SharedError>> {
        Box::pin(ready(Ok(())))
    }
}

fn number(value: &Bytes) -> Result<i64, SharedError> {
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or(SharedError::WrongKind)
}
