//! What every picker promises, over random sets of candidates.

use std::{sync::Arc, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::load::InFlight;

struct Set {
    address: Address,
    loads: Vec<Arc<Load>>,
    ready: Vec<bool>,
    calls: Vec<InFlight>,
}

impl Set {
    fn new(replicas: &[(bool, usize)]) -> Self {
        let loads: Vec<_> = replicas.iter().map(|_| Arc::new(Load::new())).collect();
        let calls = replicas
            .iter()
            .zip(&loads)
            .flat_map(|((_, in_flight), load)| (0..*in_flight).map(|_| load.begin()))
            .collect();
        let ready = replicas.iter().map(|(ready, _)| *ready).collect();
        Self { address: "replica:1".parse().unwrap(), loads, ready, calls }
    }
}

impl Candidates for Set {
    fn count(&self) -> usize {
        self.loads.len()
    }

    fn get(&self, index: usize) -> Candidate<'_> {
        Candidate { address: &self.address, is_ready: self.ready[index], load: &self.loads[index] }
    }
}

proptest! {
    #[test]
    fn only_a_ready_candidate_is_picked_and_one_is_whenever_there_is_one(
        seed in any::<u64>(),
        replicas in prop::collection::vec((any::<bool>(), 0_usize..5), 0..12),
    ) {
        let set = Set::new(&replicas);
        let picker = TwoChoices::seeded(seed);
        for _ in 0..20 {
            match picker.pick(&set) {
                Some(index) => prop_assert!(set.ready[index]),
                None => prop_assert!(!set.ready.contains(&true)),
            }
        }
    }

    #[test]
    fn of_two_ready_candidates_the_less_loaded_is_picked(
        seed in any::<u64>(), fewer in 0_usize..20, more in 1_usize..20, swap in any::<bool>(),
    ) {
        let (idle, busy) = ((true, fewer), (true, fewer + more));
        let set = Set::new(&if swap { [busy, idle] } else { [idle, busy] });
        prop_assert_eq!(set.calls.len(), 2 * fewer + more);
        prop_assert_eq!(TwoChoices::seeded(seed).pick(&set), Some(usize::from(swap)));
    }

    #[test]
    fn of_two_ready_candidates_the_faster_is_picked(
        seed in any::<u64>(), fast_ms in 31_u64..1000, slower_ms in 10_u64..1000, swap in any::<bool>(),
    ) {
        let set = Set::new(&[(true, 1), (true, 1)]);
        set.loads[usize::from(swap)].record(Duration::from_millis(fast_ms));
        set.loads[usize::from(!swap)].record(Duration::from_millis(fast_ms + slower_ms));
        prop_assert_eq!(TwoChoices::seeded(seed).pick(&set), Some(usize::from(swap)));
    }

    #[test]
    fn equal_candidates_all_get_calls(seed in any::<u64>(), count in 1_usize..8) {
        let set = Set::new(&vec![(true, 0); count]);
        let picker = TwoChoices::seeded(seed);
        let mut picks = vec![0; count];
        for _ in 0..1000 {
            picks[picker.pick(&set).unwrap()] += 1;
        }
        prop_assert!(picks.iter().all(|&share| share > 40), "{picks:?}");
    }
}
