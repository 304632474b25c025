//! The adaptive limit against a server that bears a known number of calls at once.

use proptest::prelude::*;

use super::*;

/// A server that works on `capacity` calls at once, each for `service_ms`; more of them wait for each other.
///
/// Its calls are never fewer than the limit allows: what `offered` would like, and the limit lets in.
struct Server {
    limit: Concurrency,
    now: Instant,
    capacity: f64,
    service_ms: f64,
    offered: usize,
}

impl Server {
    fn new(max: usize, capacity: f64, service_ms: f64) -> Self {
        let now = Instant::now();
        Self { limit: Concurrency::new(max, now), now, capacity, service_ms, offered: usize::MAX }
    }

    /// Runs for a window, with `noise` (a factor per call) on its latency.
    fn window(&mut self, noise: &[f64]) {
        let in_flight = self.limit.limit().min(self.offered);
        let slow = (in_flight as f64 / self.capacity).max(1.0);
        let began = self.now;
        for number in 0..SAMPLES_MIN + 5 {
            let latency = self.service_ms * slow * noise[number % noise.len()];
            let ended = began + WINDOW + Duration::from_secs_f64(latency / 1e3);
            self.now = self.now.max(ended);
            let began = ended - Duration::from_secs_f64(latency / 1e3);
            self.limit.record(Sample { began, ended, in_flight });
        }
    }

    fn run(&mut self, seconds: u64) {
        let until = self.now + Duration::from_secs(seconds);
        while self.now < until {
            self.window(&[1.0]);
        }
    }
}

/// Where the rule comes to rest: `limit = 1.25 x capacity + sqrt(limit)`.
fn rest(capacity: f64) -> f64 {
    (0..100).fold(capacity, |limit, _| TOLERANCE * capacity + f64::sqrt(limit))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_limit_stays_between_its_bounds_whatever_is_measured(
        max in 1_usize..5_000,
        calls in prop::collection::vec((0_u64..400, 0_u64..5_000, 1_usize..5_000), 1..2_000),
    ) {
        let mut now = Instant::now();
        let mut limit = Concurrency::new(max, now);
        now += Duration::from_secs(10);
        for (pause_ms, latency_ms, in_flight) in calls {
            now += Duration::from_millis(pause_ms);
            limit.record(Sample { began: now - Duration::from_millis(latency_ms), ended: now, in_flight });
            prop_assert!((16.min(max)..=max).contains(&limit.limit()), "{} of {max}", limit.limit());
        }
    }

    #[test]
    fn an_overloaded_server_comes_to_rest_a_little_above_what_it_bears(
        capacity in 20_f64..800.0,
        service_ms in 1_f64..200.0,
    ) {
        let mut server = Server::new(2_000, capacity, service_ms);
        server.run(600);
        let (limit, rest) = (server.limit.limit() as f64, rest(capacity));
        prop_assert!(limit >= capacity.floor() && limit <= 1.3 * rest, "{limit}, at rest {rest}, bears {capacity}");
    }

    #[test]
    fn where_nothing_waits_the_limit_grows_to_the_maximum_whatever_the_noise(
        max in 1_usize..2_000,
        noise in prop::collection::vec(0.95_f64..1.05, 128),
    ) {
        let mut server = Server::new(max, f64::INFINITY, 5.0);
        let mut before = server.limit.limit();
        for _ in 0..100 {
            server.window(&noise);
            prop_assert!(server.limit.limit() >= before);
            before = server.limit.limit();
        }
        prop_assert_eq!(server.limit.limit(), max);
    }

    #[test]
    fn the_median_is_that_of_the_latest_calls(latencies in prop::collection::vec(0_u64..1_000, 1..400)) {
        let now = Instant::now();
        let mut window = Window::new(now);
        for latency in &latencies {
            window.add(Sample { began: now, ended: now + Duration::from_millis(*latency), in_flight: 1 });
        }
        let mut latest: Vec<u64> = latencies.iter().rev().take(SAMPLES_MAX).copied().collect();
        latest.sort_unstable();
        prop_assert_eq!(window.median(), Duration::from_millis(latest[latest.len() / 2]));
    }
}

#[test]
fn a_limit_that_nobody_comes_near_is_left_alone() {
    let mut server = Server::new(1_000, 1.0, 5.0);
    server.offered = 20;
    for _ in 0..50 {
        server.window(&[1.0]);
        assert_eq!(server.limit.limit(), 64);
    }
}

#[test]
fn a_server_that_slows_down_lets_in_fewer_at_once() {
    let mut server = Server::new(1_000, 200.0, 5.0);
    server.run(20);
    let before = server.limit.limit();
    server.capacity = 50.0;
    // The calls of the window that is open were still quick ones.
    server.window(&[1.0]);
    server.window(&[1.0]);
    assert!(server.limit.limit() <= before / 2 + 20, "{before} then {}", server.limit.limit());
}

#[test]
fn work_that_has_become_longer_is_no_overload_once_the_baseline_is_measured_again() {
    let mut server = Server::new(500, 10_000.0, 5.0);
    server.run(10);
    assert_eq!(server.limit.limit(), 500);
    server.service_ms = 20.0;
    server.window(&[1.0]);
    server.window(&[1.0]);
    server.window(&[1.0]);
    assert!(server.limit.limit() < 250, "{}", server.limit.limit());
    server.run(60);
    assert_eq!(server.limit.limit(), 500);
}
