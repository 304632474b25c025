//! Keeps the model of recommendations and computes it anew when it has grown old.

use std::{sync::Arc, time::Duration};

use plexus_runtime::clock::Clock;
use tokio::{sync::Mutex, task::spawn_blocking, time::Instant};

use crate::{
    error::Error,
    event::user_actor,
    recommendation::{KNOWN_ITEMS_MAX, Model, Recommendation},
    store::Store,
};

/// Recommends items to users.
pub struct Recommender {
    store: Store,
    clock: Clock,
    interests_max: i64,
    age_max: Duration,
    held: Mutex<Option<Held>>,
}

#[derive(Clone)]
struct Held {
    model: Arc<Model>,
    since: Instant,
    time_us: i64,
}

/// What is recommended to a user.
#[derive(Clone, Debug, PartialEq)]
pub struct Recommended {
    /// Best first.
    pub items: Vec<Recommendation>,
    /// When the likeness of items was computed, epoch microseconds.
    pub model_us: i64,
}

impl Recommender {
    /// A recommender that looks into the latest `interests_max` interests at least every `age_max`.
    #[must_use]
    pub fn new(store: Store, clock: Clock, interests_max: i64, age_max: Duration) -> Self {
        Self { store, clock, interests_max, age_max, held: Mutex::new(None) }
    }

    /// The `count` best items for the user.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn recommend(&self, user_id: &str, count: usize) -> Result<Recommended, Error> {
        let held = self.model().await?;
        let known = i64::try_from(KNOWN_ITEMS_MAX).unwrap_or(i64::MAX);
        let history = self.store.history(&user_actor(user_id), known).await?;
        Ok(Recommended { items: held.model.recommend(&history, count), model_us: held.time_us })
    }

    /// The present model. Who comes while it is being computed waits for it: under a second.
    async fn model(&self) -> Result<Held, Error> {
        let mut held = self.held.lock().await;
        if let Some(held) = held.as_ref().filter(|held| held.since.elapsed() < self.age_max) {
            return Ok(held.clone());
        }
        let time_us = self.clock.now_us();
        let interests = self.store.interests(self.interests_max).await?;
        // Up to a second of arithmetic, which must not hold up other calls.
        let model =
            spawn_blocking(move || Model::build(&interests, time_us)).await.map_err(Error::Computation)?;
        let fresh = Held { model: Arc::new(model), since: Instant::now(), time_us };
        *held = Some(fresh.clone());
        Ok(fresh)
    }
}
