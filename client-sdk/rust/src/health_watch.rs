//! Follows a replica's health service on one of its connections (gRPC's proposal A17).

use std::sync::Arc;

use tokio::time::{Instant, sleep};
use tonic::{Code, Status};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{backoff::Backoff, connection::Connection, direct::Direct, endpoint::Endpoint, pool::Pool};

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
    let _stream = connection.begin();
    while connection.is_open() {
        let since = Instant::now();
        let direct = Direct::new(&*pool.connector, &endpoint, &connection);
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
