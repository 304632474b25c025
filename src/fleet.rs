//! The replicas of this process, as the admin port sees them.

use std::sync::Mutex;

use futures_util::future::BoxFuture;
use plexus_runtime::{
    admin::{Fleet, ReplicaStatus},
    health::{Health, State},
    replica::Replica,
};

/// All replicas that this process has started.
#[derive(Default)]
pub struct Replicas {
    seats: Mutex<Vec<Seat>>,
}

struct Seat {
    name: String,
    service: &'static str,
    address: String,
    health: Health,
    /// `None` once somebody drains it.
    replica: Option<Replica>,
}

impl Replicas {
    /// Adds a replica that has started.
    pub fn add(&self, replica: Replica) {
        let seat = Seat {
            name: replica.name().to_owned(),
            service: replica.service(),
            address: replica.address().to_string(),
            health: replica.health().clone(),
            replica: Some(replica),
        };
        self.locked(|seats| seats.push(seat));
    }

    /// Waits until every replica serves.
    pub async fn ready(&self) {
        for health in self.locked(|seats| seats.iter().map(|seat| seat.health.clone()).collect::<Vec<_>>()) {
            health.ready().await;
        }
    }

    /// Drains all replicas, those started last first, so that callers go before whom they call.
    pub async fn drain_all(&self) {
        while let Some(replica) = self.take_last() {
            replica.drain().await;
        }
    }

    fn take_last(&self) -> Option<Replica> {
        self.locked(|seats| seats.iter_mut().rev().find_map(|seat| seat.replica.take()))
    }

    fn locked<T>(&self, act: impl FnOnce(&mut Vec<Seat>) -> T) -> T {
        act(&mut self.seats.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl Fleet for Replicas {
    fn replicas(&self) -> Vec<ReplicaStatus> {
        self.locked(|seats| {
            let status = |seat: &Seat| ReplicaStatus {
                name: seat.name.clone(),
                service: seat.service.to_owned(),
                address: seat.address.clone(),
                report: seat.health.report(),
            };
            // A replica that somebody stopped on purpose says nothing about the others.
            seats.iter().map(status).filter(|status| status.report.state != State::Stopped).collect()
        })
    }

    fn drain(&self, name: String) -> BoxFuture<'_, bool> {
        let found = self.locked(|seats| {
            let seat = seats.iter_mut().find(|seat| seat.name == name);
            seat.and_then(|seat| seat.replica.take())
        });
        Box::pin(async move {
            match found {
                Some(replica) => {
                    replica.drain().await;
                    true
                }
                None => false,
            }
        })
    }
}
