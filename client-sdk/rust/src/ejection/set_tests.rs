//! Sets of endpoints against a slow model that is written down as gRFC A50 words it.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::ejection::{FailurePercentage, SuccessRate};

/// One address of the map in A50, with the two additions: a row of failures, and probation.
#[derive(Clone, Debug, Default)]
struct Host {
    active: (u64, u64),
    inactive: (u64, u64),
    row: u32,
    ejected_at_ms: Option<u64>,
    multiplier: u32,
    is_probing: bool,
}

struct Model {
    settings: Settings,
    hosts: Vec<Host>,
}

impl Model {
    fn is_aside(host: &Host) -> bool {
        host.ejected_at_ms.is_some() || host.is_probing
    }

    fn try_eject(&mut self, index: usize, now_ms: u64, draw: &mut dyn FnMut() -> bool) -> bool {
        let aside = self.hosts.iter().filter(|host| Self::is_aside(host)).count();
        let percent = 100.0 * aside as f64 / self.hosts.len() as f64;
        if Self::is_aside(&self.hosts[index]) || percent >= f64::from(self.settings.max_ejection_percent) {
            return false;
        }
        if aside + 1 == self.hosts.len() || !draw() {
            return false;
        }
        self.eject(index, now_ms);
        true
    }

    fn eject(&mut self, index: usize, now_ms: u64) {
        let host = &mut self.hosts[index];
        (host.ejected_at_ms, host.is_probing, host.row) = (Some(now_ms), false, 0);
        host.multiplier += 1;
    }

    fn call(&mut self, index: usize, succeeds: bool, now_ms: u64) {
        let threshold = self.settings.consecutive_failures;
        let host = &mut self.hosts[index];
        if succeeds {
            host.active.0 += 1;
            (host.row, host.is_probing) = (0, false);
            return;
        }
        host.active.1 += 1;
        host.row += 1;
        if host.is_probing {
            self.eject(index, now_ms);
        } else if host.ejected_at_ms.is_none()
            && threshold.is_some_and(|threshold| host.row.is_multiple_of(threshold))
        {
            self.try_eject(index, now_ms, &mut || true);
        }
    }

    fn volume(&self, index: usize) -> u64 {
        self.hosts[index].inactive.0 + self.hosts[index].inactive.1
    }

    fn with_volume(&self, volume: u32) -> Vec<usize> {
        (0..self.hosts.len()).filter(|&index| self.volume(index) >= u64::from(volume.max(1))).collect()
    }

    fn sweep(&mut self, now_ms: u64, random: &mut dyn FnMut() -> f64) {
        for host in &mut self.hosts {
            host.inactive = std::mem::take(&mut host.active);
        }
        if let Some(rate) = self.settings.success_rate {
            let judged = self.with_volume(rate.request_volume);
            let fraction = |model: &Self, index: usize| {
                model.hosts[index].inactive.0 as f64 / model.volume(index) as f64
            };
            let mean = judged.iter().map(|&index| fraction(self, index)).sum::<f64>() / judged.len() as f64;
            let squares = judged.iter().map(|&index| (fraction(self, index) - mean).powi(2)).sum::<f64>();
            let stdev = (squares / judged.len() as f64).sqrt();
            let required = mean - stdev * f64::from(rate.stdev_factor) / 1000.0;
            if judged.len() >= rate.minimum_hosts as usize {
                for index in
                    judged.into_iter().filter(|&index| fraction(self, index) < required).collect::<Vec<_>>()
                {
                    let enforced = u64::from(rate.enforcement_percentage);
                    self.try_eject(index, now_ms, &mut || ((random() * 100.0).floor() as u64) < enforced);
                }
            }
        }
        if let Some(share) = self.settings.failure_percentage {
            let judged = self.with_volume(share.request_volume);
            if judged.len() >= share.minimum_hosts as usize {
                for index in judged {
                    let failures = u128::from(self.hosts[index].inactive.1);
                    if failures * 100 > u128::from(share.threshold) * u128::from(self.volume(index)) {
                        let enforced = u64::from(share.enforcement_percentage);
                        self.try_eject(index, now_ms, &mut || ((random() * 100.0).floor() as u64) < enforced);
                    }
                }
            }
        }
        self.end_interval(now_ms);
    }

    fn end_interval(&mut self, now_ms: u64) {
        let base = self.settings.base_ejection_time.as_millis() as u64;
        let max = self.settings.max_ejection_time.as_millis() as u64;
        for host in &mut self.hosts {
            match host.ejected_at_ms {
                None if !host.is_probing => host.multiplier = host.multiplier.saturating_sub(1),
                Some(at) if now_ms > at + (base * u64::from(host.multiplier)).min(base.max(max)) => {
                    (host.ejected_at_ms, host.is_probing) = (None, true);
                }
                _ => {}
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Calls { host: usize, successes: u32, failures: u32 },
    Sweep { after_ms: u64, draws: Vec<f64> },
}

fn step() -> impl Strategy<Value = Step> {
    let calls = (0_usize..8, 0_u32..30, 0_u32..12).prop_map(|(host, successes, failures)| Step::Calls {
        host,
        successes,
        failures,
    });
    let sweep = (0_u64..60_000, prop::collection::vec(0.0_f64..1.0, 1..5))
        .prop_map(|(after_ms, draws)| Step::Sweep { after_ms, draws });
    prop_oneof![5 => calls, 1 => sweep]
}

fn settings() -> impl Strategy<Value = Settings> {
    let rate = (0_u32..2_500, 0_u32..=100, 0_u32..6, 0_u32..20).prop_map(
        |(stdev_factor, enforcement_percentage, minimum_hosts, request_volume)| SuccessRate {
            stdev_factor,
            enforcement_percentage,
            minimum_hosts,
            request_volume,
        },
    );
    let share = (0_u32..=100, 0_u32..=100, 0_u32..6, 0_u32..20).prop_map(
        |(threshold, enforcement_percentage, minimum_hosts, request_volume)| FailurePercentage {
            threshold,
            enforcement_percentage,
            minimum_hosts,
            request_volume,
        },
    );
    let times = (0_u64..40_000, 0_u64..100_000);
    let row = prop::option::of(1_u32..8);
    (prop::option::of(rate), prop::option::of(share), times, 0_u32..=100, row).prop_map(
        |(
            success_rate,
            failure_percentage,
            (base_ms, max_ms),
            max_ejection_percent,
            consecutive_failures,
        )| {
            Settings {
                base_ejection_time: Duration::from_millis(base_ms),
                max_ejection_time: Duration::from_millis(max_ms),
                max_ejection_percent,
                success_rate,
                failure_percentage,
                consecutive_failures,
                ..Settings::default()
            }
        },
    )
}

fn call(set: &Set<'_>, index: usize, succeeds: bool, now: Instant) -> Option<Change> {
    let record = set.records[index];
    let signal = if succeeds { record.success() } else { record.failure(set.settings) };
    set.judge(index, signal, now)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_set_does_what_the_model_does(
        settings in settings(), count in 1_usize..8, steps in prop::collection::vec(step(), 1..60),
    ) {
        let start = Instant::now();
        let owned: Vec<Record> = (0..count).map(|_| Record::new(start)).collect();
        let records: Vec<&Record> = owned.iter().collect();
        let set = Set { settings: &settings, records: &records };
        let mut model = Model { settings, hosts: vec![Host::default(); count] };
        let mut now_ms = 0;
        for step in steps {
            match step {
                Step::Calls { host, successes, failures } => {
                    let index = host % count;
                    for call_number in 0..successes + failures {
                        let succeeds = call_number < successes;
                        call(&set, index, succeeds, start + Duration::from_millis(now_ms));
                        model.call(index, succeeds, now_ms);
                    }
                }
                Step::Sweep { after_ms, draws } => {
                    now_ms += after_ms;
                    let (mut ours, mut theirs) = (draws.iter().cycle(), draws.iter().cycle());
                    set.sweep(start + Duration::from_millis(now_ms), &mut || *ours.next().unwrap());
                    model.sweep(now_ms, &mut || *theirs.next().unwrap());
                }
            }
            for (record, host) in records.iter().zip(&model.hosts) {
                let standing = record.standing();
                let (is_ejected, is_probing) =
                    (standing.phase == Phase::Ejected, standing.phase == Phase::Probing);
                prop_assert_eq!(
                    (is_ejected, is_probing, standing.times),
                    (host.ejected_at_ms.is_some(), host.is_probing, host.multiplier)
                );
            }
            prop_assert!(records.iter().any(|record| record.state() == State::Healthy));
        }
    }
}

/// Records of which each fails 5 calls in a row, one after the other.
fn all_fail(count: usize, settings: &Settings) -> Vec<Event> {
    let start = Instant::now();
    let owned: Vec<Record> = (0..count).map(|_| Record::new(start)).collect();
    let records: Vec<&Record> = owned.iter().collect();
    let set = Set { settings, records: &records };
    (0..count)
        .flat_map(|index| (0..5).filter_map(move |_| call(&set, index, false, start)))
        .map(|change| change.event)
        .collect()
}

fn ejections(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::Ejected { .. })).count()
}

#[test]
fn of_three_replicas_two_can_be_set_aside_and_the_last_one_stays() {
    let events = all_fail(3, &Settings::default());
    assert_eq!(ejections(&events), 2);
    let reason = Reason::ConsecutiveFailures;
    assert_eq!(events[2], Event::Spared { reason, limit: Limit::MaxEjectionPercent });

    let everything = Settings { max_ejection_percent: 100, ..Settings::default() };
    let events = all_fail(3, &everything);
    assert_eq!(events[2], Event::Spared { reason, limit: Limit::LastEndpoint });
    assert_eq!(all_fail(1, &everything), [Event::Spared { reason, limit: Limit::LastEndpoint }]);
}

#[test]
fn any_share_but_none_allows_one_ejection() {
    let percents = [0, 1, 10, 50, 51, 100];
    let counts = percents.map(|max_ejection_percent| {
        ejections(&all_fail(4, &Settings { max_ejection_percent, ..Settings::default() }))
    });
    assert_eq!(counts, [0, 1, 1, 2, 3, 3]);
}

#[test]
fn an_outlier_that_the_draw_spares_is_reported() {
    let enforced_half = FailurePercentage { enforcement_percentage: 50, ..FailurePercentage::default() };
    let settings = Settings {
        consecutive_failures: None,
        success_rate: None,
        failure_percentage: Some(enforced_half),
        ..Settings::default()
    };
    let start = Instant::now();
    let owned: Vec<Record> = (0..5).map(|_| Record::new(start)).collect();
    let records: Vec<&Record> = owned.iter().collect();
    let set = Set { settings: &settings, records: &records };
    for (index, draw, is_ejected) in [(0, 0.5, false), (0, 0.499, true)] {
        for number in 0..500 {
            call(&set, number % 5, number % 5 != index, start);
        }
        let event = set.sweep(start, &mut || draw)[0].event;
        let spared = Event::Spared { reason: Reason::FailurePercentage, limit: Limit::EnforcementPercentage };
        assert_eq!(matches!(event, Event::Ejected { reason: Reason::FailurePercentage, .. }), is_ejected);
        assert_eq!(event == spared, !is_ejected);
    }
}

#[test]
fn an_ejection_that_a_limit_forbade_is_tried_again_with_the_next_row() {
    let settings = Settings::default();
    let start = Instant::now();
    let owned = [Record::new(start), Record::new(start)];
    let records: Vec<&Record> = owned.iter().collect();
    let set = Set { settings: &settings, records: &records };
    let fails = |index| (0..5).find_map(|_| call(&set, index, false, start)).unwrap().event;
    assert!(matches!(fails(0), Event::Ejected { .. }));
    assert!(matches!(fails(1), Event::Spared { .. }));
    set.sweep(start + Duration::from_secs(31), &mut || 0.0);
    assert!(matches!(fails(1), Event::Spared { .. }), "probation is not health yet");
    assert_eq!(call(&set, 0, true, start).unwrap().event, Event::Returned);
    assert!(matches!(fails(1), Event::Ejected { .. }));
}

#[test]
fn turning_detection_off_brings_all_back_and_forgets() {
    let settings = Settings::default();
    let start = Instant::now();
    let owned = [Record::new(start), Record::new(start)];
    let records: Vec<&Record> = owned.iter().collect();
    let set = Set { settings: &settings, records: &records };
    let _counted: Vec<_> = (0..5).filter_map(|_| call(&set, 0, false, start)).collect();
    assert_eq!(set.clear(), [Change { index: 0, event: Event::Returned }]);
    assert_eq!(owned[0].standing(), Standing::NEW);
    assert_eq!(set.judge(7, Signal::ConsecutiveFailures, start), None);
}
