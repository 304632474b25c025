//! Where one replica listens.

use std::{fmt, net::SocketAddr, str::FromStr, sync::Arc};

use http::uri::{Authority, Uri};

/// Host and port of one replica, such as `10.0.0.7:50051` or `quota.mesh:50052`.
///
/// The text is what a [`Connect`](crate::connector::Connect) gets to reach it, what
/// errors and the status view name, and what the server sees as `:authority`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address(Arc<str>);

impl Address {
    /// The address as text, `host:port`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name or the IP address, without the port.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.rsplit_once(':').map_or(&*self.0, |(host, _)| host)
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or_default()
    }
}

/// A text that names no `host:port`.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is not an address: expected host:port or http://host:port")]
pub struct AddressError {
    text: String,
}

impl FromStr for Address {
    type Err = AddressError;

    /// Accepts `host:port`, with or without `http://` and a closing slash.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let error = || AddressError { text: text.to_owned() };
        let bare = text.strip_prefix("http://").unwrap_or(text);
        let bare = bare.strip_suffix('/').unwrap_or(bare);
        let authority = Authority::from_str(bare).map_err(|_| error())?;
        if authority.host().is_empty() || authority.as_str().contains('@') {
            return Err(error());
        }
        authority.port_u16().ok_or_else(error)?;
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
        }
    }

    #[test]
    fn an_ipv6_address_keeps_its_brackets() {
        let address: Address = "[::1]:50051".parse().unwrap();
        assert_eq!((address.host(), address.port()), ("[::1]", 50051));
        assert_eq!(Address::from("[::1]:50051".parse::<SocketAddr>().unwrap()), address);
    }

    #[test]
    fn a_text_without_a_port_a_path_or_another_scheme_is_refused() {
        for text in ["", "quota", "http://quota", "https://quota:1", "http://quota:1/path", "a@b:1", ":1"] {
            assert!(text.parse::<Address>().is_err(), "{text:?} was accepted");
        }
    }
}
