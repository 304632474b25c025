//! One logical call: wait for a ready replica, send, send again elsewhere if it was never processed.

use std::sync::Arc;

use http::{HeaderValue, Request, Response, Uri, header, request::Parts};
use tokio::time::Instant;
use tonic::{Status, body::Body};
use tracing::Instrument as _;

use crate::{
    address::Address,
    channel::Core,
    connection::Connection,
    deadline::Deadline,
    endpoint::EndpointStatus,
    failure,
    limits::Permit,
    load::InFlight,
    pool::Choice,
    propagation,
    request_body::{Outgoing, RequestBody},
    response_body::{OpenCall, ResponseBody},
    trace::CallSpan,
};

/// The most times a call is sent (the cap that gRPC's proposal A6 sets). Only attempts that no server
/// processed are followed by another; more of them in one call means that all replicas are going away.
const ATTEMPTS_MAX: usize = 5;

/// What servers see as the client's software.
const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("plexus-client/", env!("CARGO_PKG_VERSION")));

/// The head of a call and what bounds it.
pub(crate) struct Call {
    pub(crate) parts: Parts,
    pub(crate) deadline: Deadline,
    pub(crate) permit: Permit,
}

/// A response with what the attempt that got it holds.
struct Answer {
    response: Response<hyper::body::Incoming>,
    in_flight: InFlight,
    replica: Address,
}

/// Carries out a call, and records in the span how it ended.
pub(crate) async fn run(
    core: Arc<Core>,
    call: Call,
    body: Body,
    mut span: CallSpan,
) -> Result<Response<Body>, Status> {
    let Call { mut parts, deadline, permit } = call;
    let outgoing = Outgoing::new(body);
    let tracing_span = span.span().clone();
    let attempts = answer(&core, &mut parts, deadline, &outgoing, &span).instrument(tracing_span);
    let answered = match deadline.head {
        Some(head) => tokio::time::timeout_at(head, attempts).await.unwrap_or_else(|_| {
            Err(Status::deadline_exceeded(format!("{} did not answer before the deadline", core.name)))
        }),
        None => attempts.await,
    };
    match answered {
        Ok(Answer { response, in_flight, replica }) => {
            outgoing.commit();
            span.finish_from(response.headers());
            let open = OpenCall { span, replica, held: (outgoing, in_flight, permit) };
            Ok(response.map(|incoming| Body::new(ResponseBody::new(incoming, deadline.call, open))))
        }
        Err(status) => {
            span.finish(status.code(), status.message());
            Err(status)
        }
    }
}

async fn answer(
    core: &Core,
    parts: &mut Parts,
    deadline: Deadline,
    outgoing: &Outgoing,
    span: &CallSpan,
) -> Result<Answer, Status> {
    if let Some(token) = &core.token
        && !parts.headers.contains_key(header::AUTHORIZATION)
    {
        parts.headers.insert(header::AUTHORIZATION, token.authorization().await?);
    }
    parts.headers.entry(header::USER_AGENT).or_insert(USER_AGENT);
    propagation::inject(span.span(), &mut parts.headers);

    let mut refused = Vec::new();
    for attempt in 1.. {
        let connection = ready(core, deadline, &refused).await?;
        let Some(body) = outgoing.attempt() else { break };
        let replica = connection.endpoint.address.clone();
        span.sent_to(&replica);
        deadline.announce(&mut parts.headers);
        let request = request(core, parts, &connection, body)?;

        let in_flight = connection.endpoint.load.begin();
        let sent_at = Instant::now();
        let mut error = match connection.send(request).await {
            Ok(response) => {
                connection.endpoint.load.record(sent_at.elapsed());
                return Ok(Answer { response, in_flight, replica });
            }
            Err(error) => error,
        };
        let was_returned = error.take_message().is_some();
        let error = error.into_error();
        if let Some(status) = outgoing.failure() {
            return Err(status);
        }
        if attempt >= ATTEMPTS_MAX || !failure::is_unprocessed(&error, was_returned) {
            return Err(failure::status(&error, &replica));
        }
        tracing::debug!(%replica, attempt, "not processed; sending again");
        refused.push(replica);
    }
    Err(Status::unavailable(format!(
        "{} refused a request that is too large to be sent again",
        names(&refused)
    )))
}

fn request(
    core: &Core,
    parts: &Parts,
    connection: &Connection,
    body: RequestBody,
) -> Result<Request<RequestBody>, Status> {
    let mut uri = parts.uri.clone().into_parts();
    uri.scheme = Some(core.pool.connector.scheme());
    uri.authority.clone_from(&connection.endpoint.authority);
    let uri = Uri::from_parts(uri).map_err(|error| Status::internal(format!("no valid path: {error}")))?;
    let mut request = Request::new(body);
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = uri;
    *request.headers_mut() = parts.headers.clone();
    Ok(request)
}

/// A ready connection, to a replica that has not refused this call if there is one.
async fn ready(core: &Core, deadline: Deadline, refused: &[Address]) -> Result<Arc<Connection>, Status> {
    if let Some(connection) = pick(core, &core.pool.present(), refused) {
        return Ok(connection);
    }
    let limit = Instant::now().checked_add(core.ready_wait);
    let limit = limit.into_iter().chain(deadline.head).min();
    let mut rotation = core.pool.rotation();
    let waiting = async {
        loop {
            let present = Arc::clone(&rotation.borrow_and_update());
            if let Some(connection) = pick(core, &present, refused) {
                return Some(connection);
            }
            rotation.changed().await.ok()?;
        }
    };
    let found = match limit {
        Some(limit) => tokio::time::timeout_at(limit, waiting).await.ok().flatten(),
        None => waiting.await,
    };
    found.ok_or_else(|| Status::unavailable(why_none(&core.name, &core.pool.status())))
}

fn pick(core: &Core, rotation: &[Arc<Connection>], refused: &[Address]) -> Option<Arc<Connection>> {
    let untried = core.picker.pick(&Choice { rotation, refused });
    let index = match untried {
        None if !refused.is_empty() => core.picker.pick(&Choice { rotation, refused: &[] }),
        other => other,
    };
    rotation.get(index?).cloned()
}

/// Says for each replica why it takes no calls.
fn why_none(name: &str, endpoints: &[EndpointStatus]) -> String {
    if endpoints.is_empty() {
        return format!("{name} has no replicas");
    }
    let each: Vec<_> = endpoints
        .iter()
        .map(|endpoint| match endpoint.last_error.as_str() {
            "" => format!("{} ({:?})", endpoint.address, endpoint.state),
            error => format!("{} ({error})", endpoint.address),
        })
        .collect();
    format!("no replica of {name} is ready: {}", each.join(", "))
}

fn names(addresses: &[Address]) -> String {
    addresses.iter().map(Address::as_str).collect::<Vec<_>>().join(", ")
}
