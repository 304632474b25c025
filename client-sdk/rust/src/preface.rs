//! Tells when a server has spoken: a byte stream that reports its first byte.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::oneshot,
};

use crate::connect::BoxIo;

/// A byte stream that reports when the first byte has come.
///
/// An HTTP/2 server speaks first, with its SETTINGS. A kernel accepts connections for a process that
/// hangs, so only this shows that somebody is there (gRPC calls a connection ready by the same sign).
pub(crate) struct WithPreface {
    io: BoxIo,
    heard: Option<oneshot::Sender<()>>,
}

impl WithPreface {
    /// The stream, and what resolves at its first byte.
    pub(crate) fn new(io: BoxIo) -> (Self, oneshot::Receiver<()>) {
        let (sender, receiver) = oneshot::channel();
        (Self { io, heard: Some(sender) }, receiver)
    }
}

impl AsyncRead for WithPreface {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(context, buffer);
        if buffer.filled().len() > before
            && let Some(heard) = self.heard.take()
        {
            // Nobody listens when the attempt was given up.
            heard.send(()).ok();
        }
        polled
    }
}

impl AsyncWrite for WithPreface {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
