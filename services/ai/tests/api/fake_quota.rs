//! A quota service that grants up to a limit, and tells what it was asked.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use plexus_proto::quota::v1::{
    CommitRequest, CommitResponse, ExtendRequest, ExtendResponse, Meter, MeterAmount, ReleaseRequest,
    ReleaseResponse, ReserveRequest, ReserveResponse,
    reservation_service_server::{ReservationService, ReservationServiceServer},
};
use plexus_runtime::status::{Code, Problem, Reason};
use tokio::{
    sync::{Mutex, mpsc},
    time::timeout,
};
use tonic::{Request, Response, Status, service::Routes};

/// A call that does not come within this time never comes.
const PATIENCE: Duration = Duration::from_secs(30);

/// What quota was asked; the number is of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Reserve(i64),
    Extend(i64),
    Commit(i64),
    Release,
}

/// A quota service under the control of a test; clones share it.
#[derive(Clone)]
pub(crate) struct FakeQuota {
    left: Arc<AtomicI64>,
    failing_commits: Arc<AtomicUsize>,
    asked: mpsc::UnboundedSender<Asked>,
    seen: Arc<Mutex<mpsc::UnboundedReceiver<Asked>>>,
}

impl FakeQuota {
    /// One that grants `tokens` in all.
    pub(crate) fn granting(tokens: i64) -> Self {
        let (asked, seen) = mpsc::unbounded_channel();
        Self {
            left: Arc::new(AtomicI64::new(tokens)),
            failing_commits: Arc::default(),
            asked,
            seen: Arc::new(Mutex::new(seen)),
        }
    }

    /// Lets the next commits fail as if it were not there.
    pub(crate) fn fail_commits(&self, number: usize) {
        self.failing_commits.store(number, Ordering::SeqCst);
    }

    /// Waits for what it is asked next.
    pub(crate) async fn next(&self) -> Asked {
        timeout(PATIENCE, self.seen.lock().await.recv()).await.expect("quota was asked nothing").unwrap()
    }

    /// What it has been asked since, if anything.
    pub(crate) async fn pending(&self) -> Option<Asked> {
        self.seen.lock().await.try_recv().ok()
    }

    pub(crate) fn routes(&self) -> Routes {
        Routes::new(ReservationServiceServer::new(self.clone()))
    }

    fn grant(&self, tokens: i64) -> Result<(), Status> {
        if self.left.fetch_sub(tokens, Ordering::SeqCst) >= tokens {
            return Ok(());
        }
        self.left.fetch_add(tokens, Ordering::SeqCst);
        Err(Problem::new(Code::ResourceExhausted, Reason::LimitExceeded, "100 tokens a day are used up")
            .quota("user:alice", "100 tokens a day")
            .retry_after(Duration::from_secs(3600))
            .into())
    }

    fn note(&self, asked: Asked) {
        let _heard = self.asked.send(asked);
    }
}

/// The tokens in `amounts`, which have to hold one request too if `with_request`.
fn tokens(amounts: &[MeterAmount], with_request: bool) -> i64 {
    let of = |meter: Meter| {
        amounts.iter().filter(|amount| amount.meter() == meter).map(|amount| amount.amount).sum()
    };
    let requests: i64 = of(Meter::Requests);
    assert_eq!(requests, i64::from(with_request));
    assert!(amounts.iter().all(|amount| amount.amount > 0));
    of(Meter::Tokens)
}

#[tonic::async_trait]
impl ReservationService for FakeQuota {
    async fn reserve(&self, request: Request<ReserveRequest>) -> Result<Response<ReserveResponse>, Status> {
        let request = request.into_inner();
        assert_eq!(request.subject, "user:alice");
        assert_eq!(request.ttl.map(|ttl| ttl.seconds), Some(630));
        let tokens = tokens(&request.amounts, true);
        self.note(Asked::Reserve(tokens));
        self.grant(tokens).map(|()| Response::new(ReserveResponse::default()))
    }

    async fn extend(&self, request: Request<ExtendRequest>) -> Result<Response<ExtendResponse>, Status> {
        let request = request.into_inner();
        assert_ne!(request.request_id, request.reservation_id);
        let tokens = tokens(&request.amounts, false);
        self.note(Asked::Extend(tokens));
        self.grant(tokens).map(|()| Response::new(ExtendResponse::default()))
    }

    async fn commit(&self, request: Request<CommitRequest>) -> Result<Response<CommitResponse>, Status> {
        self.note(Asked::Commit(tokens(&request.into_inner().amounts, true)));
        let fails =
            self.failing_commits.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if fails.is_ok() {
            return Err(Status::unavailable("not there"));
        }
        Ok(Response::new(CommitResponse::default()))
    }

    async fn release(&self, _: Request<ReleaseRequest>) -> Result<Response<ReleaseResponse>, Status> {
        self.note(Asked::Release);
        Ok(Response::new(ReleaseResponse::default()))
    }
}
