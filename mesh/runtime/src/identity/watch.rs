//! Keeps what a server trusts up to date: one stream from `auth`, taken up again when it ends.

use std::time::Duration;

use plexus_client::Channel;
use plexus_proto::auth::v1::{TrustBundle, WatchTrustRequest, trust_service_client::TrustServiceClient};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{Jwk, Role, Trust, TrustState};

/// The first pause after the stream ended: a rolling restart of auth should hardly show.
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// The longest pause; what is known stays in force meanwhile.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Follows the stream until `stop`.
pub(crate) async fn run(auth: Channel, trust: Trust, stop: CancellationToken) {
    let mut pause = PAUSE_MIN;
    loop {
        let followed = tokio::select! {
            () = stop.cancelled() => return,
            followed = follow(auth.clone(), &trust) => followed,
        };
        match followed {
            Ok(()) => pause = PAUSE_MIN,
            Err(status) => {
                // Whoever waits for the keys says so through its health; this is for those who look why.
                tracing::debug!(%status, "the stream of keys and roles could not be followed");
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(pause) => {}
        }
    }
}

async fn follow(auth: Channel, trust: &Trust) -> Result<(), tonic::Status> {
    let mut stream = TrustServiceClient::new(auth).watch_trust(WatchTrustRequest {}).await?.into_inner();
    while let Some(bundle) = stream.message().await? {
        trust.publish(&state(bundle));
    }
    Ok(())
}

fn state(bundle: TrustBundle) -> TrustState {
    let keys = bundle.keys.into_iter().map(|key| Jwk { kid: key.kid, x: key.x }).collect();
    let roles = bundle.roles.into_iter();
    let roles = roles.map(|role| Role { name: role.name, permissions: role.permissions }).collect();
    TrustState { keys, roles }
}
