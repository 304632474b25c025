//! Listens in on a connection: tells when the server has spoken, and when it says that it is going.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{Notify, oneshot},
};

use crate::connect::BoxIo;

/// The head of an HTTP/2 frame: length, type, flags, stream (RFC 9113, 4.1).
const FRAME_HEAD_BYTES: usize = 9;

/// The type of a GOAWAY frame (RFC 9113, 6.8).
const GOAWAY: u8 = 0x7;

/// A byte stream that reports its first frame, and the first GOAWAY in it.
///
/// An HTTP/2 server speaks first, with its SETTINGS. A kernel accepts connections for a process that
/// hangs, so only this shows that somebody is there (gRPC calls a connection ready by the same sign). The
/// frame must be whole: what says half of it may never say more.
///
/// hyper notices a GOAWAY with the next request alone. Until then, a replica that drains would wait for
/// our streams that have no end, such as that to its health service.
pub(crate) struct Watched {
    io: BoxIo,
    heard: Option<oneshot::Sender<io::Result<()>>>,
    frames: Frames,
    goaway: Arc<Goaway>,
}

/// Whether the server has said GOAWAY.
#[derive(Debug, Default)]
pub(crate) struct Goaway {
    is_said: AtomicBool,
    said: Notify,
}

impl Goaway {
    /// Whether it has been said.
    pub(crate) fn is_said(&self) -> bool {
        self.is_said.load(Ordering::Relaxed)
    }

    /// Ends when it is said. For one listener.
    pub(crate) async fn said(&self) {
        self.said.notified().await;
    }
}

/// Where one frame ends and the next begins.
#[derive(Debug, Default)]
struct Frames {
    head: [u8; FRAME_HEAD_BYTES],
    head_bytes: usize,
    /// What is left of the present frame's payload.
    payload_bytes: usize,
    /// Whether any frame has come to its end.
    has_whole: bool,
}

impl Frames {
    /// Takes the next bytes; answers whether a GOAWAY frame began in them.
    fn has_goaway(&mut self, mut bytes: &[u8]) -> bool {
        let mut found = false;
        while !bytes.is_empty() {
            let skipped = self.payload_bytes.min(bytes.len());
            self.payload_bytes -= skipped;
            self.has_whole |= skipped > 0 && self.payload_bytes == 0;
            bytes = &bytes[skipped..];
            let taken = bytes.len().min(FRAME_HEAD_BYTES - self.head_bytes);
            self.head[self.head_bytes..self.head_bytes + taken].copy_from_slice(&bytes[..taken]);
            self.head_bytes += taken;
            bytes = &bytes[taken..];
            if self.head_bytes == FRAME_HEAD_BYTES {
                let [high, middle, low, kind, ..] = self.head;
                self.payload_bytes = u32::from_be_bytes([0, high, middle, low]) as usize;
                self.head_bytes = 0;
                self.has_whole |= self.payload_bytes == 0;
                found |= kind == GOAWAY;
            }
        }
        found
    }
}

impl Watched {
    /// The stream, what resolves at the end of its first frame or at the error before it, and what knows
    /// of GOAWAY.
    pub(crate) fn new(io: BoxIo) -> (Self, oneshot::Receiver<io::Result<()>>, Arc<Goaway>) {
        let (sender, receiver) = oneshot::channel();
        let goaway = Arc::<Goaway>::default();
        let watched =
            Self { io, heard: Some(sender), frames: Frames::default(), goaway: Arc::clone(&goaway) };
        (watched, receiver, goaway)
    }

    fn listen(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let has_goaway = self.frames.has_goaway(bytes);
        if self.frames.has_whole {
            self.tell(Ok(()));
        }
        if has_goaway && !self.goaway.is_said.swap(true, Ordering::Relaxed) {
            self.goaway.said.notify_one();
        }
    }

    fn tell(&mut self, heard: io::Result<()>) {
        if let Some(sender) = self.heard.take() {
            // Nobody listens when the attempt was given up.
            sender.send(heard).ok();
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(context, buffer);
        self.listen(&buffer.filled()[before..]);
        if let Poll::Ready(Err(error)) = &polled {
            // hyper logs it and says only that the connection ended.
            self.tell(Err(io::Error::new(error.kind(), error.to_string())));
        }
        polled
    }
}

impl AsyncWrite for Watched {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, payload: usize) -> Vec<u8> {
        let length = u32::try_from(payload).unwrap().to_be_bytes();
        // A payload full of what would be the head of a GOAWAY.
        let payload = [0, 0, 8, GOAWAY, 0, 0, 0, 0, 0].into_iter().cycle().take(payload);
        [&length[1..], &[kind, 0, 0, 0, 0, 1]].concat().into_iter().chain(payload).collect()
    }

    proptest! {
        #[test]
        fn a_goaway_is_found_however_the_bytes_are_cut_and_nothing_else_is_taken_for_one(
            frames in proptest::collection::vec((0_u8..10, 0_usize..300), 1..20),
            cuts in proptest::collection::vec(1_usize..40, 1..50),
        ) {
            let bytes: Vec<u8> = frames.iter().flat_map(|&(kind, payload)| frame(kind, payload)).collect();
            let mut scanned = Frames::default();
            let (mut found, mut rest, mut cuts) = (false, &bytes[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                found |= scanned.has_goaway(piece);
                rest = after;
            }
            prop_assert_eq!(found, frames.iter().any(|&(kind, _)| kind == GOAWAY));
        }
    }
}
