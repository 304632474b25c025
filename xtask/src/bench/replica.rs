//! A replica under measurement: a plain tonic server that echoes, notes each call, and says its health.

use std::{
    convert::Infallible,
    fs::File,
    io::Write as _,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use anyhow::{Context as _, Result};
use clap::Args;
use tokio::{net::TcpListener, signal::unix, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tonic::{
    Request, Response, Status,
    body::Body,
    codegen::BoxFuture,
    server::{Grpc, NamedService, UnaryService},
    service::Routes,
    transport::{Server, server::TcpIncoming},
};
use tonic_health::{
    ServingStatus,
    pb::health_server::{Health, HealthServer},
};
use tonic_prost::ProstCodec;

use super::{children, peer};

/// How a replica behaves.
#[derive(Debug, Args)]
pub(crate) struct Replica {
    /// Where it listens.
    #[arg(long)]
    address: SocketAddr,
    /// On how many ports it listens; all after the first are free ones.
    #[arg(long, default_value_t = 1)]
    listeners: u16,
    /// How long a call takes, in milliseconds.
    #[arg(long, default_value_t = 0)]
    delay_ms: u64,
    /// After how many milliseconds it says GOAWAY to a connection. Without grace: tonic 0.14.9 says no
    /// GOAWAY when a grace is set, and cuts the connection instead.
    #[arg(long)]
    connection_age_ms: Option<u64>,
    /// The file to which it appends when each call begins and ends.
    #[arg(long)]
    log: Option<PathBuf>,
}

/// Serves until SIGTERM, then finishes what is in flight.
pub(crate) fn run(arguments: &Replica) -> Result<()> {
    children::end_with_parent();
    children::runtime()?.block_on(serve(arguments))
}

async fn serve(arguments: &Replica) -> Result<()> {
    let mut terminate = unix::signal(unix::SignalKind::terminate())?;
    let log = match &arguments.log {
        Some(path) => Some(Arc::new(File::options().create(true).append(true).open(path)?)),
        None => None,
    };
    let (reporter, health) = tonic_health::server::health_reporter();
    let echo = Echo { delay: Duration::from_millis(arguments.delay_ms), log };
    let drain = CancellationToken::new();
    let mut addresses = Vec::new();
    let mut servers = JoinSet::new();
    for number in 0..arguments.listeners {
        let wanted = if number == 0 { arguments.address } else { SocketAddr::new(arguments.address.ip(), 0) };
        let listener =
            TcpListener::bind(wanted).await.with_context(|| format!("cannot listen on {wanted}"))?;
        addresses.push(listener.local_addr()?.to_string());
        let age = arguments.connection_age_ms.map(Duration::from_millis);
        servers.spawn(serve_one(listener, age, routes(echo.clone(), health.clone()), drain.clone()));
    }
    children::answer(&addresses.join(","));
    terminate.recv().await;
    // The overall health, which the empty name stands for.
    reporter.set_service_status("", ServingStatus::NotServing).await;
    drain.cancel();
    while let Some(served) = servers.join_next().await {
        served??;
    }
    Ok(())
}

fn routes(echo: Echo, health: HealthServer<impl Health>) -> Routes {
    Routes::new(echo).add_service(health)
}

async fn serve_one(
    listener: TcpListener,
    age: Option<Duration>,
    routes: Routes,
    drain: CancellationToken,
) -> Result<(), tonic::transport::Error> {
    let mut server = Server::builder();
    if let Some(age) = age {
        server = server.max_connection_age(age);
    }
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    server.add_routes(routes).serve_with_incoming_shutdown(incoming, drain.cancelled()).await
}

/// The echo service, written as `tonic-build` would.
#[derive(Clone)]
struct Echo {
    delay: Duration,
    log: Option<Arc<File>>,
}

impl Echo {
    /// One line in one write, so that what a killed replica had begun is known.
    fn note(&self, what: char, number: Option<&str>) {
        if let (Some(log), Some(number)) = (&self.log, number)
            && let Err(error) = (&**log).write_all(format!("{what} {number}\n").as_bytes())
        {
            crate::shell::say(&format!("the replica's log cannot be written: {error}"));
        }
    }
}

impl NamedService for Echo {
    const NAME: &'static str = "plexus.bench.v1.Replica";
}

impl UnaryService<Vec<u8>> for Echo {
    type Response = Vec<u8>;
    type Future = BoxFuture<Response<Vec<u8>>, Status>;

    fn call(&mut self, request: Request<Vec<u8>>) -> Self::Future {
        let echo = self.clone();
        Box::pin(async move {
            let number = request.metadata().get(peer::CALL_NUMBER).and_then(|number| number.to_str().ok());
            echo.note('+', number);
            if !echo.delay.is_zero() {
                tokio::time::sleep(echo.delay).await;
            }
            echo.note('-', number);
            let (_, _, message) = request.into_parts();
            Ok(Response::new(message))
        })
    }
}

impl tonic::codegen::Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let echo = self.clone();
        Box::pin(async move {
            if !matches!(request.uri().path(), peer::READ | peer::WRITE) {
                return Ok(Status::unimplemented("Read and Write are all there is").into_http());
            }
            Ok(Grpc::new(ProstCodec::<Vec<u8>, Vec<u8>>::default()).unary(echo, request).await)
        })
    }
}
