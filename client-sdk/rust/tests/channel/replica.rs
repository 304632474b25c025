//! A replica in a runtime of its own, so that it can be killed with everything it holds.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use plexus_client::{Channel, ChannelBuilder, ConnectionState, backoff::BackoffPolicy};
use tokio::{net::TcpListener, runtime::Runtime, sync::Semaphore};
use tokio_stream::{Stream, StreamExt as _, wrappers::TcpListenerStream};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, metadata::MetadataMap, transport::Server};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_client::HealthClient,
    health_server::{Health, HealthServer},
};

/// A health server that counts. Service "hang": never answers. "gate": answers when `gate` has a permit.
/// "missing": `NOT_FOUND`. Anything else: serving.
pub(crate) struct Replica {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Seen>,
    drain: CancellationToken,
    runtime: Option<Runtime>,
}

pub(crate) struct Seen {
    pub(crate) calls: Mutex<Vec<MetadataMap>>,
    pub(crate) entered: Semaphore,
    pub(crate) cancelled: Semaphore,
    pub(crate) gate: Semaphore,
}

impl Seen {
    pub(crate) fn count(&self) -> usize {
        self.calls.lock().unwrap().len()
    }

    pub(crate) fn last(&self) -> MetadataMap {
        self.calls.lock().unwrap().last().cloned().unwrap()
    }
}

impl Replica {
    pub(crate) async fn start() -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), Server::builder()).await
    }

    pub(crate) async fn at(address: SocketAddr, server: Server) -> Self {
        let seen = Arc::new(Seen {
            calls: Mutex::default(),
            entered: Semaphore::new(0),
            cancelled: Semaphore::new(0),
            gate: Semaphore::new(0),
        });
        let health = HealthServer::new(Fake(Arc::clone(&seen)));
        let (address, runtime, drain) = serve(address, move |listener, drain| {
            let mut server = server;
            let drained = async move { drain.cancelled().await };
            server.add_service(health).serve_with_incoming_shutdown(TcpListenerStream::new(listener), drained)
        })
        .await;
        Self { address, seen, drain, runtime: Some(runtime) }
    }

    /// Closes the listener, says GOAWAY, and finishes what is in flight.
    pub(crate) fn drain(&self) {
        self.drain.cancel();
    }

    /// Ends everything at once, as kill -9 does: listener, connections, calls.
    pub(crate) fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs what `make` makes in a runtime of its own.
pub(crate) async fn serve<F, R>(
    address: SocketAddr,
    make: impl FnOnce(TcpListener, CancellationToken) -> F + Send + 'static,
) -> (SocketAddr, Runtime, CancellationToken)
where
    F: Future<Output = R> + Send,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let drain = CancellationToken::new();
    let token = drain.clone();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    runtime.spawn(async move {
        let listener = TcpListener::bind(address).await.unwrap();
        sender.send(listener.local_addr().unwrap()).unwrap();
        make(listener, token).await;
    });
    (receiver.await.unwrap(), runtime, drain)
}

struct Fake(Arc<Seen>);

struct Watched(Arc<Seen>);

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.cancelled.add_permits(1);
    }
}

fn serving() -> HealthCheckResponse {
    HealthCheckResponse { status: 1 }
}

#[tonic::async_trait]
impl Health for Fake {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        self.0.calls.lock().unwrap().push(request.metadata().clone());
        match request.get_ref().service.as_str() {
            "hang" => {
                let _watched = Watched(Arc::clone(&self.0));
                self.0.entered.add_permits(1);
                std::future::pending().await
            }
            "gate" => {
                self.0.entered.add_permits(1);
                self.0.gate.acquire().await.unwrap().forget();
            }
            "missing" => return Err(Status::not_found("no such service")),
            _ => {}
        }
        Ok(Response::new(serving()))
    }

    /// One message at once, one for each permit of `gate`, without end.
    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        self.0.calls.lock().unwrap().push(request.metadata().clone());
        let watched = Watched(Arc::clone(&self.0));
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            while sender.send(Ok(serving())).await.is_ok() {
                tokio::select! {
                    permit = watched.0.gate.acquire() => permit.unwrap().forget(),
                    () = sender.closed() => return,
                }
            }
        });
        Ok(Response::new(Box::pin(tokio_stream::wrappers::ReceiverStream::new(receiver).fuse())))
    }
}

/// A channel that reconnects quickly.
pub(crate) fn builder() -> ChannelBuilder {
    let backoff = BackoffPolicy { base: Duration::from_millis(20), ..BackoffPolicy::default() };
    Channel::builder("health").backoff(backoff)
}

/// A channel to these replicas, all of them connected.
pub(crate) async fn connected(replicas: &[&Replica]) -> Channel {
    let channel = builder().endpoints(replicas.iter().map(|replica| replica.address)).build();
    until(|| {
        channel.status().iter().filter(|at| at.state == ConnectionState::Ready).count() == replicas.len()
    })
    .await;
    channel
}

/// Waits for a condition that no event announces.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub(crate) async fn check(channel: &Channel, service: &str) -> Result<Response<HealthCheckResponse>, Status> {
    HealthClient::new(channel.clone()).check(HealthCheckRequest { service: service.to_owned() }).await
}

pub(crate) fn state_of(channel: &Channel, replica: &Replica) -> Option<ConnectionState> {
    let address = replica.address.to_string();
    channel.status().iter().find(|at| at.address.as_str() == address).map(|at| at.state)
}
