//! No pick of any policy allocates.

use std::time::Duration;

use tokio::time::Instant;

use super::{HashKey, LeastRequest, PeakEwma, PickArgs, Policy, Prequal, Probe, RingHash, RoundRobin};
use super::{WeightedRoundRobin, fixture::*};

#[test]
fn no_pick_allocates_whatever_the_policy_and_the_state_of_the_endpoints() {
    let policies: [Box<dyn Policy>; 6] = [
        Box::new(PeakEwma::seeded(1)),
        Box::new(LeastRequest::seeded(5, 1)),
        Box::new(RoundRobin::seeded(1)),
        Box::new(WeightedRoundRobin::seeded(1)),
        Box::new(RingHash::seeded(HashKey::Field(1), 1)),
        Box::new(Prequal::seeded(1)),
    ];
    let start = Instant::now();
    for count in [0, 1, 3, 100] {
        let endpoints: Vec<_> = (0..count).map(|number| endpoint(number, 1 + number as u32 % 3)).collect();
        endpoints.iter().step_by(3).skip(1).for_each(|endpoint| set_available(endpoint, false));
        let tried: Vec<_> = endpoints.iter().take(1).map(|endpoint| endpoint.address().clone()).collect();
        for policy in &policies {
            let picker = policy.picker(&endpoints, start);
            for index in 0..count {
                let probe = Probe { in_flight: index, latency: Duration::from_millis(1) };
                picker.observe(index, probe, start);
            }
            let mut picked = 0;
            let allocations = allocation_counter::measure(|| {
                for millisecond in 0..2000 {
                    let now = start + Duration::from_millis(millisecond);
                    let hash = Some(millisecond << 50);
                    for tried in [&[][..], &tried] {
                        let args = PickArgs { hash, tried, ..args(&endpoints, now) };
                        picked += usize::from(picker.pick(&args).is_some());
                        picked += picker.probe_targets(&args).into_iter().count();
                    }
                }
            });
            assert_eq!(allocations.count_total, 0, "{count} endpoints");
            assert!(picked >= 2000 * usize::from(count > 0));
        }
    }
    // The counter counts.
    assert_eq!(allocation_counter::measure(|| drop(Box::new(picked_box()))).count_total, 1);
}

fn picked_box() -> u64 {
    std::hint::black_box(7)
}
