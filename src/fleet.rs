//! What runs in this process, as the admin port sees it: replicas of services, and the bridge.

use std::sync::Mutex;

use futures_util::future::{BoxFuture, join_all};
use plexus_runtime::{
    admin::{Fleet, ReplicaStatus},
    health::{Health, State},
    replica::Replica,
};

use crate::bridge::RunningBridge;

/// All replicas that this process has started.
#[derive(Default)]
pub(crate) struct Replicas {
    seats: Mutex<Vec<Seat>>,
}

struct Seat {
    name: String,
    service: &'static str,
    address: String,
    health: Health,
    /// `None` once somebody drains it.
    member: Option<Member>,
}

enum Member {
    Replica(Replica),
    Bridge(RunningBridge),
}

impl Member {
    async fn drain(self) {
        match self {
            Self::Replica(replica) => replica.drain().await,
            Self::Bridge(bridge) => bridge.drain().await,
        }
    }
}

impl Replicas {
    /// Adds a replica that has started.
    pub(crate) fn add(&self, replica: Replica) {
        let seat = Seat {
            name: replica.name().to_owned(),
            service: replica.service(),
            address: replica.address().to_string(),
            health: replica.health().clone(),
            member: Some(Member::Replica(replica)),
        };
        self.locked(|seats| seats.push(seat));
    }

    /// Adds the bridge.
    pub(crate) fn add_bridge(&self, bridge: RunningBridge) {
        let seat = Seat {
            name: "bridge".to_owned(),
            service: "bridge",
            address: bridge.address().to_owned(),
            health: bridge.health().clone(),
            member: Some(Member::Bridge(bridge)),
        };
        self.locked(|seats| seats.push(seat));
    }

    /// Waits until every replica serves.
    pub(crate) async fn ready(&self) {
        for health in self.locked(|seats| seats.iter().map(|seat| seat.health.clone()).collect::<Vec<_>>()) {
            health.ready().await;
        }
    }

    /// Drains everything: what started last goes first, so that nobody goes before their callers have, and all
    /// replicas of a service go together.
    pub(crate) async fn drain_all(&self) {
        let taken = |seat: &mut Seat| Some((seat.service, seat.member.take()?));
        let members: Vec<_> = self.locked(|seats| seats.iter_mut().filter_map(taken).collect());
        for (_, member) in &members {
            // Streams without an end would otherwise hold up the bridge, which goes first. Whom it calls says
            // only later that it is going: the bridge would at once call nobody any more.
            if let Member::Replica(replica) = member {
                replica.end_streams();
            }
        }
        let mut members = members.into_iter().rev().peekable();
        while let Some((service, member)) = members.next() {
            let mut together = vec![member];
            while let Some((_, member)) = members.next_if(|(other, _)| *other == service) {
                together.push(member);
            }
            join_all(together.into_iter().map(Member::drain)).await;
        }
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
            seat.and_then(|seat| seat.member.take())
        });
        Box::pin(async move {
            match found {
                // A task of its own: whoever asked may go away before the drain is over.
                Some(member) => tokio::spawn(member.drain()).await.is_ok(),
                None => false,
            }
        })
    }
}
