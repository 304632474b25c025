//! What happens to the replicas, and how they are called meanwhile.

use clap::ValueEnum;

use crate::bench::{drive::Calls, peer::Kind};

/// When an event happens that replicas are not born with, in milliseconds after the first call.
const EVENT_AT_MS: u64 = 2_000;
/// How long a call takes on a healthy replica. Not nothing, so that calls are in flight when a replica dies.
pub(super) const DELAY_MS: u64 = 5;
/// And on the slow one.
pub(super) const SLOW_DELAY_MS: u64 = 10 * DELAY_MS;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Event {
    /// Nothing, to three replicas.
    Quiet,
    /// kill -9 of one of three; the calls may run twice.
    KillIdempotent,
    /// kill -9 of one of three; the calls may not run twice.
    KillOnce,
    /// SIGTERM of one of three.
    Terminate,
    /// SIGSTOP of one of three; the calls may run twice.
    Freeze,
    /// Each of three: SIGTERM, 0.5 s later a new process, 1 s later the next.
    RollingRestart,
    /// A server that retires each connection after 2 s, with open streams on it.
    ConnectionAge,
    /// There is no endpoint, from the first call on.
    NoEndpoints,
    /// Nobody listens at any of three endpoints, from the first call on.
    AllDead,
    /// Nothing, to five replicas.
    FiveHealthy,
    /// One of five replicas is ten times slower than the others.
    OneSlow,
    /// The resolver yields nothing any more, then goes away.
    ResolverLost,
}

/// How the replicas are called.
pub(super) struct Plan {
    pub(super) replicas: usize,
    pub(super) rate: u32,
    pub(super) seconds: u32,
    pub(super) calls: Calls,
}

impl Event {
    /// All events, or these and what their goals compare with.
    pub(super) fn with_what_they_need(only: &[Self]) -> Vec<Self> {
        let is_wanted = |event: Self| {
            only.is_empty()
                || only.contains(&event)
                || only.iter().any(|wanted| wanted.compared_with() == Some(event))
        };
        Self::value_variants().iter().copied().filter(|&event| is_wanted(event)).collect()
    }

    /// The event whose p99 this one's goal refers to.
    pub(super) fn compared_with(self) -> Option<Self> {
        match self {
            Self::Freeze => Some(Self::Quiet),
            Self::OneSlow => Some(Self::FiveHealthy),
            _ => None,
        }
    }

    /// When it happens, in milliseconds after the first call.
    pub(super) fn at_ms(self) -> u64 {
        match self {
            Self::NoEndpoints | Self::AllDead | Self::OneSlow => 0,
            _ => EVENT_AT_MS,
        }
    }

    /// Whether there is nobody to call.
    pub(super) fn is_desert(self) -> bool {
        matches!(self, Self::NoEndpoints | Self::AllDead)
    }

    /// Whether the event can befall this client: tonic's list has no resolver that it could lose.
    pub(super) fn concerns(self, client: Kind) -> bool {
        self != Self::ResolverLost || client == Kind::Plexus
    }

    /// The title of its table.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::KillIdempotent => "kill -9 one, idempotent calls",
            Self::KillOnce => "kill -9 one, non-idempotent calls",
            Self::Terminate => "SIGTERM one",
            Self::Freeze => "SIGSTOP one, idempotent calls",
            Self::RollingRestart => "rolling restart of all three",
            Self::ConnectionAge => "GOAWAY from connection age",
            Self::NoEndpoints => "no endpoints",
            Self::AllDead => "three endpoints, all dead",
            Self::FiveHealthy => "five healthy replicas",
            Self::OneSlow => "one of five replicas 10 x slower",
            Self::ResolverLost => "resolver lost",
        }
    }

    pub(super) fn plan(self) -> Plan {
        let usual = Plan { replicas: 3, rate: 1_000, seconds: 10, calls: Calls::Mixed };
        match self {
            Self::Quiet | Self::KillIdempotent | Self::Freeze => Plan { calls: Calls::Idempotent, ..usual },
            Self::KillOnce => Plan { calls: Calls::Once, ..usual },
            Self::Terminate | Self::RollingRestart | Self::ResolverLost => usual,
            // One replica, so that no other can take what its closing connections lose.
            Self::ConnectionAge => Plan { replicas: 1, rate: 2_000, seconds: 9, ..usual },
            Self::NoEndpoints => Plan { replicas: 0, rate: 10, seconds: 2, ..usual },
            Self::AllDead => Plan { rate: 10, seconds: 2, ..usual },
            Self::FiveHealthy | Self::OneSlow => Plan { replicas: 5, calls: Calls::Idempotent, ..usual },
        }
    }
}
