//! A TCP proxy that cuts, delays and freezes what passes through it.

use std::{net::SocketAddr, time::Duration};

use anyhow::Result;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::sleep,
};

/// Bytes that are handed on at once.
const CHUNK_BYTES: usize = 16 * 1024;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Weather {
    delay: Duration,
    frozen: bool,
    down: bool,
}

/// A proxy in front of one address.
pub struct Proxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// A proxy that hands everything on to `target` until told otherwise.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let weather = watch::Sender::new(Weather::default());
        let task = tokio::spawn(accept(listener, target, weather.clone()));
        Ok(Self { address, weather, task })
    }

    /// Where the proxy listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Delays each chunk by `delay`.
    pub fn delay(&self, delay: Duration) {
        self.weather.send_modify(|weather| weather.delay = delay);
    }

    /// Holds everything back, without closing anything, until `false`.
    pub fn freeze(&self, frozen: bool) {
        self.weather.send_modify(|weather| weather.frozen = frozen);
    }

    /// Cuts all connections and refuses new ones until `false`.
    pub fn cut(&self, down: bool) {
        self.weather.send_modify(|weather| weather.down = down);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.weather.send_modify(|weather| weather.down = true);
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, weather: watch::Sender<Weather>) {
    while let Ok((client, _)) = listener.accept().await {
        let weather = weather.subscribe();
        if weather.borrow().down {
            continue;
        }
        tokio::spawn(async move {
            let Ok(server) = TcpStream::connect(target).await else { return };
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            let mut cut = weather.clone();
            tokio::select! {
                () = hand_on(from_client, to_server, weather.clone()) => {}
                () = hand_on(from_server, to_client, weather) => {}
                _ = cut.wait_for(|weather| weather.down) => {}
            }
        });
    }
}

async fn hand_on(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut weather: watch::Receiver<Weather>,
) {
    let mut chunk = vec![0; CHUNK_BYTES];
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        let delay = weather.borrow().delay;
        if !delay.is_zero() {
            sleep(delay).await;
        }
        if weather.wait_for(|weather| !weather.frozen).await.is_err() {
            return;
        }
        if to.write_all(&chunk[..length]).await.is_err() {
            return;
        }
    }
}
