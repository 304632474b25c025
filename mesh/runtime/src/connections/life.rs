//! One connection from its preface to its end: age, GOAWAY, grace.

use std::{
    collections::hash_map::RandomState,
    future::pending,
    hash::{BuildHasher as _, Hasher as _},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use axum::Router;
use http::Request;
use hyper::{body::Incoming, rt::Executor, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::SetOnce,
    time::{sleep, timeout},
};
use tokio_util::{io::InspectReader, task::TaskTracker};
use tonic::transport::server::Connected as _;
use tower::Service as _;

use super::{Ending, Limits};

/// Streams on one connection; a client that wants more opens another connection.
const STREAMS_PER_CONNECTION_MAX: u32 = 1024;
/// All headers of a call together; a token of 8 KiB has room.
const HEADER_BYTES_MAX: u32 = 32 * 1024;
/// How often a silent connection is asked whether it lives.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// A peer that does not answer a PING for this long after [`PING_INTERVAL`] is gone.
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// What an HTTP/2 client sends first (RFC 9113, section 3.4), in bytes.
const PREFACE_BYTES: usize = 24;
/// The age of a connection is this share longer or shorter at random, so that the clients of a replica that
/// has restarted do not all come again at the same time (gRFC A9).
const AGE_JITTER: f64 = 0.1;

/// Whoever connected just before a drain has its preface under way; to wait longer would hold up the drain.
const LAST_PREFACE_TIMEOUT: Duration = Duration::from_millis(500);

/// Serves one connection to its end, and the calls on it to theirs.
pub(super) async fn run(stream: TcpStream, router: Router, limits: Limits, ending: Ending) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps Nagle's delay");
    }
    let calls = Calls::default();
    live(stream, (router, calls.clone()), limits, ending).await;
    // The end of the connection ends its calls; their tasks have yet to see it.
    calls.0.close();
    calls.0.wait().await;
}

async fn live(stream: TcpStream, (router, calls): (Router, Calls), limits: Limits, ending: Ending) {
    let peer = stream.connect_info();
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        router.clone().call(request)
    });
    let (io, preface) = inspect(stream);
    let mut connection = pin!(builder(calls).serve_connection(TokioIo::new(io), service));
    let mut cut = pin!(ending.cut.cancelled());
    let (grace, preface_timeout) = tokio::select! {
        ended = connection.as_mut() => return note(ended),
        () = silence(&preface, limits.preface_timeout) => return,
        () = &mut cut => return,
        // A drain has one deadline for all connections.
        () = ending.drain.cancelled() => (None, limits.preface_timeout.min(LAST_PREFACE_TIMEOUT)),
        () = reached(limits.age.map(|age| jittered(age, random_share()))) => {
            (Some(limits.age_grace), limits.preface_timeout)
        }
    };
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        ended = connection.as_mut() => note(ended),
        () = silence(&preface, preface_timeout) => {}
        () = cut => {}
        () = reached(grace) => tracing::debug!("calls were still under way at the end of the grace"),
    }
}

fn builder(calls: Calls) -> http2::Builder<Calls> {
    let mut builder = http2::Builder::new(calls);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
        .max_header_list_size(HEADER_BYTES_MAX)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}

fn note(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// The tasks of the calls on one connection.
#[derive(Clone, Default)]
struct Calls(TaskTracker);

impl<F> Executor<F> for Calls
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, call: F) {
        self.0.spawn(call);
    }
}

/// `stream`, and what is set once its preface has come.
fn inspect(stream: TcpStream) -> (impl AsyncRead + AsyncWrite + Unpin, Arc<SetOnce<()>>) {
    let preface = Arc::new(SetOnce::new());
    let (come, mut missing_bytes) = (Arc::clone(&preface), PREFACE_BYTES);
    let io = InspectReader::new(stream, move |read: &[u8]| {
        if missing_bytes > 0 {
            missing_bytes = missing_bytes.saturating_sub(read.len());
            if missing_bytes == 0 {
                // Only this sets it, and only once.
                come.set(()).ok();
            }
        }
    });
    (io, preface)
}

/// Ends when the preface has not come within `limit`, and never when it has.
async fn silence(preface: &SetOnce<()>, limit: Duration) {
    if timeout(limit, preface.wait()).await.is_ok() {
        pending::<()>().await;
    }
    tracing::debug!("a connection was silent for too long");
}

async fn reached(limit: Option<Duration>) {
    match limit {
        Some(limit) => sleep(limit).await,
        None => pending().await,
    }
}

/// `age`, up to [`AGE_JITTER`] longer or shorter as `share` goes from 0 to 1.
fn jittered(age: Duration, share: f64) -> Duration {
    age.mul_f64(1.0 + AGE_JITTER * (2.0 * share - 1.0))
}

/// From 0 to 1, by the randomness of the standard library's hash maps.
#[expect(clippy::cast_precision_loss, reason = "a jitter needs no more than the bits that an f64 keeps")]
fn random_share() -> f64 {
    RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_age_stays_within_a_tenth_of_what_is_set(age_seconds in 0_u64..1_000_000, share in 0.0..=1.0) {
            let age = Duration::from_secs(age_seconds);
            let jittered = jittered(age, share);
            // A nanosecond for the rounding of a product of floats.
            prop_assert!(jittered + Duration::from_nanos(1) >= age * 9 / 10, "{jittered:?}");
            prop_assert!(jittered <= age * 11 / 10 + Duration::from_nanos(1), "{jittered:?}");
        }
    }

    #[test]
    fn connections_of_one_age_do_not_all_end_together() {
        let age = Duration::from_secs(1_000);
        let ages: Vec<_> = (0..200).map(|_| jittered(age, random_share())).collect();
        let (shortest, longest) = (ages.iter().min().unwrap(), ages.iter().max().unwrap());
        // 200 draws leave neither outer quarter of the range empty, but once in 10^24.
        assert!(*shortest < Duration::from_secs(950) && *longest > Duration::from_secs(1_050), "{ages:?}");
    }
}
