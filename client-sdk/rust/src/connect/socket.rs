//! Plaintext over the sockets of this machine: TCP, and unix sockets for `unix:` addresses.

use std::io;

use futures_util::future::BoxFuture;
use tokio::net::TcpStream;

use super::{BoxIo, Connect};
use crate::address::Address;

/// TCP for `host:port`, a unix socket for `unix:/path`.
///
/// TCP has `TCP_NODELAY`, since gRPC writes whole messages. It has no `TCP_USER_TIMEOUT` and no keepalive
/// of its own: the PINGs of HTTP/2 find a dead peer sooner than the kernel, and a hung process too.
#[derive(Clone, Copy, Debug, Default)]
pub struct SocketConnector;

impl Connect for SocketConnector {
    fn connect(&self, address: Address) -> BoxFuture<'static, io::Result<BoxIo>> {
        Box::pin(async move {
            if let Some(path) = address.unix_path() {
                return connect_unix(path).await;
            }
            let stream = TcpStream::connect(address.as_str()).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as BoxIo)
        })
    }
}

#[cfg(unix)]
async fn connect_unix(path: &std::path::Path) -> io::Result<BoxIo> {
    Ok(Box::new(tokio::net::UnixStream::connect(path).await?))
}

#[cfg(not(unix))]
async fn connect_unix(path: &std::path::Path) -> io::Result<BoxIo> {
    let text = format!("{} cannot be reached: this system has no unix sockets", path.display());
    Err(io::Error::new(io::ErrorKind::Unsupported, text))
}

#[cfg(all(test, unix))]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, UnixListener},
    };

    use super::*;

    #[tokio::test]
    async fn a_unix_address_reaches_its_socket_and_another_its_port() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("replica.sock");
        let unix = UnixListener::bind(&path).unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addresses = [format!("unix:{}", path.display()), tcp.local_addr().unwrap().to_string()];
        tokio::spawn(async move {
            unix.accept().await.unwrap().0.write_all(b"unix").await.unwrap();
            tcp.accept().await.unwrap().0.write_all(b"port").await.unwrap();
        });
        for (address, expected) in addresses.into_iter().zip(["unix", "port"]) {
            let mut stream = SocketConnector.connect(address.parse().unwrap()).await.unwrap();
            let mut greeting = String::new();
            stream.read_to_string(&mut greeting).await.unwrap();
            assert_eq!(greeting, expected);
        }
    }
}
