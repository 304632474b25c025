//! How bytes reach a replica: the boundary for sockets, TLS and simulated networks.

use std::{io, time::Duration};

use futures_util::future::BoxFuture;
use http::uri::Scheme;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::address::Address;

mod socket;
#[cfg(feature = "tls")]
pub mod tls;

pub use socket::SocketConnector;

/// How long a connection attempt may take, from the first packet until the server's HTTP/2 preface.
///
/// A replica in the same data centre answers in milliseconds; a lost SYN
/// is repeated after 1 s and 3 s, and both should get their chance.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A byte stream to a replica.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for T {}

/// A byte stream of any kind.
pub type BoxIo = Box<dyn Io>;

/// Opens byte streams. HTTP/2 with prior knowledge is spoken on them.
pub trait Connect: Send + Sync + 'static {
    /// Opens a stream to the address. The caller bounds the time and drops the future when it is over.
    fn connect(&self, address: Address) -> BoxFuture<'static, io::Result<BoxIo>>;

    /// What requests name as `:scheme`; a connector that speaks TLS says `https`.
    fn scheme(&self) -> Scheme {
        Scheme::HTTP
    }
}
