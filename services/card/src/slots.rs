//! Places for work that keeps a thread busy: so many at once, so many that wait, and no more.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::error::Error;

/// Slots for rendering. Clones share them.
#[derive(Clone)]
pub(crate) struct Slots {
    running: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
}

impl Slots {
    /// `slots` that work, and a queue for `waiting` more.
    pub(crate) fn new(slots: usize, waiting: usize) -> Self {
        Self { running: Arc::new(Semaphore::new(slots)), admitted: Arc::new(Semaphore::new(slots + waiting)) }
    }

    /// Does `work` on a thread that may block.
    ///
    /// A caller who goes away while it waits frees its place; work that has begun goes on, and keeps its slot.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, Error> + Send + 'static,
    {
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| Error::Overloaded)?;
        // It is never closed.
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| Error::Overloaded)?;
        let span = tracing::Span::current();
        tokio::task::spawn_blocking(move || {
            let _held = (admitted, running);
            span.in_scope(work)
        })
        .await?
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, task::Poll};

    use super::*;

    #[tokio::test]
    async fn work_beyond_the_slots_and_the_queue_is_refused_at_once() {
        let slots = Slots::new(1, 1);
        let (finish, finished) = mpsc::channel::<()>();
        let (begin, begun) = tokio::sync::oneshot::channel();
        let first = slots.clone();
        let first = tokio::spawn(async move {
            first
                .run(move || {
                    begin.send(()).unwrap();
                    finished.recv().unwrap();
                    Ok(1)
                })
                .await
        });
        begun.await.unwrap();
        let mut second = Box::pin(slots.run(|| Ok(2)));
        assert!(futures_util::poll!(&mut second).is_pending());
        let mut third = Box::pin(slots.run(|| Ok(3)));
        assert!(matches!(futures_util::poll!(&mut third), Poll::Ready(Err(Error::Overloaded))));
        finish.send(()).unwrap();
        assert_eq!(first.await.unwrap().unwrap(), 1);
        assert_eq!(second.await.unwrap(), 2);
        assert_eq!(slots.run(|| Ok(4)).await.unwrap(), 4);
    }

    #[tokio::test]
    async fn a_caller_who_leaves_the_queue_frees_its_place() {
        let slots = Slots::new(1, 1);
        let running = Arc::clone(&slots.running).acquire_owned().await.unwrap();
        let mut waiting = Box::pin(slots.run(|| Ok(1)));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(waiting);
        drop(running);
        assert_eq!(slots.run(|| Ok(2)).await.unwrap(), 2);
    }
}
