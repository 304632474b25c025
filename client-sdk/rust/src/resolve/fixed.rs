//! A set that never changes.

use tokio::sync::watch;

use super::{Member, Resolution, Resolve};

/// A set that never changes.
#[derive(Debug)]
pub struct StaticResolver(watch::Sender<Resolution>);

impl StaticResolver {
    /// The set of these members.
    pub fn new(members: impl IntoIterator<Item = Member>) -> Self {
        Self(watch::Sender::new(Resolution::new(members)))
    }
}

impl Resolve for StaticResolver {
    fn watch(&self) -> watch::Receiver<Resolution> {
        self.0.subscribe()
    }
}
