//! A set that its owner replaces: for tests, and for sources of one's own.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::watch;

use super::{Member, Resolution, Resolve, publisher};

/// A set that is replaced while channels use it. Clones share the set.
#[derive(Clone, Debug, Default)]
pub struct ManualResolver {
    resolution: watch::Sender<Resolution>,
    refreshes: Arc<AtomicUsize>,
}

impl ManualResolver {
    /// Starts with these members.
    pub fn new(members: impl IntoIterator<Item = Member>) -> Self {
        Self { resolution: watch::Sender::new(Resolution::new(members)), refreshes: Arc::default() }
    }

    /// Replaces the whole set: channels connect to what is new and drain what is gone. Also an empty
    /// set is passed on; what it means is the channel's choice.
    pub fn replace(&self, members: impl IntoIterator<Item = Member>) {
        self.resolution.send_replace(Resolution::new(members));
    }

    /// Says that the source cannot be read at present, and why. The members stay.
    pub fn fail(&self, error: impl Into<Arc<str>>) {
        publisher::fail(&self.resolution, error.into());
    }

    /// How often a channel has asked for a newer set.
    #[must_use]
    pub fn refreshes(&self) -> usize {
        self.refreshes.load(Ordering::Relaxed)
    }
}

impl Resolve for ManualResolver {
    fn watch(&self) -> watch::Receiver<Resolution> {
        self.resolution.subscribe()
    }

    fn refresh(&self) {
        self.refreshes.fetch_add(1, Ordering::Relaxed);
    }
}
