//! A replica in a runtime of its own, so that it can be killed with everything it holds.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use plexus_client::{
    Channel, ChannelBuilder, ConnectionState, EndpointStatus,
    backoff::BackoffPolicy,
    endpoint::Endpoint,
    pick::{PickArgs, Picker, Policy},
};
use tokio::{
    net::TcpListener,
    runtime::Runtime,
    sync::{Semaphore, watch},
    task::JoinHandle,
    time::Instant,
};
use tokio_stream::{
    Stream, StreamExt as _,
    wrappers::{TcpListenerStream, WatchStream},
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, metadata::MetadataMap, transport::Server};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_client::HealthClient,
    health_server::{Health, HealthServer},
};

/// A health server that counts. Service "hang": never answers. "gate": answers when `gate` has a permit.
/// "missing": `NOT_FOUND`. Anything else: what `script` says next, then what `else_answer` says.
/// Watching [`HEALTH`] yields the states of `health`.
pub(crate) struct Replica {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Seen>,
    drain: CancellationToken,
    /// Cancelled when a drain has ended.
    pub(crate) drained: CancellationToken,
    runtime: Option<Runtime>,
}

pub(crate) struct Seen {
    pub(crate) calls: Mutex<Vec<MetadataMap>>,
    pub(crate) entered: Semaphore,
    pub(crate) cancelled: Semaphore,
    pub(crate) gate: Semaphore,
    /// How the next calls are answered, one each.
    pub(crate) script: Mutex<VecDeque<Answer>>,
    /// How the calls after these are answered.
    pub(crate) else_answer: Mutex<Answer>,
    /// The state that health checks see, by its number; negative: there is no such service.
    pub(crate) health: watch::Sender<i32>,
}

/// The service for which a replica tells its health.
pub(crate) const HEALTH: &str = "replica";
/// `Check` and `Watch` of the fixture.
pub(crate) const SERVICE: &str = "/grpc.health.v1.Health/*";
pub(crate) const SERVING: i32 = 1;
pub(crate) const NOT_SERVING: i32 = 2;

/// How a call is answered.
#[derive(Clone)]
pub(crate) enum Answer {
    Serving,
    Fail(Status),
    /// Never.
    Hang,
    /// Serving, after this time.
    After(Duration),
}

impl Answer {
    pub(crate) fn unavailable() -> Self {
        Self::Fail(Status::unavailable("by the script"))
    }

    /// `UNAVAILABLE` with this `grpc-retry-pushback-ms`.
    pub(crate) fn pushback(millis: &'static str) -> Self {
        let mut status = Status::unavailable("by the script");
        status.metadata_mut().insert("grpc-retry-pushback-ms", millis.parse().unwrap());
        Self::Fail(status)
    }
}

impl Seen {
    pub(crate) fn then(&self, answers: impl IntoIterator<Item = Answer>) {
        self.script.lock().unwrap().extend(answers);
    }

    pub(crate) fn always(&self, answer: Answer) {
        *self.else_answer.lock().unwrap() = answer;
    }

    /// The values of a header over all calls; calls without it are left out.
    pub(crate) fn header(&self, name: &str) -> Vec<String> {
        let calls = self.calls.lock().unwrap();
        let values = calls.iter().filter_map(|call| call.get(name));
        values.map(|value| value.to_str().unwrap().to_owned()).collect()
    }

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
            script: Mutex::default(),
            else_answer: Mutex::new(Answer::Serving),
            health: watch::Sender::new(SERVING),
        });
        let health = HealthServer::new(Fake(Arc::clone(&seen)));
        let drained = CancellationToken::new();
        let ended = drained.clone();
        let (address, runtime, drain) = serve(address, move |listener, drain| async move {
            let (mut server, incoming) = (server, TcpListenerStream::new(listener));
            let drain = async move { drain.cancelled().await };
            server.add_service(health).serve_with_incoming_shutdown(incoming, drain).await.unwrap();
            ended.cancel();
        })
        .await;
        Self { address, seen, drain, drained, runtime: Some(runtime) }
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

impl Seen {
    async fn answer(self: &Arc<Self>) -> Result<Response<HealthCheckResponse>, Status> {
        let next = self.script.lock().unwrap().pop_front();
        match next.unwrap_or_else(|| self.else_answer.lock().unwrap().clone()) {
            Answer::Serving => {}
            Answer::Fail(status) => return Err(status),
            Answer::Hang => {
                let _watched = Watched(Arc::clone(self));
                self.entered.add_permits(1);
                std::future::pending::<()>().await;
            }
            Answer::After(time) => tokio::time::sleep(time).await,
        }
        Ok(Response::new(serving()))
    }
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
            _ => return self.0.answer().await,
        }
        Ok(Response::new(serving()))
    }

    /// One message at once, one for each permit of `gate`, without end.
    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        if request.get_ref().service == HEALTH {
            let states = self.0.health.subscribe();
            if *states.borrow() < 0 {
                return Err(Status::unimplemented("no health"));
            }
            let states = WatchStream::new(states).map(|status| Ok(HealthCheckResponse { status }));
            return Ok(Response::new(Box::pin(states)));
        }
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

/// The same for any builder and any addresses.
pub(crate) async fn connect(builder: ChannelBuilder, addresses: &[SocketAddr]) -> Channel {
    let channel = builder.endpoints(addresses.iter().copied()).build();
    until(|| ready(&channel).len() == addresses.len()).await;
    channel
}

pub(crate) fn ready(channel: &Channel) -> Vec<EndpointStatus> {
    channel.status().into_iter().filter(|at| at.state == ConnectionState::Ready).collect()
}

pub(crate) fn in_flight(channel: &Channel) -> usize {
    channel.status().iter().map(|at| at.in_flight).sum()
}

/// A builder of channels that know the contract of the fixture and take all of it for idempotent.
pub(crate) fn idempotent() -> ChannelBuilder {
    let builder = builder().descriptors(tonic_health::pb::FILE_DESCRIPTOR_SET).unwrap();
    builder.idempotent(SERVICE).unwrap()
}

/// Prefers the replicas in the resolver's order.
pub(crate) struct InOrder;

impl Policy for InOrder {
    fn picker(&self, _: &[Arc<Endpoint>], _: Instant) -> Box<dyn Picker> {
        Box::new(InOrder)
    }
}

impl Picker for InOrder {
    fn pick(&self, args: &PickArgs<'_>) -> Option<usize> {
        args.next_available(0)
    }
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

/// The same in a task of its own.
pub(crate) fn spawn_check(
    channel: &Channel,
    service: &'static str,
) -> JoinHandle<Result<Response<HealthCheckResponse>, Status>> {
    let channel = channel.clone();
    tokio::spawn(async move { check(&channel, service).await })
}

pub(crate) fn state_of(channel: &Channel, replica: &Replica) -> Option<ConnectionState> {
    let address = replica.address.to_string();
    channel.status().iter().find(|at| at.address.as_str() == address).map(|at| at.state)
}
