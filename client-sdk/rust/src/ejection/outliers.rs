//! The statistics of gRFC A50: which of many tallies are outliers.

use super::{FailurePercentage, SuccessRate, record::Tally};

impl SuccessRate {
    /// Marks each tally that is an outlier.
    pub(super) fn outliers(&self, tallies: &[Tally]) -> Vec<bool> {
        let rates = rates(tallies, self.request_volume);
        let judged: Vec<f64> = rates.iter().copied().flatten().collect();
        if judged.is_empty() || (judged.len() as u64) < u64::from(self.minimum_hosts) {
            return vec![false; tallies.len()];
        }
        let count = as_f64(judged.len() as u64);
        let mean = judged.iter().sum::<f64>() / count;
        let variance = judged.iter().map(|rate| (rate - mean).powi(2)).sum::<f64>() / count;
        let lowest = mean - variance.sqrt() * f64::from(self.stdev_factor) / 1000.0;
        rates.iter().map(|rate| rate.is_some_and(|rate| rate < lowest)).collect()
    }
}

impl FailurePercentage {
    /// Marks each tally that is an outlier.
    pub(super) fn outliers(&self, tallies: &[Tally]) -> Vec<bool> {
        let judged = tallies.iter().filter(|tally| tally.has(self.request_volume)).count();
        if (judged as u64) < u64::from(self.minimum_hosts) {
            return vec![false; tallies.len()];
        }
        let is_outlier = |tally: &Tally| {
            // In whole numbers, so that exactly the threshold is never beyond it.
            let limit = tally.total() * u64::from(self.threshold);
            tally.has(self.request_volume) && tally.failures * 100 > limit
        };
        tallies.iter().map(is_outlier).collect()
    }
}

/// The share of successes of each tally that has the volume, from 0 to 1.
fn rates(tallies: &[Tally], request_volume: u32) -> Vec<Option<f64>> {
    let rate =
        |tally: &Tally| tally.has(request_volume).then(|| as_f64(tally.successes) / as_f64(tally.total()));
    tallies.iter().map(rate).collect()
}

#[expect(clippy::cast_precision_loss, reason = "tallies have 32 bits")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

impl Tally {
    fn total(self) -> u64 {
        self.successes + self.failures
    }

    /// Without a single call there is no rate, even where no volume is asked for.
    fn has(self, request_volume: u32) -> bool {
        self.total() >= u64::from(request_volume.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tallies(rates: &[(u64, u64)]) -> Vec<Tally> {
        rates.iter().map(|&(successes, failures)| Tally { successes, failures }).collect()
    }

    #[test]
    fn the_only_bad_one_of_five_is_an_outlier_and_of_four_it_cannot_be() {
        let settings = SuccessRate { minimum_hosts: 1, ..SuccessRate::default() };
        let five = tallies(&[(100, 0), (100, 0), (0, 100), (100, 0), (100, 0)]);
        assert_eq!(settings.outliers(&five), [false, false, true, false, false]);
        assert_eq!(settings.outliers(&five[..4]), [false; 4]);
    }

    #[test]
    fn with_two_bad_ones_of_five_only_the_failure_percentage_finds_them() {
        let five = tallies(&[(0, 100), (100, 0), (0, 100), (100, 0), (100, 0)]);
        assert_eq!(SuccessRate::default().outliers(&five), [false; 5]);
        assert_eq!(FailurePercentage::default().outliers(&five), [true, false, true, false, false]);
    }

    #[test]
    fn exactly_the_threshold_is_no_outlier() {
        let set = tallies(&[(15, 85), (14, 86), (100, 0), (100, 0), (100, 0)]);
        assert_eq!(FailurePercentage::default().outliers(&set), [false, true, false, false, false]);
    }

    #[test]
    fn too_few_calls_or_endpoints_are_not_judged() {
        let rate = SuccessRate { minimum_hosts: 5, ..SuccessRate::default() };
        let share =
            FailurePercentage { minimum_hosts: 5, request_volume: 100, ..FailurePercentage::default() };
        let mut set = tallies(&[(0, 100), (100, 0), (100, 0), (100, 0), (99, 0)]);
        assert_eq!((rate.outliers(&set), share.outliers(&set)), (vec![false; 5], vec![false; 5]));
        set[4].successes = 100;
        let first = [true, false, false, false, false];
        assert_eq!((rate.outliers(&set), share.outliers(&set)), (first.to_vec(), first.to_vec()));
        set.push(Tally { successes: 0, failures: 99 });
        assert!(!rate.outliers(&set)[5] && !share.outliers(&set)[5]);
    }

    #[test]
    fn an_endpoint_without_calls_has_no_rate_even_where_no_volume_is_asked_for() {
        let rate = SuccessRate { minimum_hosts: 0, request_volume: 0, ..SuccessRate::default() };
        let mut set = tallies(&[(0, 100), (100, 0), (100, 0), (100, 0), (100, 0), (0, 0)]);
        assert_eq!(rate.outliers(&set), [true, false, false, false, false, false]);
        set.truncate(0);
        assert!(rate.outliers(&set).is_empty());
    }
}
