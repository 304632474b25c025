//! Follows a replica's health service on one of its connections (gRPC's proposal A17).

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;
use http::{Request, Response, Uri};
use tokio::time::{Instant, sleep};
use tonic::{Code, Status, body::Body};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tower::Service;

use crate::{
    backoff::Backoff,
    connection::Connection,
    endpoint::Endpoint,
    failure,
    pool::Pool,
    request_body::{Outgoing, ReplayMemory},
};

/// Says of the endpoint whether it serves, until the connection ends.
///
/// A server without the service for health counts as serving (A17); a stream that ends otherwise is
/// opened again after a wait, and the endpoint does not serve meanwhile.
pub(crate) async fn follow(
    pool: Arc<Pool>,
    endpoint: Arc<Endpoint>,
    connection: Arc<Connection>,
    service: String,
) {
    let mut backoff = Backoff::new(pool.settings.backoff, pool.random.fork());
    while connection.is_open() {
        let since = Instant::now();
        let direct = Direct::new(&pool, &endpoint, &connection);
        let status = match watch(direct, &service, |is_serving| announce(&pool, &endpoint, is_serving)).await
        {
            Ok(()) => Status::unavailable("the stream ended"),
            Err(status) => status,
        };
        if status.code() == Code::Unimplemented {
            tracing::debug!(replica = %endpoint.address(), "has no health service; it counts as serving");
            announce(&pool, &endpoint, true);
            return;
        }
        announce(&pool, &endpoint, false);
        endpoint.note(format!("health service: {}", status.message()));
        backoff.connected_for(since.elapsed());
        sleep(backoff.next_wait()).await;
    }
}

fn announce(pool: &Pool, endpoint: &Endpoint, is_serving: bool) {
    if endpoint.set_serving(is_serving) {
        tracing::debug!(replica = %endpoint.address(), is_serving, "health changed");
        if !is_serving {
            endpoint.note("its health service says NOT_SERVING".to_owned());
        }
        pool.refresh();
    }
}

async fn watch(direct: Direct, service: &str, announce: impl Fn(bool)) -> Result<(), Status> {
    let request = HealthCheckRequest { service: service.to_owned() };
    let mut updates = HealthClient::new(direct).watch(request).await?.into_inner();
    while let Some(update) = updates.message().await? {
        announce(update.status() == ServingStatus::Serving);
    }
    Ok(())
}

/// Calls over this one connection, without any of the channel's own means.
struct Direct {
    connection: Arc<Connection>,
    base: http::uri::Parts,
    address: crate::Address,
    /// The request that was sent last; dropping it would cancel the call.
    outgoing: Option<Outgoing>,
}

impl Direct {
    fn new(pool: &Pool, endpoint: &Endpoint, connection: &Arc<Connection>) -> Self {
        let mut base = http::uri::Parts::default();
        base.scheme = Some(pool.connector.scheme());
        base.authority.clone_from(&endpoint.authority);
        Self { connection: Arc::clone(connection), base, address: endpoint.address().clone(), outgoing: None }
    }

    fn request(
        &mut self,
        request: Request<Body>,
    ) -> Result<Request<crate::request_body::RequestBody>, Status> {
        let (mut parts, body) = request.into_parts();
        let mut uri = http::uri::Parts::default();
        uri.scheme.clone_from(&self.base.scheme);
        uri.authority.clone_from(&self.base.authority);
        uri.path_and_query = parts.uri.path_and_query().cloned();
        parts.uri = Uri::from_parts(uri).map_err(|error| Status::internal(error.to_string()))?;
        let outgoing = self.outgoing.insert(Outgoing::new(body, &ReplayMemory::default()));
        let body = outgoing.attempt().ok_or_else(|| Status::internal("a new request has no body"))?;
        Ok(Request::from_parts(parts, body))
    }
}

impl Service<Request<Body>> for Direct {
    type Response = Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Response<Body>, Status>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let request = self.request(request);
        let (connection, address) = (Arc::clone(&self.connection), self.address.clone());
        Box::pin(async move {
            match connection.send(request?).await {
                Ok(response) => Ok(response.map(Body::new)),
                Err(error) => Err(failure::status(&error.into_error(), &address)),
            }
        })
    }
}
