//! Members from DNS: A and AAAA records of a name, or SRV records of a service.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use tokio_util::task::AbortOnDropHandle;

use super::{Member, Resolution, Resolve, publisher::Publisher, retry::Retry};
use crate::failure::describe;

mod lookup;

use lookup::Query;

/// The least time between two lookups that succeed (gRPC's DNS resolvers: 30 s); failed ones are repeated
/// after 1 s and then more and more slowly, at most every 120 s.
pub const LOOKUP_INTERVAL_MIN: Duration = Duration::from_secs(30);

/// The longest time to the next lookup, however long the records say that they live: an operator who
/// moves a service does not wait for a day.
pub const LOOKUP_INTERVAL_MAX: Duration = Duration::from_secs(300);

/// How long a lookup may take, all its questions and repetitions included.
pub const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// What to look up, read from a text as gRPC writes it:
///
/// - `dns:///quota.mesh:50052` or `quota.mesh:50052`: each A record, or each AAAA record when there is no
///   A record, is a member with this port;
/// - `dns:///_grpc._tcp.quota.mesh`: each SRV record gives port, priority and weight (RFC 2782) of the
///   addresses of its target;
/// - `dns://10.0.0.2:53/...`: asks this name server and not those of the system.
///
/// Members have IP addresses, so TLS must be told the name that the certificates show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsTarget {
    query: Query,
    name_server: Option<SocketAddr>,
}

/// A text that says nothing to look up.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is not a DNS target: {problem}; expected dns:///host:port or dns:///_service._proto.name")]
pub struct DnsTargetError {
    text: String,
    problem: &'static str,
}

impl FromStr for DnsTarget {
    type Err = DnsTargetError;

    fn from_str(text: &str) -> Result<Self, DnsTargetError> {
        let error = |problem| DnsTargetError { text: text.to_owned(), problem };
        let (server, name) = match text.strip_prefix("dns:") {
            None => ("", text),
            Some(rest) => match rest.strip_prefix("//") {
                None => ("", rest),
                Some(rest) => {
                    rest.split_once('/').ok_or_else(|| error("a slash must follow the name server"))?
                }
            },
        };
        let name_server = match server {
            "" => None,
            server => {
                let with_port = server.parse::<SocketAddr>();
                let address = with_port.or_else(|_| server.parse::<IpAddr>().map(|ip| (ip, 53).into()));
                Some(
                    address
                        .map_err(|_| error("the name server must be an IP address with or without port"))?,
                )
            }
        };
        let query = Query::parse(name).map_err(error)?;
        Ok(Self { query, name_server })
    }
}

impl fmt::Display for DnsTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = self.name_server.map_or_else(String::new, |server| server.to_string());
        write!(formatter, "dns://{server}/{}", self.query)
    }
}

/// How often is asked, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct DnsOptions {
    /// Default: [`LOOKUP_INTERVAL_MIN`].
    pub interval_min: Duration,
    /// Default: [`LOOKUP_INTERVAL_MAX`]; never below `interval_min`.
    pub interval_max: Duration,
    /// Default: [`LOOKUP_TIMEOUT`].
    pub timeout: Duration,
}

impl Default for DnsOptions {
    fn default() -> Self {
        Self { interval_min: LOOKUP_INTERVAL_MIN, interval_max: LOOKUP_INTERVAL_MAX, timeout: LOOKUP_TIMEOUT }
    }
}

/// Follows a name: asks again when the records' time to live ends and when a channel loses a connection.
#[derive(Debug)]
pub struct DnsResolver {
    publisher: Publisher,
    refresh: Arc<Notify>,
    _task: AbortOnDropHandle<()>,
}

impl DnsResolver {
    /// Follows this target with the default options. To be called inside a Tokio runtime.
    #[must_use]
    pub fn new(target: DnsTarget) -> Self {
        Self::with_options(target, DnsOptions::default())
    }

    /// Follows this target. To be called inside a Tokio runtime.
    #[must_use]
    pub fn with_options(target: DnsTarget, options: DnsOptions) -> Self {
        let name = target.to_string();
        Self::start(&name, options, move || lookup::lookup(target.clone()).boxed())
    }

    fn start(name: &str, options: DnsOptions, lookup: impl Fn() -> Lookup + Send + 'static) -> Self {
        let publisher = Publisher::new(name);
        let refresh = Arc::new(Notify::new());
        let following = follow(lookup, options, publisher.clone(), Arc::clone(&refresh));
        Self { publisher, refresh, _task: AbortOnDropHandle::new(tokio::spawn(following)) }
    }
}

impl Resolve for DnsResolver {
    fn watch(&self) -> watch::Receiver<Resolution> {
        self.publisher.subscribe()
    }

    fn refresh(&self) {
        self.refresh.notify_one();
    }
}

type Lookup = BoxFuture<'static, Result<Found, LookupError>>;

/// What a lookup found.
#[derive(Clone, Debug, PartialEq)]
struct Found {
    members: Vec<Member>,
    /// How long this holds.
    time_to_live: Duration,
}

/// Why a lookup gave no members.
#[derive(Debug, thiserror::Error)]
enum LookupError {
    #[error("the configuration of the system's resolver cannot be used")]
    System(#[source] hickory_resolver::net::NetError),
    #[error("the lookup of {0} failed")]
    Query(String, #[source] hickory_resolver::net::NetError),
    #[error("{0} is not offered: its SRV record says so")]
    NotOffered(String),
    #[error("no answer within {0:?}")]
    Timeout(Duration),
}

async fn follow(
    lookup: impl Fn() -> Lookup,
    options: DnsOptions,
    publisher: Publisher,
    refresh: Arc<Notify>,
) {
    let interval_max = options.interval_max.max(options.interval_min);
    let mut retry = Retry::default();
    loop {
        // A hint from before is answered by this lookup.
        refresh.notified().now_or_never();
        let timed = tokio::time::timeout(options.timeout, lookup()).await;
        let taken = match timed.unwrap_or(Err(LookupError::Timeout(options.timeout))) {
            Ok(found) => publisher.publish(found.members).then_some(found.time_to_live),
            Err(error) => {
                publisher.fail(describe(&error));
                None
            }
        };
        let now = Instant::now();
        let (earliest, latest) = match taken {
            Some(time_to_live) => {
                retry.succeeded();
                let interval = time_to_live.clamp(options.interval_min, interval_max);
                (now + options.interval_min, now + interval)
            }
            None => {
                let at = now + retry.next_wait();
                (at, at)
            }
        };
        tokio::select! {
            () = tokio::time::sleep_until(latest) => {}
            () = refresh.notified() => tokio::time::sleep_until(earliest).await,
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
