//! The stride's order against a slow model that keeps a balance for each endpoint.

use proptest::prelude::*;

use super::*;

/// Each generation pays every endpoint its weight; who can pay the price of a call takes one.
fn model(weights: &[u16], calls: usize) -> Vec<usize> {
    let mut balances: Vec<u64> = (0..weights.len() as u64).map(|index| index * PHASE_STEP % SCALE).collect();
    let mut order = Vec::new();
    while order.len() < calls {
        for (index, balance) in balances.iter_mut().enumerate() {
            *balance += u64::from(weights[index]);
            if *balance >= SCALE {
                *balance -= SCALE;
                order.push(index);
            }
        }
    }
    order.truncate(calls);
    order
}

proptest! {
    #[test]
    fn the_order_is_that_of_the_slow_model(weights in prop::collection::vec(1_u32..100, 2..12)) {
        let weights: Vec<_> = weights.into_iter().map(f64::from).collect();
        prop_assume!(weights.windows(2).any(|pair| (pair[0] - pair[1]).abs() > 0.5));
        let stride = Stride::new(&weights, 0);
        let order: Vec<_> = (0..500).map(|_| stride.next()).collect();
        prop_assert_eq!(order, model(&scaled(&weights), 500));
    }

    #[test]
    fn after_any_number_of_calls_each_endpoint_is_near_its_share(
        weights in prop::collection::vec(1_u32..10, 2..8), start: u64, calls in 1_usize..3000,
    ) {
        let exact: Vec<_> = weights.iter().copied().map(f64::from).collect();
        let stride = Stride::new(&exact, start);
        let mut counts = vec![0; weights.len()];
        for _ in 0..calls {
            counts[stride.next()] += 1;
        }
        let total: f64 = exact.iter().sum();
        for (count, weight) in counts.iter().zip(&exact) {
            let share = calls as f64 * weight / total;
            // Two generations are cut off at the ends, each with one call at the most.
            prop_assert!((f64::from(*count) - share).abs() <= 2.0 + weights.len() as f64 * weight / total);
        }
    }
}

#[test]
fn an_endpoint_without_a_weight_gets_the_mean() {
    assert_eq!(scaled(&[10.0, 0.0, 30.0]), [21_845, 43_690, 65_535]);
}

#[test]
fn with_fewer_than_two_weights_or_equal_ones_the_order_is_plain() {
    for weights in [&[0.0, 0.0, 5.0][..], &[2.0, 2.0, 2.0], &[0.0; 3]] {
        let stride = Stride::new(weights, 0);
        assert_eq!((0..7).map(|_| stride.next()).collect::<Vec<_>>(), [0, 1, 2, 0, 1, 2, 0]);
    }
}

#[test]
fn no_weight_makes_a_pick_slow() {
    let mut weights = vec![1.0; 1000];
    weights[7] = 1e12;
    let stride = Stride::new(&weights, 0);
    let mut heavy = 0;
    for _ in 0..10_000 {
        let before = stride.sequence.load(Ordering::Relaxed);
        heavy += usize::from(stride.next() == 7);
        let steps = stride.sequence.load(Ordering::Relaxed) - before;
        assert!(steps <= 30, "{steps}");
    }
    assert!((95..=105).contains(&heavy), "{heavy}");
}

#[test]
fn threads_that_share_the_order_lose_no_call() {
    let stride = Stride::new(&[1.0, 2.0, 3.0], 0);
    let counts: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut counts = [0_usize; 3];
                    (0..15_000).for_each(|_| counts[stride.next()] += 1);
                    counts
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let sum = |index: usize| counts.iter().map(|counts| counts[index]).sum::<usize>();
    for (index, expected) in [10_000, 20_000, 30_000].into_iter().enumerate() {
        assert!(sum(index).abs_diff(expected) <= 2, "{counts:?}");
    }
}
