//! The grammar of targets: texts that say where the replicas of a service are found.

use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6},
    path::PathBuf,
    str::FromStr,
    sync::Arc,
};

#[cfg(feature = "dns")]
use super::dns::{DnsResolver, DnsTarget, DnsTargetError};
#[cfg(feature = "kubernetes")]
use super::kubernetes::{
    KubernetesApi, KubernetesError, KubernetesResolver, KubernetesTarget, KubernetesTargetError,
};
use super::{Member, Resolve, StaticResolver, file::FileResolver};
use crate::address::{Address, AddressError};

/// Where replicas are found, read from a text as in
/// [gRPC's naming](https://github.com/grpc/grpc/blob/master/doc/naming.md):
///
/// | text | replicas |
/// |---|---|
/// | `10.0.0.7:50052` or `quota-0:50052,quota-1:50052` | these; the system looks a name up for each connection |
/// | `quota.mesh:50052` | with the feature `dns`, as with `dns:` before it; without it, as above |
/// | `dns:///quota.mesh:50052`, `dns:quota.mesh:50052` | all addresses of the name (feature `dns`) |
/// | `dns:///_grpc._tcp.quota.mesh` | what the SRV records of the service say (feature `dns`) |
/// | `dns://10.0.0.2/quota.mesh:50052` | the same, asked of this name server (feature `dns`) |
/// | `ipv4:10.0.0.7:50052,10.0.0.8:50052` | these |
/// | `ipv6:[fd00::7]:50052,[fd00::8]:50052` | these |
/// | `unix:/run/quota.sock`, `unix:///run/quota.sock` | the one at this socket |
/// | `file:///etc/quota.json` | what the file lists, followed ([`file`](super::file)) |
/// | `kubernetes:///quota.mesh:grpc` | the ready pods of the service (feature `kubernetes`) |
///
/// An address may have `http://` before it. Unlike in gRPC the port is always needed, and paths are
/// absolute and taken as they are, without percent-encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    text: Arc<str>,
    source: Source,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Fixed(Vec<Address>),
    File(PathBuf),
    #[cfg(feature = "dns")]
    Dns(DnsTarget),
    #[cfg(feature = "kubernetes")]
    Kubernetes(KubernetesTarget),
}

/// Why a text gives no replicas.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// What stands before `://` is not known.
    #[error(
        "{0:?} has an unknown scheme; expected host:port[,host:port], dns:, ipv4:, ipv6:, unix:, file: or \
         kubernetes:"
    )]
    Scheme(String),
    /// The scheme needs a part of this crate that is turned off.
    #[error("{text:?} needs the feature {feature:?} of plexus-client; turn it on in Cargo.toml")]
    Feature {
        /// What was given.
        text: String,
        /// The feature to turn on.
        feature: &'static str,
    },
    /// An entry is no address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// An entry is no IP address of the family that the scheme says.
    #[error("{entry:?} in {text:?} is no address of this family with a port; expected such as {example}")]
    Family {
        /// What was given.
        text: String,
        /// The part of it that is wrong.
        entry: String,
        /// What would be right.
        example: &'static str,
    },
    /// An address is listed twice.
    #[error("{text:?} lists {address} twice")]
    Twice {
        /// What was given.
        text: String,
        /// What it lists twice.
        address: Address,
    },
    /// No file is named.
    #[error("{0:?} names no file by an absolute path; expected file:///path.json")]
    File(String),
    /// What follows `dns:` says nothing to look up.
    #[cfg(feature = "dns")]
    #[error(transparent)]
    Dns(#[from] DnsTargetError),
    /// What follows `kubernetes:` names no service.
    #[cfg(feature = "kubernetes")]
    #[error(transparent)]
    Kubernetes(#[from] KubernetesTargetError),
    /// The API server of the cluster cannot be asked.
    #[cfg(feature = "kubernetes")]
    #[error("the endpoints of {text:?} cannot be followed")]
    Cluster {
        /// What was given.
        text: String,
        /// Why.
        source: Box<KubernetesError>,
    },
}

impl Target {
    /// Begins to follow the replicas. To be called inside a Tokio runtime.
    ///
    /// # Errors
    /// For `kubernetes:`, when the process does not run in a pod. Whatever else goes wrong later, such as
    /// a file that is missing, calls and their errors tell.
    pub fn resolver(&self) -> Result<Arc<dyn Resolve>, TargetError> {
        Ok(match &self.source {
            Source::Fixed(addresses) => {
                Arc::new(StaticResolver::new(addresses.iter().cloned().map(Member::new)))
            }
            Source::File(path) => Arc::new(FileResolver::new(path)),
            #[cfg(feature = "dns")]
            Source::Dns(target) => Arc::new(DnsResolver::new(target.clone())),
            #[cfg(feature = "kubernetes")]
            Source::Kubernetes(target) => {
                let api = KubernetesApi::in_cluster().map_err(|error| TargetError::Cluster {
                    text: self.text.to_string(),
                    source: Box::new(error),
                })?;
                Arc::new(KubernetesResolver::new(api, target.clone()))
            }
        })
    }

    /// The text that it was read from.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
        let source = match scheme {
            "dns" => dns(text)?,
            "kubernetes" => kubernetes(text)?,
            "ipv4" => Source::Fixed(numeric::<SocketAddrV4>(text, rest, "ipv4:10.0.0.7:50052")?),
            "ipv6" => Source::Fixed(numeric::<SocketAddrV6>(text, rest, "ipv6:[fd00::7]:50052")?),
            "unix" => Source::Fixed(vec![text.parse()?]),
            "file" => Source::File(file(text, rest)?),
            "http" | "https" => bare(text)?,
            _ if rest.starts_with("//") => return Err(TargetError::Scheme(text.to_owned())),
            // As in gRPC: what only looks like a scheme is the host.
            _ => bare(text)?,
        };
        Ok(Self { text: Arc::from(text), source })
    }
}

/// `host:port[,host:port]`.
fn bare(text: &str) -> Result<Source, TargetError> {
    let addresses = text.split(',').map(str::parse).collect::<Result<Vec<Address>, _>>()?;
    if let [address] = addresses.as_slice()
        && cfg!(feature = "dns")
        && is_name(address)
    {
        return dns(&format!("dns:///{address}"));
    }
    Ok(Source::Fixed(unique(text, addresses)?))
}

fn is_name(address: &Address) -> bool {
    let host = address.host().trim_start_matches('[').trim_end_matches(']');
    address.unix_path().is_none() && host.parse::<IpAddr>().is_err()
}

/// `address:port[,address:port]` of one family.
fn numeric<A>(text: &str, list: &str, example: &'static str) -> Result<Vec<Address>, TargetError>
where
    A: FromStr,
    SocketAddr: From<A>,
{
    let entries = list.split(',').map(|entry| match entry.parse::<A>() {
        Ok(address) => Ok(SocketAddr::from(address).into()),
        Err(_) => Err(TargetError::Family { text: text.to_owned(), entry: entry.to_owned(), example }),
    });
    unique(text, entries.collect::<Result<_, _>>()?)
}

fn unique(text: &str, addresses: Vec<Address>) -> Result<Vec<Address>, TargetError> {
    let mut seen = HashSet::new();
    match addresses.iter().find(|address| !seen.insert(*address)) {
        Some(address) => Err(TargetError::Twice { text: text.to_owned(), address: address.clone() }),
        None => Ok(addresses),
    }
}

/// The path of `file:///path` or `file:/path` (RFC 8089).
fn file(text: &str, rest: &str) -> Result<PathBuf, TargetError> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    match path.strip_prefix('/') {
        Some(name) if !name.is_empty() => Ok(PathBuf::from(path)),
        _ => Err(TargetError::File(text.to_owned())),
    }
}

#[cfg(feature = "dns")]
fn dns(text: &str) -> Result<Source, TargetError> {
    Ok(Source::Dns(text.parse()?))
}

#[cfg(not(feature = "dns"))]
fn dns(text: &str) -> Result<Source, TargetError> {
    Err(TargetError::Feature { text: text.to_owned(), feature: "dns" })
}

#[cfg(feature = "kubernetes")]
fn kubernetes(text: &str) -> Result<Source, TargetError> {
    Ok(Source::Kubernetes(text.parse()?))
}

#[cfg(not(feature = "kubernetes"))]
fn kubernetes(text: &str) -> Result<Source, TargetError> {
    Err(TargetError::Feature { text: text.to_owned(), feature: "kubernetes" })
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
