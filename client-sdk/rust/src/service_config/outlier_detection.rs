//! Outlier detection in a service config: the fields, defaults and checks of gRFC A50.

use std::time::Duration;

use super::{
    ServiceConfigError,
    json::{Field, Object},
};

/// The shortest time between two sweeps; shorter ones are raised to it. A50 allows 0, with which a
/// client would do nothing but sweep.
pub const SWEEP_INTERVAL_MIN: Duration = Duration::from_millis(100);

/// The longest ejection when a config names none, unless the base is longer.
const EJECTION_TIME_MAX: Duration = Duration::from_secs(300);

/// What makes an endpoint an outlier, and for how long it gets no calls (gRFC A50).
#[derive(Clone, Debug, PartialEq)]
pub struct OutlierDetection {
    /// The time between sweeps, at least [`SWEEP_INTERVAL_MIN`]. Default: 10 s.
    pub interval: Duration,
    /// The first ejection; each further one is longer by this. Default: 30 s.
    pub base_ejection_time: Duration,
    /// The longest ejection, never less than the base. Default: 300 s.
    pub max_ejection_time: Duration,
    /// The most endpoints ejected at once, in percent; one may always be. Default: 10.
    pub max_ejection_percent: u32,
    /// Ejects those whose success rate lies far below the mean; off when absent.
    pub success_rate: Option<SuccessRateEjection>,
    /// Ejects those that fail too large a share of calls; off when absent.
    pub failure_percentage: Option<FailurePercentageEjection>,
}

/// Ejection by success rate (A50, "Success Rate Algorithm").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuccessRateEjection {
    /// How many standard deviations below the mean, in thousandths. Default: 1900.
    pub stdev_factor_thousandths: u32,
    /// The chance that an outlier is ejected, in percent. Default: 100.
    pub enforcement_percentage: u32,
    /// The fewest endpoints with enough calls. Default: 5.
    pub minimum_hosts: u32,
    /// The fewest calls of an endpoint in one interval. Default: 100.
    pub request_volume: u32,
}

/// Ejection by failure percentage (A50, "Failure Percentage Algorithm").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailurePercentageEjection {
    /// The percentage of failed calls above which an endpoint is an outlier. Default: 85.
    pub threshold: u32,
    /// The chance that an outlier is ejected, in percent. Default: 100.
    pub enforcement_percentage: u32,
    /// The fewest endpoints with enough calls. Default: 5.
    pub minimum_hosts: u32,
    /// The fewest calls of an endpoint in one interval. Default: 50.
    pub request_volume: u32,
}

pub(super) fn outlier_detection(
    fields: &mut Object<'_>,
    ignored: &mut Vec<String>,
) -> Result<OutlierDetection, ServiceConfigError> {
    let interval = duration_or(fields, "interval", Duration::from_secs(10))?;
    let base_ejection_time = duration_or(fields, "baseEjectionTime", Duration::from_secs(30))?;
    let max_ejection_time = duration_or(fields, "maxEjectionTime", EJECTION_TIME_MAX)?;
    let max_ejection_percent = percent_or(fields, "maxEjectionPercent", 10)?;
    let success_rate = match fields.optional("successRateEjection") {
        Some(field) => Some(success_rate(&field, ignored)?),
        None => None,
    };
    let failure_percentage = match fields.optional("failurePercentageEjection") {
        Some(field) => Some(failure_percentage(&field, ignored)?),
        None => None,
    };
    Ok(OutlierDetection {
        interval: interval.max(SWEEP_INTERVAL_MIN),
        base_ejection_time,
        max_ejection_time: max_ejection_time.max(base_ejection_time),
        max_ejection_percent,
        success_rate,
        failure_percentage,
    })
}

fn success_rate(
    field: &Field<'_>,
    ignored: &mut Vec<String>,
) -> Result<SuccessRateEjection, ServiceConfigError> {
    let mut fields = field.object("an object such as {\"stdevFactor\": 1900}")?;
    let ejection = SuccessRateEjection {
        stdev_factor_thousandths: count_or(&mut fields, "stdevFactor", 1900)?,
        enforcement_percentage: percent_or(&mut fields, "enforcementPercentage", 100)?,
        minimum_hosts: count_or(&mut fields, "minimumHosts", 5)?,
        request_volume: count_or(&mut fields, "requestVolume", 100)?,
    };
    fields.finish(ignored);
    Ok(ejection)
}

fn failure_percentage(
    field: &Field<'_>,
    ignored: &mut Vec<String>,
) -> Result<FailurePercentageEjection, ServiceConfigError> {
    let mut fields = field.object("an object such as {\"threshold\": 85}")?;
    let ejection = FailurePercentageEjection {
        threshold: percent_or(&mut fields, "threshold", 85)?,
        enforcement_percentage: percent_or(&mut fields, "enforcementPercentage", 100)?,
        minimum_hosts: count_or(&mut fields, "minimumHosts", 5)?,
        request_volume: count_or(&mut fields, "requestVolume", 50)?,
    };
    fields.finish(ignored);
    Ok(ejection)
}

pub(super) fn duration_or(
    fields: &mut Object<'_>,
    name: &'static str,
    default: Duration,
) -> Result<Duration, ServiceConfigError> {
    fields.optional(name).map_or(Ok(default), |field| field.duration())
}

fn percent_or(fields: &mut Object<'_>, name: &'static str, default: u32) -> Result<u32, ServiceConfigError> {
    const WHAT: &str = "an integer from 0 to 100";
    let Some(field) = fields.optional(name) else { return Ok(default) };
    let percent = u32::try_from(field.integer(WHAT)?).ok();
    percent.filter(|&percent| percent <= 100).ok_or_else(|| field.expected(WHAT))
}

fn count_or(fields: &mut Object<'_>, name: &'static str, default: u32) -> Result<u32, ServiceConfigError> {
    const WHAT: &str = "an integer from 0 to 4294967295";
    let Some(field) = fields.optional(name) else { return Ok(default) };
    u32::try_from(field.integer(WHAT)?).map_err(|_| field.expected(WHAT))
}
