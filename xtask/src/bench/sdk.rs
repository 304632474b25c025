//! The channels of this SDK as the measurements use them: the one place to change with its API.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Result;
use plexus_client::{
    Channel, ChannelBuilder, ManualResolver, Member,
    endpoint::Endpoint,
    pick::{PeakEwma, PickArgs, Policy as _},
    slow_start::SlowStart,
};
use tokio::time::Instant;

use super::peer;

/// Picks that are timed for one figure.
const PICKS: u32 = 1_000_000;

/// A channel as a user would make it for a replica of the measurements.
/// Every channel that is measured comes from here.
pub(crate) fn channel(endpoints: &[SocketAddr]) -> Result<Channel> {
    Ok(builder()?.endpoints(endpoints.iter().copied()).build())
}

/// A channel whose resolver can be lost.
pub(crate) fn channel_with_resolver(endpoints: &[SocketAddr]) -> Result<(Channel, Resolver)> {
    let resolver = ManualResolver::new(endpoints.iter().copied().map(Member::from));
    Ok((builder()?.resolver(resolver.clone()).build(), Resolver(resolver)))
}

/// What the service's contract says, and that replicas tell how they are; all else as a user gets it.
fn builder() -> Result<ChannelBuilder> {
    Ok(Channel::builder("replica").idempotent(peer::READ)?.health_check(""))
}

/// The other end of a channel's resolver.
#[derive(Debug)]
pub(crate) struct Resolver(ManualResolver);

impl Resolver {
    /// Yields no endpoint any more, and after `wait` goes away.
    pub(crate) async fn lose(self, wait: Duration) {
        self.0.replace([]);
        tokio::time::sleep(wait).await;
    }
}

/// Nanoseconds that choosing one of `endpoints` idle replicas takes, with the accounting of its call
/// and the look at the clock.
pub(crate) fn pick_ns(endpoints: u16) -> f64 {
    let now = Instant::now();
    let endpoints: Vec<_> = (0..endpoints).map(|number| Arc::new(endpoint(number, now))).collect();
    let picker = PeakEwma::seeded(1).picker(&endpoints, now);
    let begun = Instant::now();
    for _ in 0..PICKS {
        let args = PickArgs { endpoints: &endpoints, tried: &[], hash: None, now: Instant::now() };
        let picked = picker.pick(std::hint::black_box(&args));
        if let Some(endpoint) = picked.and_then(|index| endpoints.get(index)) {
            drop(std::hint::black_box(endpoint.load().begin()));
        }
    }
    begun.elapsed().as_secs_f64() * 1e9 / f64::from(PICKS)
}

fn endpoint(number: u16, now: Instant) -> Endpoint {
    let [high, low] = number.to_be_bytes();
    let member = Member::new(SocketAddr::from(([127, 1, high, low], 1)));
    Endpoint::detached(member, SlowStart { window: Duration::ZERO, ..SlowStart::default() }, now)
}
