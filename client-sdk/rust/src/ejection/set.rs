//! Judges all endpoints of a set together: the sweep of gRFC A50, its limits, and probation.

use tokio::time::Instant;

use super::{
    Record, Settings, Signal, State,
    record::{Phase, Standing, Tally},
};

/// The endpoints that are judged together and stand in for each other, such as the connected ones of a
/// channel: one that is not connected cannot carry the calls of one that is set aside.
///
/// Whoever builds one holds the lock under which the states of these records change.
#[derive(Clone, Copy, Debug)]
pub struct Set<'a> {
    /// How they are judged.
    pub settings: &'a Settings,
    /// The endpoints. [`Change`]s name them by their place here.
    pub records: &'a [&'a Record],
}

/// What happened to one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its place in [`Set::records`].
    pub index: usize,
    /// What happened.
    pub event: Event,
}

/// What may happen to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It is set aside (A91: `ejections_enforced`).
    Ejected {
        /// What it is found by.
        reason: Reason,
        /// The first sweep after this lets calls through again.
        until: Instant,
        /// How many times in a row.
        times: u32,
    },
    /// It is an outlier, but stays as it is (A91: `ejections_unenforced`).
    Spared {
        /// What it is found by.
        reason: Reason,
        /// Why it stays.
        limit: Limit,
    },
    /// The time of its ejection has passed: it is given one call at a time.
    Probing,
    /// It gets its full share again.
    Returned,
}

/// By what an outlier is found (A91's `detection_method`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its success rate lies far below that of its peers.
    SuccessRate,
    /// Too large a share of its calls fails.
    FailurePercentage,
    /// Its last calls all failed.
    ConsecutiveFailures,
    /// The call that was to show that it works again failed.
    ProbeFailed,
}

/// Why an outlier is not set aside (A91's `unenforced_reason`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The draw fell outside the enforcement percentage.
    EnforcementPercentage,
    /// As large a share of the set as may be is set aside.
    MaxEjectionPercent,
    /// It is the last healthy one.
    LastEndpoint,
}

impl Set<'_> {
    /// Ends an interval: A50's steps in their order. `random` yields fractions from 0 to less than 1.
    ///
    /// To be called on each interval even when both algorithms are off, since it is what lets endpoints
    /// come back. An endpoint that is set aside already is not set aside twice, and one on probation
    /// counts as set aside: it has shown nothing yet.
    pub fn sweep(&self, now: Instant, random: &mut dyn FnMut() -> f64) -> Vec<Change> {
        let tallies: Vec<Tally> = self.records.iter().map(|record| record.take_tally()).collect();
        let mut changes = Vec::new();
        if let Some(rate) = self.settings.success_rate {
            let mut enforce = || random() * 100.0 < f64::from(rate.enforcement_percentage);
            let outliers = rate.outliers(&tallies);
            changes.extend(self.eject_outliers(&outliers, Reason::SuccessRate, now, &mut enforce));
        }
        if let Some(share) = self.settings.failure_percentage {
            let mut enforce = || random() * 100.0 < f64::from(share.enforcement_percentage);
            let outliers = share.outliers(&tallies);
            changes.extend(self.eject_outliers(&outliers, Reason::FailurePercentage, now, &mut enforce));
        }
        let aged = (0..self.records.len()).filter_map(|index| self.age(index, now));
        changes.extend(aged);
        changes
    }

    /// Acts upon the signal of a call to the endpoint at `index`. A signal whose endpoint has changed
    /// its state since is void.
    pub fn judge(&self, index: usize, signal: Signal, now: Instant) -> Option<Change> {
        let record = *self.records.get(index)?;
        let standing = record.standing();
        match (signal, standing.phase) {
            (Signal::ConsecutiveFailures, Phase::Healthy) => {
                let event = match self.limit() {
                    Some(limit) => Event::Spared { reason: Reason::ConsecutiveFailures, limit },
                    None => self.eject(record, Reason::ConsecutiveFailures, now),
                };
                Some(Change { index, event })
            }
            (Signal::ProbeSucceeded, Phase::Probing) => {
                record.set_standing(Standing { phase: Phase::Healthy, ..standing });
                Some(Change { index, event: Event::Returned })
            }
            // It is set aside already, so no limit can be exceeded.
            (Signal::ProbeFailed, Phase::Probing) => {
                Some(Change { index, event: self.eject(record, Reason::ProbeFailed, now) })
            }
            _ => None,
        }
    }

    /// Lets every endpoint come back and forgets past ejections, for when detection is turned off.
    pub fn clear(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        for (index, record) in self.records.iter().enumerate() {
            if record.standing().phase != Phase::Healthy {
                changes.push(Change { index, event: Event::Returned });
            }
            record.set_standing(Standing::NEW);
        }
        changes
    }

    fn eject_outliers(
        &self,
        outliers: &[bool],
        reason: Reason,
        now: Instant,
        enforce: &mut dyn FnMut() -> bool,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        for (index, record) in self.records.iter().enumerate() {
            if !outliers[index] || record.standing().phase != Phase::Healthy {
                continue;
            }
            let event = match self.limit() {
                Some(limit) => Event::Spared { reason, limit },
                None if !enforce() => Event::Spared { reason, limit: Limit::EnforcementPercentage },
                None => self.eject(record, reason, now),
            };
            changes.push(Change { index, event });
        }
        changes
    }

    /// Why no healthy endpoint may be set aside at present. The last one never is: a set that answers
    /// some calls is better than an empty one.
    fn limit(&self) -> Option<Limit> {
        let healthy = self.records.iter().filter(|record| record.standing().phase == Phase::Healthy).count();
        let aside = (self.records.len() - healthy) as u64;
        if aside * 100 >= u64::from(self.settings.max_ejection_percent) * self.records.len() as u64 {
            return Some(Limit::MaxEjectionPercent);
        }
        (healthy <= 1).then_some(Limit::LastEndpoint)
    }

    fn eject(&self, record: &Record, reason: Reason, now: Instant) -> Event {
        let (until, times) = record.eject(now, self.settings);
        Event::Ejected { reason, until, times }
    }

    /// A quiet interval forgets one ejection; an ejection whose time has passed becomes a probation.
    fn age(&self, index: usize, now: Instant) -> Option<Change> {
        let record = self.records[index];
        let standing = record.standing();
        match record.state() {
            State::Healthy => {
                let times = standing.times.saturating_sub(1);
                record.set_standing(Standing { times, ..standing });
                None
            }
            State::Ejected { until, .. } if now > until => {
                record.set_standing(Standing { phase: Phase::Probing, ..standing });
                Some(Change { index, event: Event::Probing })
            }
            State::Ejected { .. } | State::Probing => None,
        }
    }
}

#[cfg(test)]
#[path = "set_tests.rs"]
mod tests;
