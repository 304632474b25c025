//! Replicas that are processes: killed, stopped, frozen and restarted under load.

use std::{
    net::SocketAddr,
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use plexus_client::{Channel, ChannelBuilder};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::{Child, ChildStdin, Command},
    signal::unix::{SignalKind, signal},
    task::JoinHandle,
};
use tonic::{Code, Status, transport::Server};

use crate::replica::{Replica, builder, check, connect, idempotent, in_flight, ready, until};

/// Tells the process where to listen.
const ADDRESS: &str = "PLEXUS_TEST_REPLICA";
const LISTENING: &str = "listening on ";

/// Not a test: what [`Process`] runs.
#[tokio::test]
#[ignore = "the other tests run it as a process of its own"]
async fn a_replica_process() {
    let Ok(address) = std::env::var(ADDRESS) else { return };
    let replica = Replica::at(address.parse().unwrap(), Server::builder()).await;
    let mut terminated = signal(SignalKind::terminate()).unwrap();
    println!("{LISTENING}{}", replica.address);
    let mut input = tokio::io::stdin();
    tokio::select! {
        _ = terminated.recv() => {
            replica.drain();
            replica.drained.cancelled().await;
        }
        // Whoever started it is gone.
        _ = input.read_u8() => {}
    }
    std::process::exit(0);
}

struct Process {
    address: SocketAddr,
    child: Child,
    /// Open as long as it shall run; waiting for the child would close it.
    _input: ChildStdin,
}

impl Process {
    async fn start() -> Self {
        Self::at("127.0.0.1:0".parse().unwrap()).await
    }

    async fn at(address: SocketAddr) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "processes::a_replica_process", "--nocapture"])
            .env(ADDRESS, address.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        loop {
            let line = lines.next_line().await.unwrap().expect("it says where it listens");
            if let Some((_, address)) = line.split_once(LISTENING) {
                return Self { address: address.parse().unwrap(), child, _input: input };
            }
        }
    }

    async fn three() -> [Self; 3] {
        [Self::start().await, Self::start().await, Self::start().await]
    }

    async fn signal(&self, name: &str) {
        let id = self.child.id().expect("it has not ended");
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status().await.unwrap();
        assert!(sent.success());
    }

    /// Waits until it has ended, and starts another at the same address.
    async fn restart(&mut self) {
        self.child.wait().await.unwrap();
        *self = Self::at(self.address).await;
    }
}

/// Calls without a pause, until it is stopped.
struct Load {
    stop: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
    errors: Arc<Mutex<Vec<Status>>>,
    tasks: Vec<JoinHandle<()>>,
}

const CALLERS: usize = 8;

impl Load {
    async fn begin(builder: ChannelBuilder, processes: &[Process]) -> (Channel, Self) {
        let addresses: Vec<_> = processes.iter().map(|process| process.address).collect();
        let channel = connect(builder, &addresses).await;
        let (stop, calls) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let errors = Arc::<Mutex<Vec<Status>>>::default();
        let call = || {
            let channel = channel.clone();
            let (stop, calls, errors) = (Arc::clone(&stop), Arc::clone(&calls), Arc::clone(&errors));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    if let Err(status) = check(&channel, "").await {
                        errors.lock().unwrap().push(status);
                    }
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        let tasks = (0..CALLERS).map(|_| call()).collect();
        let load = Self { stop, calls, errors, tasks };
        load.more(500).await;
        (channel, load)
    }

    async fn more(&self, calls: usize) {
        let wanted = self.calls.load(Ordering::Relaxed) + calls;
        until(|| self.calls.load(Ordering::Relaxed) >= wanted).await;
    }

    /// The errors of all calls.
    async fn end(self) -> Vec<Status> {
        self.more(500).await;
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        std::mem::take(&mut *self.errors.lock().unwrap())
    }
}

fn none(errors: &[Status]) {
    assert!(errors.is_empty(), "{} errors, the first: {:?}", errors.len(), errors[0]);
}

#[tokio::test]
async fn kill_9_fails_no_idempotent_call() {
    let mut processes = Process::three().await;
    let (channel, load) = Load::begin(idempotent(), &processes).await;
    processes[0].child.kill().await.unwrap();
    until(|| ready(&channel).len() == 2).await;
    none(&load.end().await);
    assert_eq!(in_flight(&channel), 0);
}

#[tokio::test]
async fn kill_9_fails_only_the_calls_that_were_in_flight_at_that_replica() {
    let mut processes = Process::three().await;
    let (_channel, load) = Load::begin(builder(), &processes).await;
    processes[0].child.kill().await.unwrap();
    load.more(1_000).await;
    let errors = load.end().await;
    assert!(errors.len() <= CALLERS, "{errors:?}");
    let address = processes[0].address.to_string();
    for status in errors {
        assert!(status.code() == Code::Unavailable && status.message().contains(&address), "{status:?}");
    }
}

#[tokio::test]
async fn sigterm_fails_no_call_at_all() {
    let mut processes = Process::three().await;
    let (_channel, load) = Load::begin(builder(), &processes).await;
    processes[0].signal("TERM").await;
    assert!(processes[0].child.wait().await.unwrap().success());
    none(&load.end().await);
}

#[tokio::test]
async fn a_frozen_replica_fails_no_idempotent_call_and_is_used_again_when_it_goes_on() {
    let mut processes = Process::three().await;
    let (channel, load) = Load::begin(idempotent(), &processes).await;
    processes[0].signal("STOP").await;
    load.more(2_000).await;
    processes[0].signal("CONT").await;
    load.more(500).await;
    for other in &mut processes[1..] {
        other.child.kill().await.unwrap();
    }
    until(|| ready(&channel).len() == 1).await;
    none(&load.end().await);
}

#[tokio::test]
async fn a_rolling_restart_of_all_fails_no_call() {
    for (builder, signal) in [(idempotent(), "KILL"), (builder(), "TERM")] {
        let mut processes = Process::three().await;
        let (channel, load) = Load::begin(builder, &processes).await;
        for process in &mut processes {
            process.signal(signal).await;
            process.restart().await;
            until(|| ready(&channel).len() == 3).await;
            load.more(200).await;
        }
        none(&load.end().await);
    }
}

#[tokio::test]
async fn with_all_gone_calls_wait_and_are_answered_when_one_is_back() {
    let mut processes = Process::three().await;
    let (channel, load) = Load::begin(idempotent(), &processes).await;
    for process in &mut processes {
        process.child.kill().await.unwrap();
    }
    until(|| ready(&channel).is_empty()).await;
    processes[1].restart().await;
    let errors = load.end().await;
    // Those that met all three as they died have no one left to go to.
    assert!(errors.len() <= CALLERS, "{errors:?}");
}
