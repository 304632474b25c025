//! The connections of a channel: follows the resolver, and knows which connections are in rotation.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    address::Address,
    backoff::BackoffPolicy,
    connection::{self, Connection},
    connector::Connect,
    endpoint::{Endpoint, EndpointStatus},
    picker::{Candidate, Candidates},
};

/// The connections that take calls at present. Replaced as a whole, so a call sees one state of it.
pub(crate) type Rotation = Arc<[Arc<Connection>]>;

pub(crate) struct Pool {
    pub(crate) connector: Arc<dyn Connect>,
    pub(crate) connect_timeout: Duration,
    pub(crate) backoff: BackoffPolicy,
    rotation: watch::Sender<Rotation>,
    members: Mutex<Vec<Member>>,
}

struct Member {
    endpoint: Arc<Endpoint>,
    stop: CancellationToken,
}

impl Pool {
    pub(crate) fn new(
        connector: Arc<dyn Connect>,
        connect_timeout: Duration,
        backoff: BackoffPolicy,
    ) -> Self {
        Self {
            connector,
            connect_timeout,
            backoff,
            rotation: watch::Sender::new(Arc::from([])),
            members: Mutex::default(),
        }
    }

    /// What is in rotation, now and after every change.
    pub(crate) fn rotation(&self) -> watch::Receiver<Rotation> {
        self.rotation.subscribe()
    }

    /// The rotation at this moment.
    pub(crate) fn present(&self) -> Rotation {
        Arc::clone(&self.rotation.borrow())
    }

    pub(crate) fn status(&self) -> Vec<EndpointStatus> {
        let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        members.iter().map(|member| member.endpoint.status()).collect()
    }

    pub(crate) fn join(&self, connection: Arc<Connection>) {
        self.rotation.send_modify(|rotation| {
            *rotation = rotation.iter().cloned().chain([connection]).collect();
        });
    }

    pub(crate) fn leave(&self, endpoint: &Arc<Endpoint>) {
        self.rotation.send_modify(|rotation| {
            let others = rotation.iter().filter(|connection| !Arc::ptr_eq(&connection.endpoint, endpoint));
            *rotation = others.cloned().collect();
        });
    }

    /// Makes the members be these: new ones are connected at once, those that are gone drain.
    fn replace(self: &Arc<Self>, addresses: &[Address], stop: &CancellationToken) {
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        members.retain(|member| {
            let stays = addresses.contains(&member.endpoint.address);
            if !stays {
                member.stop.cancel();
            }
            stays
        });
        for address in addresses {
            if members.iter().any(|member| member.endpoint.address == *address) {
                continue;
            }
            let endpoint = Arc::new(Endpoint::new(address.clone()));
            let stop = stop.child_token();
            tokio::spawn(connection::supervise(Arc::clone(self), Arc::clone(&endpoint), stop.clone()));
            members.push(Member { endpoint, stop });
        }
    }
}

/// Follows the resolver's set until `stop`.
pub(crate) async fn follow(
    pool: Arc<Pool>,
    mut addresses: watch::Receiver<Vec<Address>>,
    stop: CancellationToken,
) {
    let following = async {
        loop {
            let present = addresses.borrow_and_update().clone();
            pool.replace(&present, &stop);
            if addresses.changed().await.is_err() {
                // The resolver is gone: its last set stays.
                return;
            }
        }
    };
    stop.run_until_cancelled(following).await;
}

/// A rotation as a picker sees it, less the replicas that have refused this call.
pub(crate) struct Choice<'a> {
    pub(crate) rotation: &'a [Arc<Connection>],
    pub(crate) refused: &'a [Address],
}

impl Candidates for Choice<'_> {
    fn count(&self) -> usize {
        self.rotation.len()
    }

    fn get(&self, index: usize) -> Candidate<'_> {
        let connection = &self.rotation[index];
        let address = &connection.endpoint.address;
        Candidate {
            address,
            is_ready: connection.is_ready() && !self.refused.contains(address),
            load: &connection.endpoint.load,
        }
    }
}
