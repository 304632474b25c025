//! Keeps one replica connected: at once, again after a wait, more than once when streams run out.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use futures_util::{
    StreamExt as _,
    future::{BoxFuture, OptionFuture},
    stream::FuturesUnordered,
};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::Backoff,
    connection::{ConnectError, Connection, Driver},
    endpoint::{CONNECTIONS_MAX, ConnectionState, Endpoint},
    failure::describe,
    health_watch,
    pool::Pool,
    telemetry::{Connections, Disconnect},
};

/// How often it is looked whether a further connection is still needed.
const SPARE_CHECK_INTERVAL: Duration = Duration::from_secs(30);

type Opened = Result<(Arc<Connection>, Driver), ConnectError>;

/// A connection that has ended, since when it was open, and why it ended.
type Ended = (Weak<Connection>, Instant, String);

/// Keeps one replica connected until `stop`; then it takes no new calls, and those in flight go on.
pub(crate) async fn supervise(pool: Arc<Pool>, endpoint: Arc<Endpoint>, stop: CancellationToken) {
    let supervisor = Supervisor {
        backoff: Backoff::new(pool.settings.backoff, pool.random.fork()),
        connections: pool.metrics.connections(),
        pool: Arc::clone(&pool),
        endpoint: Arc::clone(&endpoint),
        drivers: FuturesUnordered::new(),
        attempt: None,
        health: None,
    };
    stop.run_until_cancelled(supervisor.run()).await;
    endpoint.close();
    pool.refresh();
}

struct Supervisor {
    pool: Arc<Pool>,
    endpoint: Arc<Endpoint>,
    backoff: Backoff,
    connections: Connections,
    drivers: FuturesUnordered<BoxFuture<'static, Ended>>,
    attempt: Option<BoxFuture<'static, Opened>>,
    /// Follows the health service on one of the connections.
    health: Option<BoxFuture<'static, ()>>,
}

impl Supervisor {
    async fn run(mut self) {
        let mut spare_check = interval(SPARE_CHECK_INTERVAL);
        spare_check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.connect(Duration::ZERO);
        loop {
            let has_place = self.attempt.is_none() && self.drivers.len() < CONNECTIONS_MAX;
            tokio::select! {
                biased;
                Some((connection, since, reason)) = self.drivers.next() => self.lost(&connection, since, reason),
                Some(opened) = OptionFuture::from(self.attempt.as_mut()) => {
                    self.attempt = None;
                    self.opened(opened);
                }
                Some(()) = OptionFuture::from(self.health.as_mut()) => self.health = None,
                () = self.endpoint.is_crowded.notified(), if has_place => self.connect(Duration::ZERO),
                _ = spare_check.tick() => self.retire(),
            }
        }
    }

    /// Begins an attempt after a wait.
    fn connect(&mut self, wait: Duration) {
        let (pool, endpoint) = (Arc::clone(&self.pool), Arc::clone(&self.endpoint));
        self.attempt = Some(Box::pin(async move {
            if !wait.is_zero() {
                sleep(wait).await;
            }
            if !endpoint.is_connected() {
                endpoint.set_state(ConnectionState::Connecting);
            }
            let timeout = pool.settings.connect_timeout;
            let room = pool.room();
            Connection::open(&*pool.connector, endpoint.address().clone(), timeout, room).await
        }));
    }

    fn opened(&mut self, opened: Opened) {
        match opened {
            Ok((connection, driver)) => {
                let open = self.connections.opened();
                // Weak: a connection that nobody uses any more closes itself.
                let (driven, since) = (Arc::downgrade(&connection), Instant::now());
                self.drivers.push(Box::pin(async move {
                    // Awaited by value: requests that wait in a driver come back only when it is dropped.
                    let reason = match driver.await {
                        Ok(()) => {
                            // What hyper calls the end in good order: a GOAWAY, or nobody uses it any more.
                            open.close(Disconnect::GoAway(h2::Reason::NO_ERROR));
                            "closed by the server".to_owned()
                        }
                        Err(error) => {
                            open.close(Disconnect::from_error(&error));
                            format!("connection lost: {}", describe(&error))
                        }
                    };
                    (driven, since, reason)
                }));
                if self.endpoint.connections().is_empty() {
                    self.watch_health(&connection);
                }
                self.endpoint.join(&connection);
                self.pool.refresh();
            }
            Err(error) => {
                self.connections.failed();
                let error = describe(&error);
                tracing::debug!(replica = %self.endpoint.address(), error, "connection attempt failed");
                if self.drivers.is_empty() {
                    self.endpoint.fail(error);
                    self.pool.resolver.refresh();
                } else {
                    self.endpoint.note(error);
                }
                let wait = self.backoff.next_wait();
                self.connect(wait);
            }
        }
    }

    fn lost(&mut self, connection: &Weak<Connection>, since: Instant, reason: String) {
        tracing::debug!(replica = %self.endpoint.address(), reason, "connection ended");
        let place =
            self.endpoint.connections().iter().position(|known| Arc::as_ptr(known) == connection.as_ptr());
        // Absent when it was retired.
        let Some(place) = place else { return };
        self.endpoint.leave(place);
        let left = self.endpoint.connections();
        if place == 0 {
            self.health = None;
            if let Some(next) = left.first() {
                self.watch_health(next);
            }
        }
        if left.is_empty() {
            self.endpoint.fail(reason);
            self.pool.refresh();
            self.pool.resolver.refresh();
            self.backoff.connected_for(since.elapsed());
            if self.attempt.is_none() {
                let wait = self.backoff.next_wait();
                self.connect(wait);
            }
        }
    }

    fn watch_health(&mut self, connection: &Arc<Connection>) {
        let Some(service) = &self.pool.settings.health_service else { return };
        // Not before the server has said so.
        self.endpoint.set_serving(false);
        let watch = health_watch::follow(
            Arc::clone(&self.pool),
            Arc::clone(&self.endpoint),
            Arc::clone(connection),
            service.clone(),
        );
        self.health = Some(Box::pin(watch));
    }

    /// Closes the last of several connections when nothing uses it.
    fn retire(&mut self) {
        let connections = self.endpoint.connections();
        if let [_, others @ .., spare] = connections.as_slice()
            && spare.streams() == 0
        {
            self.endpoint.leave(others.len() + 1);
        }
    }
}
