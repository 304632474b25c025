//! Carries out a plan: machines, links, faults and time.

use std::{sync::Arc, time::Duration};

use plexus_client::ManualResolver;
use turmoil::Sim;

use crate::{
    caller,
    network::{CLIENT, replica_address, replica_name},
    plan::{Fault, Kind, Plan},
    record::{Record, What},
    replica::{self, Conduct, Process, Replica},
};

/// How far time goes at once. Segments arrive at its multiples.
const TICK: Duration = Duration::from_millis(2);
const LATENCY_MIN: Duration = Duration::from_millis(1);
/// Segments that a link holds for one connection and direction, before its writer waits.
const SEGMENTS_MAX: usize = 256;

/// Runs a plan to its end, and answers what was seen.
pub(crate) fn run(plan: &Arc<Plan>) -> Record {
    let record = Record::default();
    let mut sim = turmoil::Builder::new()
        .rng_seed(plan.seed)
        .tick_duration(TICK)
        .simulation_duration(Duration::MAX)
        .min_message_latency(LATENCY_MIN)
        .max_message_latency(plan.latency_max)
        .tcp_capacity(SEGMENTS_MAX)
        .build();
    let replicas: Vec<_> =
        (0..plan.replicas).map(|index| Replica::new(index, Arc::clone(plan), record.clone())).collect();
    for replica in &replicas {
        let replica = Arc::clone(replica);
        sim.host(replica_name(replica.index), move || replica::run(Arc::clone(&replica)));
    }
    let resolver = ManualResolver::new((0..plan.replicas).map(|replica| replica_address(replica).into()));
    sim.client(CLIENT, caller::run(Arc::clone(plan), resolver.clone(), record.clone()));
    let mut world = World { sim, replicas, resolver, record: record.clone(), plan: Arc::clone(plan) };
    world.run();
    record
}

struct World<'a> {
    sim: Sim<'a>,
    replicas: Vec<Arc<Replica>>,
    resolver: ManualResolver,
    record: Record,
    plan: Arc<Plan>,
}

impl World<'_> {
    fn run(&mut self) {
        let mut turns: Vec<(Duration, bool, Fault)> = Vec::new();
        for fault in &self.plan.faults {
            turns.push((fault.from, true, *fault));
            turns.push((fault.until, false, *fault));
        }
        turns.sort_by_key(|(at, ..)| *at);
        let mut turns = turns.into_iter().peekable();
        while self.sim.elapsed() < self.plan.end {
            while let Some((_, begins, fault)) = turns.next_if(|(at, ..)| *at <= self.sim.elapsed()) {
                self.record.note_at(self.sim.elapsed(), What::Fault { fault, begins });
                if begins {
                    self.begin(fault)
                } else {
                    self.heal(fault)
                }
                if fault.kind == Kind::Leave {
                    self.publish();
                }
            }
            self.sim.step().expect("no simulated process ends by itself");
        }
    }

    fn begin(&mut self, fault: Fault) {
        let replica = &self.replicas[fault.replica];
        let name = replica_name(fault.replica);
        match fault.kind {
            Kind::Kill => self.restart(fault.replica, Process::Gone),
            Kind::Silent => self.restart(fault.replica, Process::Silent),
            Kind::Resetting => self.restart(fault.replica, Process::Resetting),
            Kind::PowerOff => {
                self.sim.partition(name.as_str(), CLIENT);
                self.sim.crash(name);
            }
            Kind::Partition => self.sim.partition(name, CLIENT),
            Kind::PartitionThere => self.sim.partition_oneway(CLIENT, name),
            Kind::PartitionBack => self.sim.partition_oneway(name, CLIENT),
            Kind::Hold => self.sim.hold(name, CLIENT),
            Kind::Slow(latency) => self.sim.set_link_latency(name, CLIENT, latency),
            Kind::Lossy(once_in) => self.sim.set_link_fail_rate(name, CLIENT, 1.0 / once_in as f64),
            Kind::Failing => replica.conduct_itself(Conduct::Failing),
            Kind::Sluggish(times) => replica.conduct_itself(Conduct::Sluggish(times)),
            Kind::Refusing => replica.conduct_itself(Conduct::Refusing),
            Kind::Drain => replica.drain(),
            Kind::Leave => {}
        }
    }

    fn heal(&mut self, fault: Fault) {
        let name = replica_name(fault.replica);
        match fault.kind {
            Kind::Kill | Kind::Silent | Kind::Resetting | Kind::Drain => {
                self.restart(fault.replica, Process::Serving);
            }
            Kind::PowerOff => {
                self.sim.repair(name, CLIENT);
                self.restart(fault.replica, Process::Serving);
            }
            Kind::Partition | Kind::PartitionThere | Kind::PartitionBack => self.sim.repair(name, CLIENT),
            Kind::Hold => self.sim.release(name, CLIENT),
            Kind::Slow(_) => {
                self.sim.set_link_latency(name.as_str(), CLIENT, LATENCY_MIN);
                self.sim.set_link_max_message_latency(name, CLIENT, self.plan.latency_max);
            }
            Kind::Lossy(_) => {
                self.sim.set_link_fail_rate(name.as_str(), CLIENT, 0.0);
                self.sim.repair(name, CLIENT);
            }
            Kind::Failing | Kind::Sluggish(_) | Kind::Refusing => {
                self.replicas[fault.replica].conduct_itself(Conduct::Healthy);
            }
            Kind::Leave => {}
        }
    }

    /// Ends the process as kill -9 does, and starts this one on the same machine.
    fn restart(&mut self, replica: usize, process: Process) {
        self.replicas[replica].become_process(process);
        self.sim.bounce(replica_name(replica));
    }

    /// Tells the resolver who is in the set.
    fn publish(&self) {
        let now = self.sim.elapsed();
        let is_out = |replica| {
            let leaves = |fault: &&Fault| fault.kind == Kind::Leave && fault.from <= now && now < fault.until;
            self.plan.faults.iter().filter(leaves).any(|fault| fault.replica == replica)
        };
        self.resolver.replace(
            (0..self.plan.replicas)
                .filter(|replica| !is_out(*replica))
                .map(|replica| replica_address(replica).into()),
        );
    }
}
