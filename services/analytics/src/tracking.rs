//! Taking events: admitted, written once, counted live.

use plexus_runtime::clock::Clock;
use std::sync::Arc;

use crate::{
    admission::{Admitted, Author, Now, Rejection, admit, first_of_each_id},
    error::Error,
    event::{Draft, Event},
    live::Live,
    store::Store,
};

/// Takes events.
pub struct Tracker {
    store: Store,
    live: Arc<Live>,
    clock: Clock,
    kept_days: i64,
}

/// What became of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is durable, and happened at this time (epoch microseconds) after correction.
    Accepted(i64),
    /// Its id came before.
    Duplicate,
    /// It is not valid.
    Rejected(Rejection),
}

impl Tracker {
    /// A tracker into `store` that refuses events older than `kept_days`.
    #[must_use]
    pub fn new(store: Store, live: Arc<Live>, clock: Clock, kept_days: i64) -> Self {
        Self { store, live, clock, kept_days }
    }

    /// Takes `drafts` in one commit and says what became of each, in their order.
    ///
    /// # Errors
    /// Those of the store; nothing is written then.
    pub async fn track(
        &self,
        author: &Author,
        drafts: Vec<Result<Draft, Rejection>>,
    ) -> Result<Vec<Outcome>, Error> {
        let now = Now { receive_us: self.clock.now_us(), kept_days: self.kept_days };
        let admitted: Vec<Admitted> =
            drafts.into_iter().map(|draft| draft.and_then(|draft| admit(draft, author, now))).collect();
        let firsts = first_of_each_id(&admitted);
        let events: Vec<Event> = admitted
            .iter()
            .zip(&firsts)
            .filter_map(|(event, first)| event.as_ref().ok().filter(|_| *first).cloned())
            .collect();
        if events.is_empty() {
            return Ok(admitted.into_iter().map(|event| outcome(event, false)).collect());
        }
        let written = self.store.write(author.source.clone(), events).await?;
        self.live.count(now.receive_us, i64::try_from(written.len()).unwrap_or(i64::MAX));
        Ok(admitted
            .into_iter()
            .zip(firsts)
            .map(|(event, first)| {
                let new = first && event.as_ref().is_ok_and(|event| written.contains(&event.message_id));
                outcome(event, new)
            })
            .collect())
    }
}

fn outcome(event: Admitted, new: bool) -> Outcome {
    match event {
        Ok(event) if new => Outcome::Accepted(event.timestamp_us),
        Ok(_) => Outcome::Duplicate,
        Err(rejection) => Outcome::Rejected(rejection),
    }
}
