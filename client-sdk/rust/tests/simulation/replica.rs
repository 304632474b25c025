//! The simulated server: three methods over real HTTP/2, and the ways in which it can be ill.

use std::{
    io,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use h2::Reason;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio_stream::{Stream, StreamExt as _};
use tokio_util::sync::CancellationToken;
use tonic::{Status, body::Body, server::Grpc};
use tonic_prost::ProstCodec;
use turmoil::net::{TcpListener, TcpStream};

use crate::{
    dice::Dice,
    linger::Lingering,
    network::PORT,
    payload::{self, CALL_HEADER, COUNT, READ, WRITE},
    plan::{Call, Method, Plan, Reply},
    record::{Record, What},
};

/// How many streams of one connection are refused before the request has come whole.
///
/// The HTTP/2 library of the server remembers 50 streams that it reset, each for a second of a clock that
/// no simulation stops. What comes late for others it answers, so that beyond 50 the bytes on the wire
/// would depend on how fast the simulation runs. Nothing comes late for a request that has come whole.
const REFUSED_EARLY_MAX: usize = 40;

/// One replica, beyond the life of its process.
pub(crate) struct Replica {
    pub(crate) index: usize,
    pub(crate) plan: Arc<Plan>,
    pub(crate) record: Record,
    state: Mutex<State>,
}

struct State {
    process: Process,
    conduct: Conduct,
    drain: CancellationToken,
    jitter: Dice,
}

/// What the process does that is started next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Process {
    Serving,
    /// Listens to nothing: connections are refused.
    Gone,
    /// Accepts connections and says nothing.
    Silent,
    /// Accepts connections and closes them.
    Resetting,
}

/// How requests are treated; changes while the process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conduct {
    Healthy,
    /// `REFUSED_STREAM`.
    Refusing,
    /// UNAVAILABLE from the application.
    Failing,
    /// Thinks this many times longer.
    Sluggish(u32),
}

impl Replica {
    pub(crate) fn new(index: usize, plan: Arc<Plan>, record: Record) -> Arc<Self> {
        let state = State {
            process: Process::Serving,
            conduct: Conduct::Healthy,
            drain: CancellationToken::new(),
            jitter: Dice::new(plan.seed ^ index as u64),
        };
        Arc::new(Self { index, plan, record, state: Mutex::new(state) })
    }

    /// What the next process does. A new process is healthy.
    pub(crate) fn become_process(&self, process: Process) {
        let mut state = self.state.lock().unwrap();
        state.process = process;
        state.conduct = Conduct::Healthy;
        state.drain = CancellationToken::new();
    }

    pub(crate) fn conduct_itself(&self, conduct: Conduct) {
        self.state.lock().unwrap().conduct = conduct;
    }

    /// Refuses new connections, says GOAWAY on the others, finishes what is in flight.
    pub(crate) fn drain(&self) {
        self.state.lock().unwrap().drain.cancel();
    }

    /// When the next connection is told to go: the planned age, 10 % longer or shorter (gRPC's A9).
    fn connection_age(&self) -> Duration {
        let Some(age) = self.plan.connection_age else { return Duration::MAX };
        let mut state = self.state.lock().unwrap();
        age * u32::try_from(state.jitter.within(90..111)).unwrap() / 100
    }

    fn conduct(&self) -> Conduct {
        self.state.lock().unwrap().conduct
    }
}

/// The process. It never ends by itself: one that has is like a machine without power.
pub(crate) async fn run(replica: Arc<Replica>) -> turmoil::Result {
    let (process, drain) = {
        let state = replica.state.lock().unwrap();
        (state.process, state.drain.clone())
    };
    if process != Process::Gone {
        accept(&replica, process, &drain).await?;
    }
    std::future::pending().await
}

async fn accept(replica: &Arc<Replica>, process: Process, drain: &CancellationToken) -> io::Result<()> {
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
    let mut silent = Vec::new();
    loop {
        let stream = tokio::select! {
            biased;
            () = drain.cancelled() => return Ok(()),
            accepted = listener.accept() => accepted?.0,
        };
        match process {
            Process::Serving => {
                tokio::spawn(serve(Arc::clone(replica), stream, drain.clone()));
            }
            Process::Silent => silent.push(stream),
            Process::Resetting | Process::Gone => drop(stream),
        }
    }
}

async fn serve(replica: Arc<Replica>, stream: TcpStream, drain: CancellationToken) {
    let service = service_fn({
        let (replica, refused) = (Arc::clone(&replica), Arc::new(AtomicUsize::new(0)));
        move |request| answer(Arc::clone(&replica), Arc::clone(&refused), request)
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        // It tells a time that no simulation stops.
        .auto_date_header(false)
        .max_concurrent_streams(replica.plan.streams_max)
        .serve_connection(TokioIo::new(Lingering::new(stream)), service);
    let mut connection = pin!(connection);
    let mut age = pin!(tokio::time::sleep(replica.connection_age()));
    let mut is_leaving = false;
    loop {
        tokio::select! {
            biased;
            // How it ended is the client's matter.
            _ = connection.as_mut() => return,
            () = drain.cancelled(), if !is_leaving => {}
            () = age.as_mut(), if !is_leaving => {}
        }
        is_leaving = true;
        connection.as_mut().graceful_shutdown();
    }
}

async fn answer(
    replica: Arc<Replica>,
    refused: Arc<AtomicUsize>,
    request: Request<Incoming>,
) -> Result<Response<Body>, h2::Error> {
    let call = request.headers()[CALL_HEADER].to_str().unwrap().parse().unwrap();
    if replica.conduct() == Conduct::Refusing {
        replica.record.note(What::Refused { call, replica: replica.index });
        if refused.fetch_add(1, Ordering::Relaxed) >= REFUSED_EARLY_MAX {
            // It failed to come when the caller gave it up.
            request.into_body().collect().await.ok();
        }
        return Err(Reason::REFUSED_STREAM.into());
    }
    let path = request.uri().path().to_owned();
    let mut grpc = Grpc::new(ProstCodec::<Vec<u8>, Vec<u8>>::default());
    let response = match path.as_str() {
        READ | WRITE => {
            let service = tower::service_fn(|request| unary(Arc::clone(&replica), call, request));
            grpc.unary(service, request).await
        }
        COUNT => {
            let service = tower::service_fn(|request| stream(Arc::clone(&replica), call, request));
            grpc.server_streaming(service, request).await
        }
        _ => Status::unimplemented(path).into_http(),
    };
    Ok(response)
}

async fn unary(
    replica: Arc<Replica>,
    call: usize,
    request: tonic::Request<Vec<u8>>,
) -> Result<tonic::Response<Vec<u8>>, Status> {
    let planned = begin(&replica, call, request.get_ref()).await?;
    match planned.reply {
        Reply::Nothing => std::future::pending().await,
        Reply::Refusal => {
            replica.record.note(What::Answered { call, replica: replica.index });
            Err(Status::failed_precondition(call.to_string()))
        }
        Reply::Content => {
            replica.record.note(What::Answered { call, replica: replica.index });
            Ok(tonic::Response::new(payload::response(call, 0, planned.response_bytes)))
        }
    }
}

async fn stream(
    replica: Arc<Replica>,
    call: usize,
    request: tonic::Request<Vec<u8>>,
) -> Result<tonic::Response<impl Stream<Item = Result<Vec<u8>, Status>>>, Status> {
    let planned = begin(&replica, call, request.get_ref()).await?;
    let Method::Count { messages, gap } = planned.method else {
        return Err(Status::internal("not a stream"));
    };
    let numbers = tokio_stream::iter(0..messages).then(move |number| async move {
        tokio::time::sleep(gap).await;
        Ok(payload::response(call, number, planned.response_bytes / 10))
    });
    Ok(tonic::Response::new(numbers))
}

/// Looks at the request, notes it, and thinks.
async fn begin(replica: &Replica, call: usize, request: &[u8]) -> Result<Call, Status> {
    let planned = replica.plan.calls[call];
    if request != payload::request(call, planned.request_bytes) {
        return Err(Status::data_loss("this is not the request of this call"));
    }
    replica.record.note(What::Executed { call, replica: replica.index });
    let times = match replica.conduct() {
        Conduct::Failing => return Err(Status::unavailable("this replica is ill")),
        Conduct::Sluggish(times) => times,
        Conduct::Healthy | Conduct::Refusing => 1,
    };
    tokio::time::sleep(planned.think * times).await;
    Ok(planned)
}
