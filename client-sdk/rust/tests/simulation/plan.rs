//! What happens in one run: the replicas, the faults and the calls that a seed stands for.

use std::{ops::Range, time::Duration};

use crate::dice::Dice;

/// Faults begin after this, so that calls meet a connected channel first.
const FAULTS_FROM: Duration = Duration::from_secs(3);
/// All faults have healed by then.
pub(crate) const FAULTS_UNTIL: Duration = Duration::from_secs(33);
/// How long faults of one replica are apart at least.
const PAUSE_MS: Range<u64> = 500..6_000;

/// After the last fault has healed for this long, every call succeeds.
///
/// A connection that lost a segment stays silent (the simulated TCP repeats nothing), until the PING that
/// follows after 10 s is not answered for 10 s; then comes a connection attempt, at the worst one that ran
/// into its timeout of 5 s just before, and one wait of [`crate::sdk::BACKOFF_MAX`].
pub(crate) const RECOVERED_WITHIN: Duration = Duration::from_secs(32);
/// Calls go on for this long after that, to show it.
const CALLS_AFTER: Duration = Duration::from_secs(10);
/// A replica that is back for this long gets calls again, at least one in each such time that follows.
pub(crate) const USED_WITHIN: Duration = RECOVERED_WITHIN;
pub(crate) const USED_EACH: Duration = Duration::from_secs(10);
/// A replica that left the set gets no new calls after this.
pub(crate) const LEFT_WITHIN: Duration = Duration::from_secs(1);
/// The longest that a call may take; the run goes on for this long after the last call began.
const DEADLINE_MAX: Duration = Duration::from_secs(9);
/// A drain that is followed by the end of the process gives calls this long.
const DRAIN_MS: Range<u64> = 9_000..12_000;

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) replicas: usize,
    /// Only faults that an operator causes on purpose: none of them may cost a call.
    pub(crate) is_gentle: bool,
    /// After which age a server says GOAWAY on a connection.
    pub(crate) connection_age: Option<Duration>,
    /// How many streams a server allows on a connection.
    pub(crate) streams_max: Option<u32>,
    pub(crate) latency_max: Duration,
    pub(crate) faults: Vec<Fault>,
    /// In the order in which they begin. The index is the call's id.
    pub(crate) calls: Vec<Call>,
    pub(crate) end: Duration,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    pub(crate) replica: usize,
    pub(crate) from: Duration,
    pub(crate) until: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Kill -9: connections are closed by the kernel, new ones refused.
    Kill,
    /// The machine is gone: nobody is told, and new connections are not answered.
    PowerOff,
    /// Nothing passes, either way.
    Partition,
    /// Requests do not arrive.
    PartitionThere,
    /// Answers do not arrive.
    PartitionBack,
    /// Nothing passes, but nothing is lost either: a black hole, or a frozen process.
    Hold,
    /// The link takes this long, each way.
    Slow(Duration),
    /// The link breaks at random for moments, about once in this many segments.
    Lossy(u64),
    /// Restarted as a process that accepts connections and says nothing.
    Silent,
    /// Restarted as a process that accepts connections and closes them.
    Resetting,
    /// Answers each request with UNAVAILABLE.
    Failing,
    /// Thinks this many times longer.
    Sluggish(u32),
    /// GOAWAY, finish what is in flight, refuse new connections, then a new process.
    Drain,
    /// Refuses each request with `REFUSED_STREAM`.
    Refusing,
    /// Out of the resolver's set; the process goes on.
    Leave,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// May run twice.
    Read,
    /// Must not.
    Write,
    /// A stream of numbered messages.
    Count { messages: u32, gap: Duration },
}

/// What a healthy server does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Content,
    /// `FAILED_PRECONDITION`: an answer as good as any, not to be asked for again.
    Refusal,
    /// Never answers; the deadline ends the call.
    Nothing,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) at: Duration,
    pub(crate) deadline: Duration,
    pub(crate) method: Method,
    pub(crate) reply: Reply,
    pub(crate) think: Duration,
    pub(crate) request_bytes: usize,
    pub(crate) response_bytes: usize,
}

impl Plan {
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let is_gentle = dice.once_in(3);
        let replicas = usize::try_from(dice.within(2..6)).unwrap();
        let calls_end = FAULTS_UNTIL + RECOVERED_WITHIN + CALLS_AFTER;
        let connection_age = dice.once_in(3).then(|| dice.millis(2_000..9_000));
        let streams_max = dice.once_in(4).then(|| u32::try_from(dice.within(12..24)).unwrap());
        let latency_max = dice.millis(2..20);
        let faults =
            if is_gentle { gentle_faults(&mut dice, replicas) } else { rough_faults(&mut dice, replicas) };
        let calls = calls(&mut dice, calls_end);
        Self {
            seed,
            replicas,
            is_gentle,
            connection_age,
            streams_max,
            latency_max,
            faults,
            calls,
            end: calls_end + DEADLINE_MAX + Duration::from_secs(1),
        }
    }
}

/// One replica after the other is taken out of service in a way that loses nothing.
fn gentle_faults(dice: &mut Dice, replicas: usize) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut from = FAULTS_FROM + dice.millis(0..5_000);
    loop {
        let kind = dice.one_of(&[Kind::Drain, Kind::Drain, Kind::Refusing, Kind::Leave]);
        let lasts = if kind == Kind::Drain { dice.millis(DRAIN_MS) } else { dice.millis(500..6_000) };
        let replica = usize::try_from(dice.within(0..replicas as u64)).unwrap();
        if from + lasts > FAULTS_UNTIL {
            return faults;
        }
        faults.push(Fault { kind, replica, from, until: from + lasts });
        // Only when the last one is connected again is the next one taken out: its back-off is
        // at the longest, and a rolling restart that does not wait for readiness does lose calls.
        from += lasts + crate::sdk::BACKOFF_MAX.mul_f64(1.2) + dice.millis(1_000..3_000);
    }
}

/// Each replica has troubles of its own, and sometimes all have the same at once.
fn rough_faults(dice: &mut Dice, replicas: usize) -> Vec<Fault> {
    let mut faults = Vec::new();
    let together = dice.once_in(4).then(|| {
        let from = FAULTS_FROM + dice.millis(0..20_000);
        (rough_kind(dice), from, from + dice.millis(500..8_000))
    });
    for replica in 0..replicas {
        let mut from = FAULTS_FROM + dice.millis(0..12_000);
        loop {
            let kind = rough_kind(dice);
            let lasts = if kind == Kind::Drain { dice.millis(DRAIN_MS) } else { dice.millis(100..13_000) };
            let until = from + lasts;
            if until > FAULTS_UNTIL {
                break;
            }
            let is_free = together.is_none_or(|(_, begin, end)| until < begin || end < from);
            if is_free {
                faults.push(Fault { kind, replica, from, until });
            }
            from = until + dice.millis(PAUSE_MS);
        }
        if let Some((kind, from, until)) = together {
            faults.push(Fault { kind, replica, from, until });
        }
    }
    faults
}

fn rough_kind(dice: &mut Dice) -> Kind {
    let slow = Kind::Slow(dice.millis(50..400));
    let lossy = Kind::Lossy(dice.within(10..200));
    let sluggish = Kind::Sluggish(u32::try_from(dice.within(5..40)).unwrap());
    dice.one_of(&[
        Kind::Kill,
        Kind::Kill,
        Kind::PowerOff,
        Kind::Partition,
        Kind::PartitionThere,
        Kind::PartitionBack,
        Kind::Hold,
        Kind::Hold,
        slow,
        lossy,
        Kind::Silent,
        Kind::Resetting,
        Kind::Failing,
        sluggish,
        Kind::Drain,
        Kind::Refusing,
        Kind::Leave,
    ])
}

fn calls(dice: &mut Dice, end: Duration) -> Vec<Call> {
    let mut calls = Vec::new();
    let mean_gap_ms = dice.within(20..100);
    let mut at = Duration::from_millis(100);
    while at < end {
        calls.push(call(dice, at));
        // Bursts now and then.
        if !dice.once_in(6) {
            at += dice.millis(1..2 * mean_gap_ms);
        }
    }
    calls
}

fn call(dice: &mut Dice, at: Duration) -> Call {
    let (mut method, mut reply) = (dice.one_of(&[Method::Read, Method::Write]), Reply::Content);
    let mut deadline = dice.millis(1_500..4_000);
    match dice.within(0..100) {
        0..2 => reply = Reply::Nothing,
        2..5 => reply = Reply::Refusal,
        5..15 => {
            let messages = u32::try_from(dice.within(1..40)).unwrap();
            let gap = dice.millis(1..100);
            method = Method::Count { messages, gap };
            deadline += messages * gap;
        }
        _ => {}
    }
    Call {
        at,
        deadline: deadline.min(DEADLINE_MAX),
        method,
        reply,
        think: if dice.once_in(20) { dice.millis(50..300) } else { dice.millis(0..20) },
        request_bytes: size(dice),
        response_bytes: size(dice),
    }
}

/// Mostly small, sometimes of several frames, now and then beyond what is kept for a second attempt.
fn size(dice: &mut Dice) -> usize {
    let bytes = match dice.within(0..50) {
        0 => dice.within(70_000..150_000),
        1..5 => dice.within(2_000..40_000),
        _ => dice.within(8..200),
    };
    usize::try_from(bytes).unwrap()
}
