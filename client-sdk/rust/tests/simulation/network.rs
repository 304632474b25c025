//! Simulated TCP under the channel.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;
use plexus_client::{
    Address,
    connect::{BoxIo, Connect},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::TcpStream;

use crate::record::{Record, What};

pub(crate) const PORT: u16 = 50_051;

pub(crate) const CLIENT: &str = "client";

const REPLICA: &str = "replica-";

pub(crate) fn replica_name(replica: usize) -> String {
    format!("{REPLICA}{replica}")
}

pub(crate) fn replica_address(replica: usize) -> Address {
    format!("{}:{PORT}", replica_name(replica)).parse().unwrap()
}

/// Connects, and notes it.
pub(crate) struct SimulatedTcp(pub(crate) Record);

impl Connect for SimulatedTcp {
    fn connect(&self, address: Address) -> BoxFuture<'static, io::Result<BoxIo>> {
        let record = self.0.clone();
        Box::pin(async move {
            let replica = address.host().trim_start_matches(REPLICA).parse().expect("a replica's name");
            record.note(What::Connecting { replica });
            let stream = TcpStream::connect((address.host(), address.port())).await?;
            let unheard = Some((replica, record));
            Ok(Box::new(Noting { stream, unheard }) as BoxIo)
        })
    }
}

/// A byte stream that notes when its first byte has come.
struct Noting {
    stream: TcpStream,
    unheard: Option<(usize, Record)>,
}

impl AsyncRead for Noting {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before
            && let Some((replica, record)) = self.unheard.take()
        {
            record.note(What::Heard { replica });
        }
        polled
    }
}

impl AsyncWrite for Noting {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
