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
            Followed::Some => pause = PAUSE_MIN,
            Followed::Nothing => pause = (pause * 2).min(PAUSE_MAX),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(pause) => {}
        }
    }
}

/// What a stream gave before it ended.
enum Followed {
    Nothing,
    Some,
}

async fn follow(auth: Channel, trust: &Trust) -> Followed {
    let mut followed = Followed::Nothing;
    // Whoever waits for the keys says so through its health; the log is for those who look why.
    let gone = |status| tracing::debug!(%status, "the stream of keys and roles ended");
    let mut stream = match TrustServiceClient::new(auth).watch_trust(WatchTrustRequest {}).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => {
            gone(status);
            return followed;
        }
    };
    loop {
        match stream.message().await {
            Ok(Some(bundle)) => trust.publish(&state(bundle)),
            Ok(None) => return followed,
            Err(status) => {
                gone(status);
                return followed;
            }
        }
        followed = Followed::Some;
    }
}

fn state(bundle: TrustBundle) -> TrustState {
    let keys = bundle.keys.into_iter().map(|key| Jwk { kid: key.kid, x: key.x }).collect();
    let roles = bundle.roles.into_iter();
    let roles = roles.map(|role| Role { name: role.name, permissions: role.permissions }).collect();
    TrustState { keys, roles }
}
