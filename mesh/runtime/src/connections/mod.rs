//! The connections of one server: accepted within a limit, told to go by GOAWAY, cut when their time is over.
//!
//! tonic's own server closes its listener at once, waits for its connections without a bound, and sends no
//! GOAWAY at the age of a connection when that has a grace; so this serves hyper's connections itself.

mod life;

use std::{io, time::Duration};

use axum::Router;
use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The pause after a failed accept: it goes on to fail while the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What one connection, and all of them together, may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Connections at the same time.
    pub(crate) connections_max: usize,
    /// How long a connection may be silent before its HTTP/2 preface.
    pub(crate) preface_timeout: Duration,
    /// When a connection is told to go, before jitter; `None` for never.
    pub(crate) age: Option<Duration>,
    /// How long calls may go on after that.
    pub(crate) age_grace: Duration,
}

/// How a server is told to end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ending {
    /// Accepts nothing more, sends GOAWAY on every connection, lets calls finish.
    pub(crate) drain: CancellationToken,
    /// Closes what is still open.
    pub(crate) cut: CancellationToken,
}

impl Ending {
    /// The same for one connection, which looks at it whenever it wakes, under a lock of its own.
    fn of_one(&self) -> Self {
        Self { drain: self.drain.child_token(), cut: self.cut.child_token() }
    }
}

/// Serves `router` on `listener`; returns when, after `ending.drain`, no connection and no call is left.
pub(crate) async fn serve(listener: TcpListener, router: Router, limits: Limits, ending: Ending) {
    let mut open = Open { router, limits, ending, connections: TaskTracker::new(), full: false };
    let drain = open.ending.drain.clone();
    loop {
        tokio::select! {
            biased;
            () = drain.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => open.take(stream),
                Err(error) => pause(&error).await,
            },
        }
    }
    // Whoever the kernel has let in already gets its calls answered, and GOAWAY, instead of a reset.
    if let Ok(listener) = listener.into_std() {
        while let Ok((stream, _)) = listener.accept() {
            open.take_std(stream);
        }
    }
    open.connections.close();
    open.connections.wait().await;
}

/// The connections that are open.
struct Open {
    router: Router,
    limits: Limits,
    ending: Ending,
    /// Connections, and the calls on them.
    connections: TaskTracker,
    full: bool,
}

impl Open {
    /// Serves `stream`, or closes it at once when there are too many: its client then tries another replica,
    /// where one left in the kernel's queue would wait.
    fn take(&mut self, stream: TcpStream) {
        let full = self.connections.len() >= self.limits.connections_max;
        if full && !self.full {
            let connections_max = self.limits.connections_max;
            tracing::warn!(connections_max, "a connection was refused; more may be until some are closed");
        }
        self.full = full;
        if full {
            return;
        }
        let life = life::run(stream, self.router.clone(), self.limits, self.ending.of_one());
        self.connections.spawn(life);
    }

    fn take_std(&mut self, stream: std::net::TcpStream) {
        match stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream)) {
            Ok(stream) => self.take(stream),
            Err(error) => tracing::debug!(%error, "a connection could not be served"),
        }
    }
}

async fn pause(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    // These are about a client that has gone again, not about this server.
    if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        return;
    }
    tracing::warn!(%error, "no connection could be accepted");
    sleep(ACCEPT_PAUSE).await;
}

#[cfg(test)]
#[path = "connections_tests.rs"]
mod tests;
