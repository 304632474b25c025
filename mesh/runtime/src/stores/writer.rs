//! The one writer of a SQLite database: a task that owns the connection and commits many jobs at once.
//!
//! A commit costs one sync of the disk, some milliseconds, whatever it holds. While one commit is under way
//! the jobs of other callers gather, and the next commit carries them all.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::{FutureExt as _, future::BoxFuture};
use sqlx::{AnyConnection, Connection as _, Executor as _, migrate::Migrator};
use tokio::sync::{mpsc, oneshot};

use super::database::Error;

/// Jobs that wait for the writer; beyond, callers are told to try again. About 50 ms of work.
const QUEUE_JOBS_MAX: usize = 1024;
/// Jobs in one commit: enough to make the sync cheap, few enough to keep the first caller's wait short.
const BATCH_JOBS_MAX: usize = 256;
/// The pause before a lost connection is opened again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(200);

/// A handle on the writer; the task ends when the last clone is gone.
#[derive(Clone)]
pub(super) struct Writer {
    messages: mpsc::Sender<Message>,
}

enum Message {
    Run(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

impl Writer {
    /// Opens the connection, brings the schema up to date and starts the task.
    pub(super) async fn open(url: &str, setup: &'static str, migrator: &Migrator) -> Result<Self, Error> {
        let mut connection = connect(url, setup).await?;
        migrator.run(&mut connection).await?;
        let (messages, queue) = mpsc::channel(QUEUE_JOBS_MAX);
        let session = Session { url: url.to_owned(), setup, connection: Some(connection) };
        tokio::spawn(session.serve(queue));
        Ok(Self { messages })
    }

    /// Runs `job` in a commit shared with others.
    pub(super) async fn run<T, E, F>(&self, job: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: for<'c> FnOnce(&'c mut AnyConnection) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job = Typed { job: Some(job), outcome: None, answer };
        self.messages.try_send(Message::Run(Box::new(job))).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Error::Busy,
            mpsc::error::TrySendError::Closed(_) => Error::Unavailable(sqlx::Error::WorkerCrashed),
        })?;
        answered.await.unwrap_or_else(|_| Err(Error::Panicked.into()))
    }

    /// Commits what waits and closes the connection.
    pub(super) async fn close(&self) {
        let (closed, wait) = oneshot::channel();
        if self.messages.send(Message::Close(closed)).await.is_ok() {
            // An error means that the task is gone, which is what was asked for.
            let _gone = wait.await;
        }
    }
}

async fn connect(url: &str, setup: &'static str) -> Result<AnyConnection, sqlx::Error> {
    let mut connection = AnyConnection::connect(url).await?;
    connection.execute(setup).await?;
    Ok(connection)
}

/// The task's own state.
struct Session {
    url: String,
    setup: &'static str,
    connection: Option<AnyConnection>,
}

impl Session {
    async fn serve(mut self, mut queue: mpsc::Receiver<Message>) {
        let mut messages = Vec::with_capacity(BATCH_JOBS_MAX);
        while queue.recv_many(&mut messages, BATCH_JOBS_MAX).await > 0 {
            let mut jobs = Vec::with_capacity(messages.len());
            let mut closing = Vec::new();
            for message in messages.drain(..) {
                match message {
                    Message::Run(job) => jobs.push(job),
                    Message::Close(closed) => closing.push(closed),
                }
            }
            self.commit(jobs).await;
            if !closing.is_empty() {
                if let Some(connection) = self.connection.take()
                    && let Err(error) = connection.close().await
                {
                    tracing::warn!(%error, "the database did not close cleanly");
                }
                return;
            }
        }
    }

    /// Runs `jobs` in one transaction and answers each.
    async fn commit(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        jobs.retain(|job| job.is_awaited());
        if jobs.is_empty() {
            return;
        }
        match self.transaction(&mut jobs).await {
            Ok(()) => jobs.into_iter().for_each(|job| job.finish(None)),
            Err(error) => {
                tracing::warn!(%error, jobs = jobs.len(), "a commit failed; its connection is replaced");
                for job in jobs {
                    job.finish(Some(Error::Unavailable(sqlx::Error::WorkerCrashed)));
                }
                // Dropped without ceremony: an open transaction is rolled back with its connection.
                self.connection = None;
            }
        }
    }

    async fn transaction(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), sqlx::Error> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            lost => match connect(&self.url, self.setup).await {
                Ok(connection) => lost.insert(connection),
                Err(error) => {
                    tokio::time::sleep(RECONNECT_PAUSE).await;
                    return Err(error);
                }
            },
        };
        connection.execute("begin immediate").await?;
        for job in jobs {
            connection.execute("savepoint job").await?;
            if !job.run(connection).await {
                connection.execute("rollback to job").await?;
            }
            connection.execute("release job").await?;
        }
        connection.execute("commit").await?;
        Ok(())
    }
}

/// A job whose types the task need not know.
trait Job: Send {
    /// Whether the caller still waits; a job that nobody waits for is not begun.
    fn is_awaited(&self) -> bool;
    /// Runs the job; `false` when it has to be rolled back.
    fn run<'j>(&'j mut self, connection: &'j mut AnyConnection) -> BoxFuture<'j, bool>;
    /// Answers the caller: with the job's outcome, or with the failure of the commit.
    fn finish(self: Box<Self>, failure: Option<Error>);
}

struct Typed<T, E, F> {
    job: Option<F>,
    outcome: Option<Result<T, E>>,
    answer: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Job for Typed<T, E, F>
where
    T: Send + 'static,
    E: From<Error> + Send + 'static,
    F: for<'c> FnOnce(&'c mut AnyConnection) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
{
    fn is_awaited(&self) -> bool {
        !self.answer.is_closed()
    }

    fn run<'j>(&'j mut self, connection: &'j mut AnyConnection) -> BoxFuture<'j, bool> {
        Box::pin(async move {
            if let Some(job) = self.job.take() {
                // A panic of one job must not take the answers of the others with it.
                self.outcome = AssertUnwindSafe(async { job(connection).await }).catch_unwind().await.ok();
            }
            matches!(self.outcome, Some(Ok(_)))
        })
    }

    fn finish(self: Box<Self>, failure: Option<Error>) {
        let answer = match (self.outcome, failure) {
            (Some(Err(error)), _) => Err(error),
            (_, Some(failure)) => Err(failure.into()),
            (Some(Ok(value)), None) => Ok(value),
            (None, None) => Err(Error::Panicked.into()),
        };
        // A caller that went away does not want the answer.
        let _unheard = self.answer.send(answer);
    }
}
