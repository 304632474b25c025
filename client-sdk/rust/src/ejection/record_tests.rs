//! What a record promises to the calls and threads that share it.

use std::sync::atomic::AtomicUsize;

use proptest::prelude::*;

use super::*;
use crate::ejection::{Event, Reason, Set};

fn three_in_a_row() -> Settings {
    Settings {
        success_rate: None,
        failure_percentage: None,
        consecutive_failures: Some(3),
        ..Settings::default()
    }
}

#[test]
fn an_endpoint_comes_back_step_by_step() {
    let settings = three_in_a_row();
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let (record, peer) = (Record::new(start), Record::new(start));
    let set = Set { settings: &settings, records: &[&record, &peer] };
    let sweep = |seconds| set.sweep(at(seconds), &mut || 0.0);

    let signals = [(); 3].map(|()| record.failure(&settings));
    assert_eq!(signals, [Signal::Nothing, Signal::Nothing, Signal::ConsecutiveFailures]);
    assert!(record.allows(7));
    let ejected = |until, times, reason| Event::Ejected { reason, until: at(until), times };
    let event = set.judge(0, signals[2], start).unwrap().event;
    assert_eq!(event, ejected(30, 1, Reason::ConsecutiveFailures));
    assert_eq!(record.state(), State::Ejected { until: at(30), times: 1 });

    assert_eq!(sweep(30), []);
    assert!(!record.allows(0));
    assert_eq!(record.success(), Signal::Nothing, "an older call does not end the ejection");
    assert_eq!(sweep(31)[0].event, Event::Probing);
    assert!(record.allows(0) && !record.allows(1), "one call at a time");

    let failed = record.ended(Code::Unavailable, &settings);
    assert_eq!(failed, Signal::ProbeFailed);
    assert_eq!(set.judge(0, failed, at(31)).unwrap().event, ejected(91, 2, Reason::ProbeFailed));
    assert_eq!(set.judge(0, failed, at(31)), None, "a second failure of the same moment is void");

    assert_eq!(sweep(92)[0].event, Event::Probing);
    assert_eq!(record.ended(Code::Cancelled, &settings), Signal::Nothing);
    let succeeded = record.ended(Code::NotFound, &settings);
    assert_eq!(succeeded, Signal::ProbeSucceeded);
    assert_eq!(set.judge(0, succeeded, at(92)).unwrap().event, Event::Returned);
    assert_eq!((record.state(), record.allows(7)), (State::Healthy, true));
    assert_eq!(set.judge(0, succeeded, at(92)), None);

    // What it was ejected for counts until as many quiet intervals have passed.
    assert_eq!(sweep(93), []);
    let event = set.judge(0, Signal::ConsecutiveFailures, at(94)).unwrap().event;
    assert_eq!(event, ejected(154, 2, Reason::ConsecutiveFailures));
}

#[test]
fn an_answer_between_failures_begins_the_row_anew_and_a_cancelled_call_does_not() {
    let settings = three_in_a_row();
    let record = Record::new(Instant::now());
    let codes = [
        Code::Internal,
        Code::Unknown,
        Code::ResourceExhausted,
        Code::Internal,
        Code::DataLoss,
        Code::Cancelled,
        Code::DeadlineExceeded,
    ];
    let signals = codes.map(|code| record.ended(code, &settings));
    assert_eq!(signals[..6], [Signal::Nothing; 6]);
    assert_eq!(signals[6], Signal::ConsecutiveFailures);
    assert_eq!(record.take_tally(), Tally { successes: 1, failures: 5 });
    assert_eq!(record.take_tally(), Tally::default());
}

#[test]
fn without_a_threshold_no_row_of_failures_is_reported() {
    let settings = Settings { consecutive_failures: None, ..three_in_a_row() };
    let record = Record::new(Instant::now());
    assert!((0..100).all(|_| record.failure(&settings) == Signal::Nothing));
}

#[test]
fn an_ejection_ends_no_earlier_than_after_its_last_fraction_of_a_millisecond() {
    let settings = Settings { base_ejection_time: Duration::from_micros(1_200), ..three_in_a_row() };
    let start = Instant::now();
    let (record, peer) = (Record::new(start), Record::new(start));
    let set = Set { settings: &settings, records: &[&record, &peer] };
    set.judge(0, Signal::ConsecutiveFailures, start).unwrap();
    assert_eq!(record.state(), State::Ejected { until: start + Duration::from_millis(2), times: 1 });
}

#[test]
fn the_longest_time_is_held_without_overflow() {
    let settings = Settings { base_ejection_time: Duration::MAX, ..three_in_a_row() };
    let start = Instant::now();
    let record = Record::new(start);
    record.set_standing(Standing { times: TIMES_MAX, ..Standing::NEW });
    let (until, times) = record.eject(start, &settings);
    assert!(until > start + Duration::from_secs(1_000 * 365 * 86_400));
    assert_eq!((record.state(), times), (State::Ejected { until, times: TIMES_MAX }, TIMES_MAX));
}

#[test]
fn threads_lose_no_call_and_report_each_row_once() {
    const THREADS: u64 = 4;
    const CALLS: u64 = 1_200_000;
    let settings = three_in_a_row();
    let (record, failing) = (Record::new(Instant::now()), Record::new(Instant::now()));
    let rows = AtomicUsize::new(0);
    // Without it a thread may be done before the next one begins.
    let together = std::sync::Barrier::new(THREADS as usize);
    let mut taken = Tally::default();
    let mut take = || {
        let tally = record.take_tally();
        taken.successes += tally.successes;
        taken.failures += tally.failures;
    };
    std::thread::scope(|scope| {
        let calls = |thread: u64| {
            together.wait();
            for call in 0..CALLS {
                let code = if (call + thread).is_multiple_of(3) { Code::Internal } else { Code::Ok };
                let _counted = record.ended(code, &settings);
                if failing.failure(&settings) == Signal::ConsecutiveFailures {
                    rows.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || calls(thread))).collect();
        while threads.iter().any(|thread| !thread.is_finished()) {
            take();
        }
    });
    take();
    let failures = THREADS * CALLS / 3;
    assert_eq!(taken, Tally { successes: THREADS * CALLS - failures, failures });
    assert_eq!(rows.into_inner() as u64, THREADS * CALLS / 3);
}

#[test]
fn of_many_threads_whose_calls_fail_a_probe_only_one_ejects() {
    let settings = three_in_a_row();
    let start = Instant::now();
    let (record, peer) = (Record::new(start), Record::new(start));
    let set = Set { settings: &settings, records: &[&record, &peer] };
    let lock = std::sync::Mutex::new(());
    for round in 1..=50 {
        record.set_standing(Standing { phase: Phase::Probing, times: round, until_ms: 0 });
        let changes: Vec<_> = std::thread::scope(|scope| {
            let call = || {
                let signal = record.failure(&settings);
                let _held = lock.lock().unwrap();
                set.judge(0, signal, start)
            };
            let threads = [(); 4].map(|()| scope.spawn(call));
            threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(changes.len(), 1, "{changes:?}");
        assert!(matches!(record.state(), State::Ejected { times, .. } if times == round + 1));
    }
}

proptest! {
    #[test]
    fn a_standing_is_read_as_it_was_written(
        phase in prop::sample::select(vec![Phase::Healthy, Phase::Ejected, Phase::Probing]),
        times in 0..=TIMES_MAX, until_ms in 0..=UNTIL_MS_MAX,
    ) {
        let standing = Standing { phase, times, until_ms };
        prop_assert_eq!(Standing::from_bits(standing.to_bits()), standing);
    }
}
