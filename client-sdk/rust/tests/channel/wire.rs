//! A server that speaks HTTP/2 frame by frame, so that a test decides on every byte of an answer.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};
use tokio_util::sync::CancellationToken;

use crate::replica::serve;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
const ACK: u8 = 1;
const CLIENT_PREFACE: usize = 24;

/// What a server does when a request has come whole.
pub(crate) enum Reply {
    /// Writes this and goes on.
    Bytes(Vec<u8>),
    /// Writes this and ends: no listener and no connection is left.
    Die(Vec<u8>),
}

pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Counts>,
    runtime: Option<Runtime>,
}

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) connections: AtomicUsize,
    /// Requests that came whole.
    pub(crate) requests: AtomicUsize,
    /// Streams that the client has reset.
    pub(crate) resets: AtomicUsize,
}

type Answer = dyn Fn(usize, u32) -> Reply + Send + Sync;

impl Wire {
    /// Answers the n-th request (from 0) on its stream with what `answer` says.
    pub(crate) async fn start(answer: impl Fn(usize, u32) -> Reply + Send + Sync + 'static) -> Self {
        Self::with_preface(frame(SETTINGS, 0, 0, &[]), answer).await
    }

    /// The same, with other first bytes.
    pub(crate) async fn with_preface(
        preface: Vec<u8>,
        answer: impl Fn(usize, u32) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let seen = Arc::new(Counts::default());
        let counts = Arc::clone(&seen);
        let answer: Arc<Answer> = Arc::new(answer);
        let (address, runtime, _) = serve("127.0.0.1:0".parse().unwrap(), move |listener, dead| async move {
            while let Some(Ok((socket, _))) = dead.run_until_cancelled(listener.accept()).await {
                counts.connections.fetch_add(1, Ordering::SeqCst);
                let peer = Peer {
                    socket,
                    dead: dead.clone(),
                    seen: Arc::clone(&counts),
                    answer: Arc::clone(&answer),
                };
                tokio::spawn(peer.talk(preface.clone()));
            }
        })
        .await;
        Self { address, seen, runtime: Some(runtime) }
    }

    pub(crate) fn requests(&self) -> usize {
        self.seen.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// One connection.
struct Peer {
    socket: TcpStream,
    dead: CancellationToken,
    seen: Arc<Counts>,
    answer: Arc<Answer>,
}

impl Peer {
    async fn talk(mut self, preface: Vec<u8>) {
        let dead = self.dead.clone();
        let ended = dead.run_until_cancelled(self.exchange(preface)).await;
        if let Some(Ok(last_words)) = ended {
            self.dead.cancel();
            self.socket.write_all(&last_words).await.ok();
            self.socket.shutdown().await.ok();
            // Until the client has closed it too: unread bytes would turn the end into a reset.
            while self.socket.read(&mut [0; 1024]).await.is_ok_and(|count| count > 0) {}
        }
    }

    /// Ends with the last words of a reply that says so, or when the client goes away.
    async fn exchange(&mut self, preface: Vec<u8>) -> std::io::Result<Vec<u8>> {
        self.socket.write_all(&preface).await?;
        self.socket.read_exact(&mut [0; CLIENT_PREFACE]).await?;
        loop {
            let mut head = [0; 9];
            self.socket.read_exact(&mut head).await?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let (kind, flags) = (head[3], head[4]);
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            let mut payload = vec![0; length];
            self.socket.read_exact(&mut payload).await?;
            match kind {
                SETTINGS if flags & ACK == 0 => {
                    self.socket.write_all(&frame(SETTINGS, ACK, 0, &[])).await?;
                }
                PING if flags & ACK == 0 => self.socket.write_all(&frame(PING, ACK, 0, &payload)).await?,
                RST_STREAM => {
                    self.seen.resets.fetch_add(1, Ordering::SeqCst);
                }
                DATA | HEADERS if flags & END_STREAM != 0 => {
                    match (self.answer)(self.seen.requests.fetch_add(1, Ordering::SeqCst), stream) {
                        Reply::Bytes(bytes) => self.socket.write_all(&bytes).await?,
                        Reply::Die(bytes) => return Ok(bytes),
                    }
                }
                _ => {}
            }
        }
    }
}

/// Accepts and hands each socket over, in a runtime of its own.
pub(crate) async fn raw<F>(talk: impl Fn(TcpStream) -> F + Send + Sync + 'static) -> (SocketAddr, Runtime)
where
    F: Future<Output = ()> + Send + 'static,
{
    let talk = Arc::new(talk);
    let (address, runtime, _) =
        serve("127.0.0.1:0".parse().unwrap(), move |listener: TcpListener, _| async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(talk(socket));
            }
        })
        .await;
    (address, runtime)
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A header block of literals that nobody remembers (RFC 7541, 6.2.2).
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        for text in [name, value] {
            let mut length = text.len();
            if length < 127 {
                bytes.push(length as u8);
            } else {
                bytes.push(127);
                length -= 127;
                while length >= 128 {
                    bytes.push((length % 128) as u8 | 128);
                    length /= 128;
                }
                bytes.push(length as u8);
            }
            bytes.extend(text.as_bytes());
        }
    }
    bytes
}

/// The head of a response of gRPC.
pub(crate) fn head(stream: u32) -> Vec<u8> {
    let fields = [(":status", "200"), ("content-type", "application/grpc")];
    frame(HEADERS, END_HEADERS, stream, &block(&fields))
}

/// A message that says SERVING.
pub(crate) fn message(stream: u32) -> Vec<u8> {
    frame(DATA, 0, stream, &[0, 0, 0, 0, 2, 8, 1])
}

pub(crate) fn trailers(stream: u32, code: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(&[("grpc-status", code)]))
}

/// A whole answer.
pub(crate) fn answer(stream: u32) -> Vec<u8> {
    [head(stream), message(stream), trailers(stream, "0")].concat()
}
