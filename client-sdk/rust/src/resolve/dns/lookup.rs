//! One lookup: what is asked, and how the answer becomes members.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig},
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::{RData, Record, RecordType},
};

use super::{DnsTarget, Found, LookupError, Member};
use crate::failure::describe;

/// How many targets of SRV records are looked up at the same time.
const TARGETS_AT_ONCE: usize = 16;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Query {
    /// The addresses of a host, or the host when it is an IP address, with the port to call.
    Address { host: String, port: u16 },
    /// The SRV records of a service.
    Service { name: String },
}

impl Query {
    /// Reads `host:port`, `[ipv6]:port` or `_service._proto.name`; the error says what is wrong.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let is_name = |name: &str| {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            !name.is_empty() && name.len() <= 255 && name.bytes().all(is_plain)
        };
        if text.starts_with('_') {
            let is_service =
                is_name(text) && text.split('.').nth(1).is_some_and(|proto| proto.starts_with('_'));
            return match is_service {
                true => Ok(Self::Service { name: text.to_owned() }),
                false => Err("a name that begins with _ must be a service, such as _grpc._tcp.quota.mesh"),
            };
        }
        let (host, port) = text.rsplit_once(':').ok_or("the port is missing")?;
        let port = port.parse().map_err(|_| "the port is no number from 1 to 65535")?;
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = bracketed.filter(|host| host.parse::<IpAddr>().is_ok()).unwrap_or(host);
        match port {
            0 => Err("the port is no number from 1 to 65535"),
            _ if bracketed.is_none() && !is_name(host) => Err("the host is no name"),
            port => Ok(Self::Address { host: host.to_owned(), port }),
        }
    }
}

impl fmt::Display for Query {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { host, port } if host.contains(':') => write!(formatter, "[{host}]:{port}"),
            Self::Address { host, port } => write!(formatter, "{host}:{port}"),
            Self::Service { name } => formatter.write_str(name),
        }
    }
}

/// Asks the name servers. The caller bounds the time.
pub(super) async fn lookup(target: DnsTarget) -> Result<Found, LookupError> {
    let resolver = resolver(target.name_server).map_err(LookupError::System)?;
    match &target.query {
        Query::Address { host, port } => {
            let (addresses, time_to_live) = addresses(&resolver, host).await?;
            let members = addresses.into_iter().map(|ip| SocketAddr::new(ip, *port).into()).collect();
            Ok(Found { members, time_to_live })
        }
        Query::Service { name } => service(&resolver, name).await,
    }
}

/// Made anew for each lookup: the files of the system may have changed, and a cache would answer the
/// hint that the set is old with the old set.
fn resolver(name_server: Option<SocketAddr>) -> Result<TokioResolver, NetError> {
    let mut builder = match name_server {
        None => TokioResolver::builder_tokio()?,
        Some(address) => {
            let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
            for connection in &mut connections {
                connection.port = address.port();
            }
            let server = NameServerConfig::new(address.ip(), true, connections);
            let config = ResolverConfig::from_name_servers(vec![server]);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
    };
    let options = builder.options_mut();
    options.cache_size = 0;
    // Both families would list each replica twice.
    options.ip_strategy = LookupIpStrategy::Ipv4thenIpv6;
    builder.build()
}

async fn addresses(resolver: &TokioResolver, host: &str) -> Result<(Vec<IpAddr>, Duration), LookupError> {
    let query = |error| LookupError::Query(host.to_owned(), error);
    let lookup = resolver.lookup_ip(host).await.map_err(query)?;
    Ok((lookup.iter().collect(), time_to_live(lookup.as_lookup().answers())))
}

async fn service(resolver: &TokioResolver, name: &str) -> Result<Found, LookupError> {
    let query = |error| LookupError::Query(name.to_owned(), error);
    let lookup = resolver.lookup(name, RecordType::SRV).await.map_err(query)?;
    let mut found = Found { members: Vec::new(), time_to_live: time_to_live(lookup.answers()) };
    let mut services = Vec::new();
    for record in lookup.answers() {
        if let RData::SRV(service) = &record.data {
            services.push(service.clone());
        }
    }
    let mut failure = None;
    let mut answers = stream::iter(services)
        .map(|service| async move {
            if service.target.is_root() {
                return Err(LookupError::NotOffered(name.to_owned()));
            }
            let (addresses, time_to_live) = addresses(resolver, &service.target.to_utf8()).await?;
            Ok((service, addresses, time_to_live))
        })
        .buffer_unordered(TARGETS_AT_ONCE);
    while let Some(answer) = answers.next().await {
        match answer {
            Ok((service, addresses, time_to_live)) => {
                found.time_to_live = found.time_to_live.min(time_to_live);
                // A target of several addresses gives each the weight of its record.
                found.members.extend(addresses.into_iter().map(|ip| {
                    let member = Member::from(SocketAddr::new(ip, service.port));
                    member.weight(service.weight.into()).priority(service.priority.into())
                }));
            }
            Err(error) => {
                tracing::debug!(service = name, error = describe(&error), "a target was left out");
                failure = Some(error);
            }
        }
    }
    match failure {
        Some(failure) if found.members.is_empty() => Err(failure),
        _ => Ok(found),
    }
}

/// The shortest life of the records, aliases on the way included.
fn time_to_live(records: &[Record]) -> Duration {
    let seconds = records.iter().map(|record| record.ttl).min().unwrap_or_default();
    Duration::from_secs(seconds.into())
}
