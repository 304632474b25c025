//! TLS to replicas: rustls with ring, HTTP/2 by ALPN, and a client certificate where one is asked for.

use std::{
    collections::HashMap,
    fmt, io,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::future::BoxFuture;
use http::uri::Scheme;
use rustls::{ClientConfig, pki_types::ServerName};

use super::{BoxIo, Connect, SocketConnector};
use crate::{address::Address, failure::describe};

mod credentials;

pub use credentials::{Pem, TlsError};

use credentials::{Credentials, Material};

/// The protocol that a replica must agree to (RFC 9113, 3.2).
const HTTP2: &[u8] = b"h2";

/// What a TLS connector trusts and shows, and which names it expects.
#[must_use]
pub struct TlsBuilder {
    credentials: Credentials,
    names: Names,
    under: Arc<dyn Connect>,
    alpn: &'static [u8],
}

/// The names that the certificates of replicas must show.
#[derive(Default)]
struct Names {
    of_all: Option<ServerName<'static>>,
    by_address: HashMap<Address, ServerName<'static>>,
}

impl TlsBuilder {
    /// Trusts these certificates and no others. Without this, the public authorities of Mozilla's list
    /// are trusted, which is seldom what a mesh wants.
    pub fn roots(mut self, certificates: Pem) -> Self {
        self.credentials.roots = Some(certificates);
        self
    }

    /// Shows this certificate, its chain included, to servers that ask for one (mTLS).
    pub fn identity(mut self, certificates: Pem, key: Pem) -> Self {
        self.credentials.identity = Some((certificates, key));
        self
    }

    /// Expects this DNS name or IP address in the certificate of every replica. Without it, the host of
    /// the address is expected; members from DNS and Kubernetes have IP addresses, so they need it.
    ///
    /// # Errors
    /// When the text is neither.
    pub fn server_name(mut self, name: &str) -> Result<Self, TlsError> {
        self.names.of_all = Some(server_name(name)?);
        Ok(self)
    }

    /// Expects this name of the replica at this address, whatever is expected of the others.
    ///
    /// # Errors
    /// When the text is neither a DNS name nor an IP address.
    pub fn server_name_of(mut self, address: Address, name: &str) -> Result<Self, TlsError> {
        self.names.by_address.insert(address, server_name(name)?);
        Ok(self)
    }

    /// Speaks TLS on the streams of this connector. Default: [`SocketConnector`].
    pub fn over(mut self, connector: impl Connect) -> Self {
        self.under = Arc::new(connector);
        self
    }

    /// Asks for HTTP/1.1, which is for servers that are no replicas.
    #[cfg(feature = "kubernetes")]
    pub(crate) fn http1(mut self) -> Self {
        self.alpn = b"http/1.1";
        self
    }

    /// Reads the files and makes the connector.
    ///
    /// # Errors
    /// When a file cannot be read, when it holds no certificate or no key, or when the two do not match;
    /// the error names the file.
    pub fn build(self) -> Result<TlsConnector, TlsError> {
        let material = self.credentials.read()?;
        let config = config(&material, self.alpn)?;
        Ok(TlsConnector(Arc::new(Shared {
            credentials: self.credentials,
            names: self.names,
            under: self.under,
            alpn: self.alpn,
            present: Mutex::new(Present { material, config }),
        })))
    }
}

/// Opens TLS connections. Clones share the credentials.
///
/// Credentials from files are read again before each connection, so that new ones are used as soon as
/// they are there; files that are half-written or wrong leave the last good ones in use.
#[derive(Clone)]
pub struct TlsConnector(Arc<Shared>);

struct Shared {
    credentials: Credentials,
    names: Names,
    under: Arc<dyn Connect>,
    alpn: &'static [u8],
    present: Mutex<Present>,
}

struct Present {
    material: Material,
    config: Arc<ClientConfig>,
}

impl TlsConnector {
    /// Begins a connector that trusts the public authorities and shows no certificate.
    pub fn builder() -> TlsBuilder {
        TlsBuilder {
            credentials: Credentials::default(),
            names: Names::default(),
            under: Arc::new(SocketConnector),
            alpn: HTTP2,
        }
    }

    /// Reads the files now; connections that are open stay as they are. Answers whether anything changed.
    ///
    /// # Errors
    /// As [`TlsBuilder::build`]; the last good credentials stay in use.
    pub fn reload(&self) -> Result<bool, TlsError> {
        self.0.reload()
    }
}

impl Shared {
    fn reload(&self) -> Result<bool, TlsError> {
        let material = self.credentials.read()?;
        if self.present.lock().unwrap_or_else(PoisonError::into_inner).material == material {
            return Ok(false);
        }
        let config = config(&material, self.alpn)?;
        *self.present.lock().unwrap_or_else(PoisonError::into_inner) = Present { material, config };
        Ok(true)
    }

    async fn config(self: &Arc<Self>) -> Arc<ClientConfig> {
        if self.credentials.come_from_files() {
            let shared = Arc::clone(self);
            let reloaded = tokio::task::spawn_blocking(move || shared.reload()).await;
            if let Ok(Err(error)) = reloaded {
                tracing::warn!(error = describe(&error), "TLS credentials cannot be reloaded; the last stay");
            }
        }
        Arc::clone(&self.present.lock().unwrap_or_else(PoisonError::into_inner).config)
    }

    fn name_of(&self, address: &Address) -> io::Result<ServerName<'static>> {
        if let Some(name) = self.names.by_address.get(address).or(self.names.of_all.as_ref()) {
            return Ok(name.clone());
        }
        let host = address.host().trim_start_matches('[').trim_end_matches(']');
        server_name(host).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
    }
}

impl Connect for TlsConnector {
    fn connect(&self, address: Address) -> BoxFuture<'static, io::Result<BoxIo>> {
        let shared = Arc::clone(&self.0);
        Box::pin(async move {
            let name = shared.name_of(&address)?;
            let config = shared.config().await;
            let stream = shared.under.connect(address).await?;
            let failed = |source: io::Error| {
                io::Error::new(source.kind(), HandshakeError { name: name.to_str().into_owned(), source })
            };
            let connector = tokio_rustls::TlsConnector::from(config);
            let stream = connector.connect(name.clone(), stream).await.map_err(failed)?;
            if stream.get_ref().1.alpn_protocol() != Some(shared.alpn) {
                let protocol = String::from_utf8_lossy(shared.alpn);
                let text = format!("the server does not agree to {protocol} by ALPN");
                return Err(failed(io::Error::new(io::ErrorKind::InvalidData, text)));
            }
            Ok(Box::new(stream) as BoxIo)
        })
    }

    fn scheme(&self) -> Scheme {
        Scheme::HTTPS
    }
}

impl fmt::Debug for TlsConnector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TlsConnector")
            .field("credentials", &self.0.credentials)
            .finish_non_exhaustive()
    }
}

/// Why there is no TLS with a replica.
#[derive(Debug, thiserror::Error)]
#[error("the TLS handshake with {name:?} failed")]
struct HandshakeError {
    name: String,
    source: io::Error,
}

fn server_name(text: &str) -> Result<ServerName<'static>, TlsError> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(ServerName::from(ip));
    }
    ServerName::try_from(text.to_owned())
        .map_err(|source| TlsError::ServerName { name: text.to_owned(), source })
}

fn config(material: &Material, alpn: &[u8]) -> Result<Arc<ClientConfig>, TlsError> {
    let mut config = credentials::config(material)?;
    config.alpn_protocols = vec![alpn.to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
