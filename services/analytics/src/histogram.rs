//! Distributions that can be added up: counts in buckets whose bounds grow geometrically.
//!
//! Source: Masson, Rim and Lee, "`DDSketch`: a fast and fully-mergeable quantile sketch with relative-error
//! guarantees", VLDB 2019. Buckets are plain rows, so that days and users add up in SQL, and a percentile
//! outlives the values it came from.

use std::collections::BTreeMap;

/// How far a percentile may be from the exact one, as a share of it.
pub const ACCURACY: f64 = 0.01;
/// The largest value that is measured: eleven days in milliseconds, or a long book in characters.
pub const VALUE_MAX: i64 = 1_000_000_000;

/// The bucket of zero, below that of one.
const ZERO_BUCKET: i64 = -1;

/// The ratio between the bounds of neighbouring buckets.
fn ratio() -> f64 {
    (1.0 + ACCURACY) / (1.0 - ACCURACY)
}

/// The bucket that holds `value`, which lies in 0 to [`VALUE_MAX`].
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "values end far below 2^52, buckets near 1,037"
)]
pub fn bucket(value: i64) -> i64 {
    if value < 1 { ZERO_BUCKET } else { ((value as f64).ln() / ratio().ln()).ceil() as i64 }
}

/// The value that stands for all of `bucket`: within [`ACCURACY`] of each.
#[expect(clippy::cast_precision_loss, reason = "buckets end near 1,037")]
fn middle(bucket: i64) -> f64 {
    if bucket == ZERO_BUCKET { 0.0 } else { 2.0 * (bucket as f64 * ratio().ln()).exp() / (ratio() + 1.0) }
}

/// How the values of a measure are spread.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    counts: BTreeMap<i64, i64>,
    count: i64,
    sum: i64,
}

impl Histogram {
    /// Adds `count` values of `bucket` whose sum is `sum`.
    pub fn add_bucket(&mut self, bucket: i64, count: i64, sum: i64) {
        *self.counts.entry(bucket).or_default() += count;
        self.count += count;
        self.sum += sum;
    }

    /// Adds all values of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.counts {
            *self.counts.entry(*bucket).or_default() += count;
        }
        self.count += other.count;
        self.sum += other.sum;
    }

    /// How many values there are.
    #[must_use]
    pub fn count(&self) -> i64 {
        self.count
    }

    /// The exact mean; 0 without values.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a mean needs no more than 52 bits")]
    pub fn average(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum as f64 / self.count as f64 }
    }

    /// The value below which the share `q` (0 to 1) of all lies, within [`ACCURACY`]; 0 without values.
    ///
    /// It stands for the value at position `floor(q * (count - 1))` in order.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a rank needs no more than 52 bits")]
    pub fn quantile(&self, q: f64) -> f64 {
        let rank = q * (self.count - 1) as f64;
        let mut below = 0_i64;
        for (bucket, count) in &self.counts {
            below += count;
            if below as f64 > rank {
                return middle(*bucket);
            }
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[i64]) -> Histogram {
        let mut histogram = Histogram::default();
        for value in values {
            histogram.add_bucket(bucket(*value), 1, *value);
        }
        histogram
    }

    fn values() -> impl Strategy<Value = Vec<i64>> {
        let value = prop_oneof![Just(0), 1_i64..20, 1_i64..5_000, 1_i64..=VALUE_MAX];
        prop::collection::vec(value, 1..300)
    }

    proptest! {
        #[test]
        fn a_percentile_is_within_one_percent_of_the_exact_one(mut values in values(), q in 0.0_f64..=1.0) {
            let estimate = of(&values).quantile(q);
            values.sort_unstable();
            let exact = values[(q * (values.len() - 1) as f64).floor() as usize] as f64;
            prop_assert!((estimate - exact).abs() <= exact * (ACCURACY + 1e-9), "{estimate} for {exact}");
        }

        #[test]
        fn merging_is_the_same_as_counting_together(left in values(), right in values()) {
            let mut merged = of(&left);
            merged.merge(&of(&right));
            prop_assert_eq!(merged, of(&[left, right].concat()));
        }

        #[test]
        fn count_and_average_are_exact(values in values()) {
            let histogram = of(&values);
            prop_assert_eq!(histogram.count(), values.len() as i64);
            let exact = values.iter().sum::<i64>() as f64 / values.len() as f64;
            prop_assert!((histogram.average() - exact).abs() < 1e-6);
        }
    }

    #[test]
    fn nothing_measured_is_all_zero() {
        let empty = Histogram::default();
        assert_eq!((empty.count(), empty.average(), empty.quantile(0.5)), (0, 0.0, 0.0));
    }
}
