//! What the channel itself asks of a replica: calls on one connection, around all that calls of callers go through.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;
use http::{Request, Response, Uri};
use tonic::{Status, body::Body};
use tower::Service;

use crate::{
    address::Address,
    connect::Connect,
    connection::Connection,
    endpoint::Endpoint,
    failure,
    request_body::{Outgoing, ReplayMemory, RequestBody},
};

/// Calls over this one connection, one at a time, without any of the channel's own means: no token, no
/// retry, no span, and no share in what is measured of calls.
pub(crate) struct Direct {
    connection: Arc<Connection>,
    base: http::uri::Parts,
    address: Address,
    /// The request that was sent last; dropping it would cancel the call.
    outgoing: Option<Outgoing>,
}

impl Direct {
    pub(crate) fn new(connector: &dyn Connect, endpoint: &Endpoint, connection: &Arc<Connection>) -> Self {
        let mut base = http::uri::Parts::default();
        base.scheme = Some(connector.scheme());
        base.authority.clone_from(&endpoint.authority);
        Self { connection: Arc::clone(connection), base, address: endpoint.address().clone(), outgoing: None }
    }

    fn request(&mut self, request: Request<Body>) -> Result<Request<RequestBody>, Status> {
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
