//! How a subject stands in the periods that run now.

use super::{Store, counters::Counters};
use crate::{error::Error, limit::Count, meter::Meter, window::Window};

/// More limits than a subject can have: each meter in each window.
const LIMITS_MAX: i64 = 12;

impl Store {
    /// The counts of `subject` in the periods at `now_us`, of each meter and window, by meter and window.
    pub(crate) async fn usage(&self, subject: &str, now_us: i64) -> Result<Vec<Count>, Error> {
        let counters = Counters { subject, at_us: now_us, defaults: &self.defaults };
        let counts = counters.find(self.database.reads()).await?;
        let limits = self.limits_of(subject, None, LIMITS_MAX).await?;
        let places = Meter::ALL.into_iter().flat_map(|meter| Window::ALL.map(|window| (meter, window)));
        let usage = places.map(|(meter, window)| {
            let counted = counts.iter().find(|count| count.meter == meter && count.window == window);
            counted.copied().unwrap_or_else(|| {
                let set = limits.iter().find(|limit| limit.meter == meter && limit.window == window);
                Count::zero(meter, window, now_us).limited(set.map(|limit| limit.amount), &self.defaults)
            })
        });
        Ok(usage.collect())
    }
}
