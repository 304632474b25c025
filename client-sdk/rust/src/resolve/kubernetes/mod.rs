//! Members from the `EndpointSlices` of a Kubernetes service: who is ready, in which zone, on which port.
//!
//! The pod's service account needs `list` and `watch` on `endpointslices` of `discovery.k8s.io`.

use std::{env, fmt, path::PathBuf, str::FromStr, sync::Arc};

use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::{Resolution, Resolve, publisher::Publisher, retry::Retry};
use crate::{
    address::{Address, AddressError},
    connect::{
        Connect, SocketConnector,
        tls::{Pem, TlsConnector, TlsError},
    },
};

mod api;
mod follow;
mod slices;

/// Where a pod finds its credentials for the API server.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// A service of Kubernetes and the port to call.
///
/// It is read from `kubernetes:///quota.mesh:grpc` or `quota.mesh:50052`: the name of the service, its
/// namespace, and the port's name, or its number as the pods listen on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubernetesTarget {
    service: String,
    namespace: String,
    port: Port,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Port {
    Number(u16),
    Name(String),
}

/// A text that names no service.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is not a Kubernetes target: {problem}; expected kubernetes:///service.namespace:port")]
pub struct KubernetesTargetError {
    text: String,
    problem: &'static str,
}

impl FromStr for KubernetesTarget {
    type Err = KubernetesTargetError;

    fn from_str(text: &str) -> Result<Self, KubernetesTargetError> {
        let error = |problem| KubernetesTargetError { text: text.to_owned(), problem };
        let (name, port) = text
            .strip_prefix("kubernetes:///")
            .unwrap_or(text)
            .rsplit_once(':')
            .ok_or_else(|| error("the port is missing"))?;
        let (service, namespace) = name.split_once('.').ok_or_else(|| error("the namespace is missing"))?;
        for label in [service, namespace, port] {
            let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            if label.is_empty() || label.len() > 63 || !label.bytes().all(is_plain) {
                return Err(error("names have 1 to 63 characters of a-z, 0-9 and -"));
            }
        }
        let port = match port.parse::<u16>() {
            Ok(0) => return Err(error("the port is no number from 1 to 65535")),
            Ok(number) => Port::Number(number),
            Err(_) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
                return Err(error("the port is no number from 1 to 65535"));
            }
            Err(_) => Port::Name(port.to_owned()),
        };
        Ok(Self { service: service.to_owned(), namespace: namespace.to_owned(), port })
    }
}

impl fmt::Display for KubernetesTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "kubernetes:///{}.{}:{}", self.service, self.namespace, self.port)
    }
}

impl fmt::Display for Port {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(formatter),
            Self::Name(name) => name.fmt(formatter),
        }
    }
}

/// Where the API server is, and how to show who asks.
#[derive(Clone)]
pub struct KubernetesApi {
    address: Address,
    connector: Arc<dyn Connect>,
    token_file: Option<PathBuf>,
}

/// Why a process cannot reach the API server of its cluster.
#[derive(Debug, thiserror::Error)]
pub enum KubernetesError {
    /// The process does not run in a pod.
    #[error("{0} is not set: this process does not run in Kubernetes")]
    NotInCluster(&'static str),
    /// The variables that Kubernetes sets name no address.
    #[error("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT name no address")]
    Address(#[from] AddressError),
    /// The certificate of the cluster's authority cannot be used.
    #[error("the cluster's certificate cannot be used")]
    Tls(#[from] TlsError),
}

impl KubernetesApi {
    /// The API server of the cluster that this pod runs in, and the pod's service account. The token is
    /// read again for each request, since Kubernetes replaces it.
    ///
    /// # Errors
    /// When the process does not run in a pod, or has no usable certificate of the cluster.
    pub fn in_cluster() -> Result<Self, KubernetesError> {
        let variable = |name| env::var(name).map_err(|_| KubernetesError::NotInCluster(name));
        let (host, port) = (variable("KUBERNETES_SERVICE_HOST")?, variable("KUBERNETES_SERVICE_PORT")?);
        let address = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let roots = Pem::file(format!("{SERVICE_ACCOUNT}/ca.crt"));
        let api = Self::at_tls(address.parse()?, TlsConnector::builder().roots(roots).http1().build()?);
        Ok(api.token_file(format!("{SERVICE_ACCOUNT}/token")))
    }

    /// An API server that is reached without TLS, such as `kubectl proxy` at `127.0.0.1:8001`.
    #[must_use]
    pub fn plaintext(address: Address) -> Self {
        Self { address, connector: Arc::new(SocketConnector), token_file: None }
    }

    fn at_tls(address: Address, connector: TlsConnector) -> Self {
        Self { address, connector: Arc::new(connector), token_file: None }
    }

    /// Shows the token in this file.
    #[must_use]
    pub fn token_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.token_file = Some(path.into());
        self
    }
}

impl fmt::Debug for KubernetesApi {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("KubernetesApi");
        debug.field("address", &self.address).field("token_file", &self.token_file).finish_non_exhaustive()
    }
}

/// Follows the endpoints of a service: lists them once, and is told of every change.
///
/// Only endpoints that are ready and not terminating are members. A service with addresses of both
/// families lists each pod twice; then those of IPv4 are taken.
#[derive(Debug)]
pub struct KubernetesResolver {
    publisher: Publisher,
    _task: AbortOnDropHandle<()>,
}

impl KubernetesResolver {
    /// Follows this service. To be called inside a Tokio runtime.
    #[must_use]
    pub fn new(api: KubernetesApi, target: KubernetesTarget) -> Self {
        Self::with_retry(api, target, Retry::default())
    }

    fn with_retry(api: KubernetesApi, target: KubernetesTarget, retry: Retry) -> Self {
        let publisher = Publisher::new(target.to_string());
        let task = tokio::spawn(follow::follow(api, target, publisher.clone(), retry));
        Self { publisher, _task: AbortOnDropHandle::new(task) }
    }
}

impl Resolve for KubernetesResolver {
    fn watch(&self) -> watch::Receiver<Resolution> {
        self.publisher.subscribe()
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
