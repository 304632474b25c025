//! Allocations per call of hyper, tonic and this SDK: a program of its own, for its allocator counts.

#[expect(dead_code, reason = "this program makes only the calls of the other")]
#[path = "../bench/peer.rs"]
mod peer;
#[expect(dead_code, reason = "this program makes only the calls of the other")]
#[path = "../bench/sdk.rs"]
mod sdk;

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpStream, runtime::Runtime};

use self::peer::{Kind, Peer};

/// Calls before those that count.
const WARM_UP: usize = 1_000;
/// Calls that count.
const CALLS: usize = 5_000;

fn main() -> Result<()> {
    let endpoint: SocketAddr = std::env::args().nth(1).context("the address of a replica")?.parse()?;
    let sender = on_one_thread()?;
    let mut hyper = sender.block_on(connect(endpoint))?;
    let mut counts = vec![("hyper", measure(&sender, async || bare_call(&mut hyper, endpoint).await)?)];
    for (name, kind) in [("tonic", Kind::TonicSingle), ("plexus", Kind::Plexus)] {
        let runtime = on_one_thread()?;
        let peer = runtime.block_on(async { Peer::new(kind, &[endpoint]) })?;
        let counted = measure(&runtime, async || Ok(peer.call(peer::READ, None).await?))?;
        counts.push((name, counted));
    }
    let answer: Vec<(&str, f64, f64)> =
        counts.into_iter().map(|(name, (count, bytes))| (name, count, bytes)).collect();
    print(&serde_json::to_string(&answer)?);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer is what the program is for")]
fn print(answer: &str) {
    println!("{answer}");
}

/// The counts are those of one thread, so all tasks of a client run on it.
fn on_one_thread() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// Allocations and bytes per call.
#[expect(clippy::cast_precision_loss, reason = "no measurement allocates 2^52 times")]
fn measure(runtime: &Runtime, mut call: impl AsyncFnMut() -> Result<()>) -> Result<(f64, f64)> {
    let mut calls = |count: usize| {
        runtime.block_on(async {
            for _ in 0..count {
                call().await?;
            }
            Ok::<(), anyhow::Error>(())
        })
    };
    calls(WARM_UP)?;
    let mut outcome = Ok(());
    let counted = allocation_counter::measure(|| outcome = calls(CALLS));
    outcome?;
    Ok((counted.count_total as f64 / CALLS as f64, counted.bytes_total as f64 / CALLS as f64))
}

async fn connect(endpoint: SocketAddr) -> Result<SendRequest<Full<Bytes>>> {
    let socket = TcpStream::connect(endpoint).await?;
    socket.set_nodelay(true)?;
    let (sender, connection) = Builder::new(TokioExecutor::new()).handshake(TokioIo::new(socket)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// The same bytes as the other clients send, without anything around hyper.
async fn bare_call(sender: &mut SendRequest<Full<Bytes>>, endpoint: SocketAddr) -> Result<()> {
    sender.ready().await?;
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("http://{endpoint}{}", peer::READ))
        .header(header::TE, "trailers")
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::USER_AGENT, "xtask")
        .header("grpc-timeout", "1000000u")
        .body(Full::new(Bytes::from_static(MESSAGE)))?;
    let answer = sender.send_request(request).await?.into_body().collect().await?;
    if answer.trailers().and_then(|trailers| trailers.get("grpc-status")).is_none_or(|code| code != "0") {
        bail!("the bare call was not answered with OK");
    }
    Ok(())
}

/// What the codec makes of the payload: no compression, 34 bytes, field 1, 32 bytes.
const MESSAGE: &[u8; 5 + 2 + peer::PAYLOAD_BYTES] = &{
    let mut message = [7; 5 + 2 + peer::PAYLOAD_BYTES];
    let head = [0, 0, 0, 0, 34, 10, 32];
    let mut index = 0;
    while index < head.len() {
        message[index] = head[index];
        index += 1;
    }
    message
};
