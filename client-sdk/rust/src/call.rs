//! One logical call: its attempts, one after the other or side by side, until one is answered.

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use http::{HeaderValue, Request, Response, Uri, header, request::Parts};
use tokio::time::{Instant, sleep_until};
use tonic::{Code, Status, body::Body};
use tracing::Instrument as _;

use crate::{
    address::Address,
    attempt::{self, Answer, Attempt, Failed, Met},
    channel::Core,
    connection::Stream,
    deadline::Deadline,
    endpoint::Endpoint,
    limits::Permit,
    plan::Plan,
    ready::{self, Wanted},
    request_body::{Outgoing, RequestBody},
    response_body::{OpenCall, ResponseBody},
    retry::{CallAttempts, Outcome, PREVIOUS_ATTEMPTS_HEADER, Verdict},
    telemetry::{AttemptKind as Kind, AttemptRecord, CallRecord, code_name},
};

/// What servers see as the client's software.
const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("plexus-client/", env!("CARGO_PKG_VERSION")));

/// The head of a call and what bounds it.
pub(crate) struct Call {
    pub(crate) parts: Parts,
    pub(crate) deadline: Deadline,
    pub(crate) plan: Arc<Plan>,
    pub(crate) permit: Permit,
}

/// Carries out a call, and records in the span how it ended.
pub(crate) async fn run(
    core: Arc<Core>,
    call: Call,
    body: Body,
    mut record: CallRecord,
) -> Result<Response<Body>, Status> {
    let Call { parts, deadline, plan, permit } = call;
    let outgoing = Outgoing::new(body, &core.replay_memory);
    let span = record.span().clone();
    let mut race = Race {
        core: &core,
        parts,
        deadline,
        plan: &plan,
        outgoing: &outgoing,
        record: &mut record,
        tried: Vec::new(),
        failed_at: Vec::new(),
        launched: Instant::now(),
        attempts: CallAttempts::new(&plan.attempts, plan.is_idempotent),
        met: Vec::new(),
        next: None,
    };
    // By reference at each step: a future that is handed on by value has room for it twice.
    let answered = {
        let mut running = pin!(race.run().instrument(span));
        match deadline.head {
            // A timeout looks at its future first, and a call whose time is up must not be sent.
            Some(deadline) if deadline <= Instant::now() => {
                let text = format!("the deadline passed before {} was called", core.name);
                Err(Status::deadline_exceeded(text))
            }
            Some(deadline) => {
                tokio::time::timeout_at(deadline, running.as_mut()).await.unwrap_or_else(|_| {
                    let text = format!("{} did not answer before the deadline", core.name);
                    Err(Status::deadline_exceeded(text))
                })
            }
            None => running.await,
        }
    };
    drop(race);
    match answered {
        Ok(answer) => {
            outgoing.commit(answer.number);
            let Answer { response, read, attempt, .. } = answer;
            let open = OpenCall { record, attempt, held: (outgoing, permit) };
            let (head, incoming) = response.into_parts();
            let body = ResponseBody::new(&head.headers, (read, incoming), deadline.call, open);
            Ok(Response::from_parts(head, Body::new(body)))
        }
        Err(status) => {
            record.finish(status.code(), status.message());
            Err(status)
        }
    }
}

/// The attempts of one call.
struct Race<'a> {
    core: &'a Core,
    parts: Parts,
    deadline: Deadline,
    plan: &'a Plan,
    outgoing: &'a Outgoing,
    record: &'a mut CallRecord,
    /// Where it was sent.
    tried: Vec<Address>,
    /// Where of these no attempt is under way any more.
    failed_at: Vec<Address>,
    /// When the latest attempt was.
    launched: Instant,
    attempts: CallAttempts<'a>,
    /// What earlier attempts met and how often in a row, for the error.
    met: Vec<(String, usize)>,
    /// When the next attempt begins, if no other is answered before.
    next: Option<(Instant, Kind)>,
}

/// When none was ready for an attempt beside those under way, it is looked again after as long again as
/// the latest has been under way by then, and this at least.
const LOOK_AGAIN_MIN: Duration = Duration::from_millis(10);

/// The verdict with which a hedged attempt goes out.
const SENT_NOW: Verdict = Verdict::AfterBackoff(Duration::ZERO);

/// Where an attempt goes, and what it sends.
struct Place {
    endpoint: Arc<Endpoint>,
    stream: Stream,
    body: RequestBody,
    record: AttemptRecord,
}

impl<'a> Race<'a> {
    async fn run(&mut self) -> Result<Answer, Status> {
        self.complete_head().await?;
        self.core.budget.deposit(Instant::now());
        let hash = self.core.hash(&self.parts.headers, self.outgoing).await;
        let mut running = FuturesUnordered::new();
        self.next = Some((Instant::now(), Kind::First));
        loop {
            tokio::select! {
                biased;
                Some(met) = running.next() => {
                    if let Some(decided) = self.judge(met, running.is_empty()) {
                        return decided;
                    }
                }
                kind = due(self.next) => {
                    self.next = None;
                    let place = match running.is_empty() {
                        true => Some(self.place(kind, hash).await?),
                        false => self.place_beside(kind),
                    };
                    if let Some(place) = place {
                        running.push(self.launch(place)?);
                        if kind == Kind::First {
                            self.core.pool.probe(hash);
                        }
                    }
                }
            }
        }
    }

    /// Adds what every attempt carries.
    async fn complete_head(&mut self) -> Result<(), Status> {
        let headers = &mut self.parts.headers;
        if let Some(token) = &self.core.token
            && !headers.contains_key(header::AUTHORIZATION)
        {
            headers.insert(header::AUTHORIZATION, token.authorization().await?);
        }
        headers.entry(header::USER_AGENT).or_insert(USER_AGENT);
        Ok(())
    }

    /// Whichever endpoint is ready first. No other attempt is running.
    async fn place(&mut self, kind: Kind, hash: Option<u64>) -> Result<Place, Status> {
        let mut record = self.record.attempt(method(&self.parts), kind, self.deadline.head);
        let wanted = Wanted {
            tried: &self.tried,
            hash,
            deadline: self.deadline,
            wait_for_ready: self.plan.wait_for_ready,
        };
        let ready = ready::endpoint(self.core, wanted, self.record, &record).await;
        let (endpoint, stream) = ready.map_err(|status| {
            record.finish(status.code(), status.message());
            self.failed(status)
        })?;
        let text = "the request is too large to be sent again";
        let body = self.outgoing.attempt().ok_or_else(|| {
            let own = self.outgoing.failure();
            own.unwrap_or_else(|| self.failed(Status::unavailable(text)))
        })?;
        Ok(Place { endpoint, stream, body, record })
    }

    /// Another endpoint that is ready now, for one more attempt beside those that are running.
    fn place_beside(&mut self, kind: Kind) -> Option<Place> {
        let Some((endpoint, stream)) = self.pick_beside() else {
            // Such as while the connections of all others are being replaced.
            let now = Instant::now();
            let wait = now.saturating_duration_since(self.launched).max(LOOK_AGAIN_MIN);
            self.next = now.checked_add(wait).map(|at| (at, kind));
            return None;
        };
        // A retry is paid for already.
        if kind == Kind::Hedge && self.attempts.hedge_due(self.core.guards(), Instant::now()) != SENT_NOW {
            return None;
        }
        let body = self.outgoing.attempt()?;
        let record = self.record.attempt(method(&self.parts), kind, self.deadline.head);
        Some(Place { endpoint, stream, body, record })
    }

    /// An endpoint that the call has not met, or at least one at which no attempt is under way.
    fn pick_beside(&self) -> Option<(Arc<Endpoint>, Stream)> {
        let pool = &self.core.pool;
        pool.pick_other(&self.tried).or_else(|| {
            let is_under_way = |address: &&Address| !self.failed_at.contains(address);
            let under_way: Vec<_> = self.tried.iter().filter(is_under_way).cloned().collect();
            if under_way.len() < self.tried.len() { pool.pick_other(&under_way) } else { None }
        })
    }

    fn launch(&mut self, place: Place) -> Result<impl Future<Output = Met> + use<'a>, Status> {
        let Place { endpoint, stream, body, mut record } = place;
        let now = Instant::now();
        let mut request = self.request(&endpoint, body.measured(record.sent_messages()))?;
        let headers = request.headers_mut();
        self.deadline.announce(headers);
        if self.attempts.previous() > 0 {
            headers.insert(PREVIOUS_ATTEMPTS_HEADER, HeaderValue::from(self.attempts.previous()));
        }
        record.sent_to(endpoint.address(), headers);
        let timeout = self.plan.attempt_timeout().and_then(|timeout| now.checked_add(timeout));
        let deadline = timeout.into_iter().chain(self.deadline.head).min();
        self.tried.push(endpoint.address().clone());
        self.failed_at.retain(|address| address != endpoint.address());
        self.launched = now;
        let connection = Arc::clone(stream.connection());
        let attempt = Attempt::begin(&self.core.pool, (endpoint, stream), record, deadline);
        if let Some(delay) = self.plan.hedge_delay() {
            self.next = now.checked_add(delay).map(|at| (at, Kind::Hedge));
        }
        let number = request.body().attempt();
        let response = connection.send(request);
        Ok(attempt::outcome(attempt, number, response, timeout, self.plan.is_whole))
    }

    fn request(&self, endpoint: &Endpoint, body: RequestBody) -> Result<Request<RequestBody>, Status> {
        let mut uri = http::uri::Parts::default();
        uri.scheme = Some(self.core.pool.connector.scheme());
        uri.authority.clone_from(&endpoint.authority);
        uri.path_and_query = self.parts.uri.path_and_query().cloned();
        let uri =
            Uri::from_parts(uri).map_err(|error| Status::internal(format!("no valid path: {error}")))?;
        let mut request = Request::new(body);
        *request.method_mut() = self.parts.method.clone();
        *request.uri_mut() = uri;
        request.headers_mut().clone_from(&self.parts.headers);
        Ok(request)
    }

    /// Says what an attempt means for the call; `None`: it goes on.
    fn judge(&mut self, met: Met, is_last: bool) -> Option<Result<Answer, Status>> {
        match met {
            Met::Response(answer) if answer.code.is_none_or(|code| code == Code::Ok) => {
                self.core.succeeded();
                self.plan.answered(answer.attempt.sent_at().elapsed());
                Some(Ok(answer))
            }
            Met::Response(mut answer) => {
                let code = answer.code.unwrap_or(Code::Unknown);
                if !self.goes_on(Outcome::Failed { code, pushback: answer.pushback }, is_last) {
                    return Some(Ok(answer));
                }
                self.note(&answer.attempt.endpoint, code);
                answer.attempt.finish(code, "");
                None
            }
            Met::Failure(Failed { status, outcome }, endpoint) => {
                // The caller's own request stream failed: the caller learns its own error.
                if let Some(own) = self.outgoing.failure() {
                    return Some(Err(own));
                }
                if !self.goes_on(outcome, is_last) {
                    return Some(Err(self.failed(status)));
                }
                self.note(&endpoint, status.code());
                None
            }
        }
    }

    /// Whether another attempt follows, or one that is running may still be answered.
    fn goes_on(&mut self, outcome: Outcome, is_last: bool) -> bool {
        let now = Instant::now();
        // An attempt that only the channel wanted may meet a full replica; the one beside it goes on.
        let is_shed = matches!(outcome, Outcome::Failed { code: Code::ResourceExhausted, .. })
            && self.plan.hedges_when_late;
        if !self.outgoing.is_repeatable() {
            return false;
        }
        match self.attempts.failed(outcome, self.core.guards(), now, self.core.pool.random.fraction()) {
            Verdict::AtOnce => self.next = Some((now, Kind::TransparentRetry)),
            Verdict::AfterBackoff(wait) => {
                if is_last {
                    self.record.waited(wait);
                }
                self.next = Some((now.checked_add(wait).unwrap_or(now), Kind::Retry));
            }
            Verdict::GiveUp(reason) => return !is_last && (is_shed || !reason.ends_call()),
        }
        true
    }

    fn note(&mut self, endpoint: &Endpoint, code: Code) {
        self.failed_at.push(endpoint.address().clone());
        let said = format!("{} {}", endpoint.address(), code_name(code));
        if let Some((last, count)) = self.met.last_mut()
            && *last == said
        {
            *count += 1;
        } else {
            self.met.push((said, 1));
        }
    }

    /// The status with what earlier attempts met.
    fn failed(&self, status: Status) -> Status {
        if self.met.is_empty() {
            return status;
        }
        let met: Vec<_> = self.met.iter().map(|(said, count)| format!("{said} x{count}")).collect();
        Status::new(status.code(), format!("{} (before that: {})", status.message(), met.join(", ")))
    }
}

/// `pkg.Service/Method`.
fn method(parts: &Parts) -> &str {
    parts.uri.path().trim_start_matches('/')
}

/// Waits until the next attempt is due.
async fn due(next: Option<(Instant, Kind)>) -> Kind {
    match next {
        Some((at, kind)) => {
            if at > Instant::now() {
                sleep_until(at).await;
            }
            kind
        }
        None => std::future::pending().await,
    }
}
