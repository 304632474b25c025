//! Where one replica listens.

use std::{fmt, net::SocketAddr, path::Path, str::FromStr, sync::Arc};

use http::uri::{Authority, Uri};

/// How the address of a unix socket begins.
const UNIX: &str = "unix:";

/// Host and port of one replica, such as `10.0.0.7:50051` or `quota.mesh:50052`, or the path of its
/// unix socket, such as `unix:/run/quota.sock`.
///
/// The text is what a [`Connect`](crate::connect::Connect) gets to reach it, and what errors and the
/// status view name. It holds no scheme: whether TLS is spoken is the connector's choice.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address(Arc<str>);

impl Address {
    /// The address as text, `host:port` or `unix:/path`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name or the IP address, without the port; `localhost` for a unix socket.
    #[must_use]
    pub fn host(&self) -> &str {
        self.authority().rsplit_once(':').map_or(self.authority(), |(host, _)| host)
    }

    /// The port; 0 for a unix socket.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.authority().rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or_default()
    }

    /// The path of the socket, if this is a unix socket.
    #[must_use]
    pub fn unix_path(&self) -> Option<&Path> {
        self.0.strip_prefix(UNIX).map(Path::new)
    }

    /// What requests to this replica name as `:authority`: the address itself, and `localhost` for a
    /// unix socket (gRPC name resolution).
    #[must_use]
    pub fn authority(&self) -> &str {
        if self.0.starts_with(UNIX) { "localhost" } else { &self.0 }
    }
}

/// A text that names no replica.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is not an address: {problem}; expected host:port, http://host:port or unix:/path")]
pub struct AddressError {
    text: String,
    problem: &'static str,
}

impl FromStr for Address {
    type Err = AddressError;

    /// Accepts `host:port`, with or without `http://` and a closing slash, and `unix:/path` or
    /// `unix:///path` (gRPC name resolution; the path is absolute).
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let error = |problem| AddressError { text: text.to_owned(), problem };
        if let Some(path) = text.strip_prefix(UNIX) {
            let path = path.strip_prefix("//").unwrap_or(path);
            return match path {
                "" | "/" => Err(error("it names no socket")),
                path if path.starts_with('/') => Ok(Self(Arc::from(format!("{UNIX}{path}")))),
                _ => Err(error("the path of a unix socket must be absolute")),
            };
        }
        let bare = match text.split_once("://") {
            None => text,
            Some(("http", bare)) => bare,
            Some(("https", _)) => return Err(error("TLS is chosen by the connector, not by the address")),
            Some(_) => return Err(error("this scheme is unknown")),
        };
        let bare = bare.strip_suffix('/').unwrap_or(bare);
        let authority = Authority::from_str(bare).map_err(|_| error("it is no host and port"))?;
        if authority.host().is_empty() || authority.as_str().contains('@') {
            return Err(error("the host is missing or has a user name before it"));
        }
        authority.port_u16().ok_or_else(|| error("the port is missing"))?;
        Ok(Self(Arc::from(authority.as_str())))
    }
}

impl TryFrom<&Uri> for Address {
    type Error = AddressError;

    fn try_from(uri: &Uri) -> Result<Self, AddressError> {
        uri.to_string().parse()
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self(Arc::from(address.to_string()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_are_read_with_and_without_the_scheme() {
        for text in ["quota.mesh:50052", "http://quota.mesh:50052", "http://quota.mesh:50052/"] {
            let address: Address = text.parse().unwrap();
            assert_eq!((address.host(), address.port()), ("quota.mesh", 50052));
            assert_eq!((address.authority(), address.unix_path()), ("quota.mesh:50052", None));
        }
    }

    #[test]
    fn an_ipv6_address_keeps_its_brackets() {
        let address: Address = "[::1]:50051".parse().unwrap();
        assert_eq!((address.host(), address.port()), ("[::1]", 50051));
        assert_eq!(Address::from("[::1]:50051".parse::<SocketAddr>().unwrap()), address);
    }

    #[test]
    fn a_unix_socket_is_named_by_its_path_and_called_localhost() {
        for text in ["unix:/run/quota:1.sock", "unix:///run/quota:1.sock"] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.unix_path(), Some(Path::new("/run/quota:1.sock")));
            assert_eq!((address.authority(), address.host(), address.port()), ("localhost", "localhost", 0));
            assert_eq!(address.to_string(), "unix:/run/quota:1.sock");
        }
    }

    #[test]
    fn a_text_without_a_port_with_a_path_or_another_scheme_is_refused() {
        let texts = ["", "quota", "http://quota", "https://quota:1", "ftp://quota:1", "http://quota:1/path"];
        for text in texts.into_iter().chain(["a@b:1", ":1", "unix:", "unix:///", "unix:run/quota.sock"]) {
            assert!(text.parse::<Address>().is_err(), "{text:?} was accepted");
        }
        let error = "https://quota:1".parse::<Address>().unwrap_err().to_string();
        assert!(error.contains("TLS is chosen by the connector"), "{error}");
    }
}
