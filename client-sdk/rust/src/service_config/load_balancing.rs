//! The load balancing policy that a service config chooses, as plain values.

use std::time::Duration;

use http::HeaderName;

use super::{
    OutlierDetection, ServiceConfigError,
    json::{Field, Object},
    outlier_detection::{duration_or, outlier_detection},
};

/// The most candidates of a least-request pick; larger values are lowered to it (gRFC A48).
const CHOICE_COUNT_MAX: u64 = 10;

/// Weights are not recalculated faster than this (gRFC A58).
const WEIGHT_UPDATE_MIN: Duration = Duration::from_millis(100);

const KNOWN: &str = "one of round_robin, weighted_round_robin, least_request_experimental, \
    ring_hash_experimental, outlier_detection_experimental, plexus_peak_ewma, plexus_prequal";

const WHY_NO_PICK_FIRST: &str = "is not supported: it sends every call to one replica, and this \
    channel uses all of them; expected round_robin or plexus_peak_ewma";

/// How a channel spreads its calls over endpoints.
#[derive(Clone, Debug, PartialEq)]
pub enum LoadBalancing {
    /// `round_robin`: each in turn.
    RoundRobin,
    /// `weighted_round_robin`: in turn by the weights that endpoints report (gRFC A58).
    WeightedRoundRobin(WeightedRoundRobin),
    /// `least_request_experimental`: the least loaded of some random ones (gRFC A48).
    LeastRequest {
        /// How many are compared: 2 to 10. Default: 2.
        choice_count: u32,
    },
    /// `ring_hash_experimental`: by a hash of the call (gRFC A42). The ring has this channel's own size.
    RingHash {
        /// The request header that is hashed (gRFC A76).
        request_hash_header: Option<HeaderName>,
    },
    /// `plexus_peak_ewma`: the better of two by latency x in-flight, this channel's default.
    PeakEwma,
    /// `plexus_prequal`: by probes of load and latency (Wydrowski and others, NSDI 2024).
    Prequal,
}

/// How weights come from load reports (gRFC A58). Reports come with responses alone: what A58 says of a
/// stream of their own is not acted on.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightedRoundRobin {
    /// How long an endpoint must have reported before its weight counts. Default: 10 s.
    pub blackout_period: Duration,
    /// When a weight without reports stops counting. Default: 3 min.
    pub weight_expiration_period: Duration,
    /// How often weights are recalculated, at least 100 ms. Default: 1 s.
    pub weight_update_period: Duration,
    /// What errors per query add to the utilization, times the rate; not negative. Default: 1.
    pub error_utilization_penalty: f64,
}

/// What a list of policies came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Chosen {
    pub(super) load_balancing: Option<LoadBalancing>,
    pub(super) outlier_detection: Option<OutlierDetection>,
}

/// The first known policy of the list. The unknown ones before it are listed as ignored.
pub(super) fn first_known(list: &Field<'_>, ignored: &mut Vec<String>) -> Result<Chosen, ServiceConfigError> {
    const ENTRY: &str = "an object with exactly one field: the policy's name with its settings";
    let entries = list.list("a list of load balancing policies, such as [{\"round_robin\": {}}]")?;
    for entry in &entries {
        let (name, settings) = entry.object(ENTRY)?.only().ok_or_else(|| entry.expected(ENTRY))?;
        if let Some(chosen) = policy(name, &settings, ignored)? {
            return Ok(chosen);
        }
        ignored.push(settings.path);
    }
    if entries.is_empty() { Ok(Chosen::default()) } else { Err(list.expected(KNOWN)) }
}

/// The policy that the deprecated `loadBalancingPolicy` names, with default settings.
pub(super) fn named(field: &Field<'_>) -> Result<Chosen, ServiceConfigError> {
    let name = field.text(KNOWN)?.to_ascii_lowercase();
    if name == "pick_first" {
        return Err(field.expected(KNOWN));
    }
    let empty = serde_json::Value::Object(serde_json::Map::new());
    let settings = Field::root(&empty);
    let chosen =
        (name != "outlier_detection_experimental").then(|| policy(&name, &settings, &mut Vec::new()));
    chosen.transpose()?.flatten().ok_or_else(|| field.expected(KNOWN))
}

/// `None` when the name is not known.
fn policy(
    name: &str,
    settings: &Field<'_>,
    ignored: &mut Vec<String>,
) -> Result<Option<Chosen>, ServiceConfigError> {
    let mut fields = settings.object("an object: the settings of the policy, {} for the defaults")?;
    let load_balancing = match name {
        "round_robin" => LoadBalancing::RoundRobin,
        "plexus_peak_ewma" => LoadBalancing::PeakEwma,
        "plexus_prequal" => LoadBalancing::Prequal,
        "weighted_round_robin" => LoadBalancing::WeightedRoundRobin(weighted_round_robin(&mut fields)?),
        "least_request_experimental" => {
            LoadBalancing::LeastRequest { choice_count: choice_count(&mut fields)? }
        }
        "ring_hash_experimental" => {
            LoadBalancing::RingHash { request_hash_header: request_hash_header(&mut fields)? }
        }
        "outlier_detection_experimental" => {
            let chosen = detection_and_child(&mut fields, ignored)?;
            fields.finish(ignored);
            return Ok(Some(chosen));
        }
        "pick_first" => {
            let path = settings.path.clone();
            return Err(ServiceConfigError::Field { path, problem: WHY_NO_PICK_FIRST.to_owned() });
        }
        _ => return Ok(None),
    };
    fields.finish(ignored);
    Ok(Some(Chosen { load_balancing: Some(load_balancing), outlier_detection: None }))
}

fn detection_and_child(
    fields: &mut Object<'_>,
    ignored: &mut Vec<String>,
) -> Result<Chosen, ServiceConfigError> {
    let detection = outlier_detection(fields, ignored)?;
    let children = fields.required("childPolicy", "a list such as [{\"round_robin\": {}}]")?;
    let child = first_known(&children, ignored)?;
    if child.load_balancing.is_none() || child.outlier_detection.is_some() {
        return Err(children.expected("a list with a load balancing policy other than outlier detection"));
    }
    Ok(Chosen { outlier_detection: Some(detection), ..child })
}

fn weighted_round_robin(fields: &mut Object<'_>) -> Result<WeightedRoundRobin, ServiceConfigError> {
    const PENALTY: &str = "a number that is not negative";
    let error_utilization_penalty = match fields.optional("errorUtilizationPenalty") {
        Some(field) => match field.number(PENALTY)? {
            penalty if penalty < 0.0 => return Err(field.expected(PENALTY)),
            penalty => penalty,
        },
        None => 1.0,
    };
    let update = duration_or(fields, "weightUpdatePeriod", Duration::from_secs(1))?;
    Ok(WeightedRoundRobin {
        blackout_period: duration_or(fields, "blackoutPeriod", Duration::from_secs(10))?,
        weight_expiration_period: duration_or(fields, "weightExpirationPeriod", Duration::from_secs(180))?,
        weight_update_period: update.max(WEIGHT_UPDATE_MIN),
        error_utilization_penalty,
    })
}

fn choice_count(fields: &mut Object<'_>) -> Result<u32, ServiceConfigError> {
    const WHAT: &str = "an integer of at least 2 (more than 10 count as 10)";
    let Some(field) = fields.optional("choiceCount") else { return Ok(2) };
    let count = field.integer(WHAT)?.min(CHOICE_COUNT_MAX);
    u32::try_from(count).ok().filter(|&count| count >= 2).ok_or_else(|| field.expected(WHAT))
}

fn request_hash_header(fields: &mut Object<'_>) -> Result<Option<HeaderName>, ServiceConfigError> {
    const HEADER: &str = "the name of a header that holds text (none that ends in -bin)";
    let Some(field) = fields.optional("requestHashHeader") else { return Ok(None) };
    match field.text(HEADER)? {
        "" => Ok(None),
        name if name.ends_with("-bin") => Err(field.expected(HEADER)),
        name => name.parse().map(Some).map_err(|_| field.expected(HEADER)),
    }
}

#[cfg(test)]
#[path = "load_balancing_tests.rs"]
mod tests;
