//! How many calls a channel lets go on at once.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// The most calls of one channel at once, bodies included. Each costs a task and some kilobytes;
/// beyond this a process rather has lost control of its callers, and is better told at once.
pub const IN_FLIGHT_MAX: usize = 10_000;

/// A counter with a bound.
#[derive(Debug)]
pub(crate) struct Limit {
    used: AtomicUsize,
    max: usize,
}

impl Limit {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { used: AtomicUsize::new(0), max })
    }

    pub(crate) fn max(&self) -> usize {
        self.max
    }

    /// A place until the permit is dropped; `None` at once when all are taken.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Permit> {
        let entered = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| (used < self.max).then_some(used + 1));
        entered.ok().map(|_| Permit(Arc::clone(self)))
    }
}

/// One place within a [`Limit`].
#[derive(Debug)]
pub(crate) struct Permit(Arc<Limit>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.used.fetch_sub(1, Ordering::Relaxed);
    }
}
