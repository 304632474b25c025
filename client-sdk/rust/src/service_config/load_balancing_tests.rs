//! The load balancing policies of a config, with the defaults of their gRFCs.

use super::*;
use crate::service_config::{FailurePercentageEjection, ServiceConfig, SuccessRateEjection};

fn read(policies: &str) -> ServiceConfig {
    let text = format!(r#"{{"loadBalancingConfig": {policies}}}"#);
    ServiceConfig::from_json(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn chosen(policies: &str) -> LoadBalancing {
    read(policies).load_balancing().cloned().unwrap()
}

#[test]
fn the_first_known_policy_wins() {
    for (policies, expected) in [
        (r#"[{"round_robin": {}}, {"plexus_prequal": {}}]"#, LoadBalancing::RoundRobin),
        (r#"[{"of_tomorrow": {"x": 1}}, {"plexus_prequal": {}}]"#, LoadBalancing::Prequal),
        (r#"[{"plexus_peak_ewma": {}}, {"pick_first": {}}]"#, LoadBalancing::PeakEwma),
    ] {
        assert_eq!(chosen(policies), expected);
    }
    assert_eq!(read("[]").load_balancing(), None);
}

#[test]
fn the_deprecated_name_counts_only_without_the_list() {
    for (text, expected) in [
        (r#"{"loadBalancingPolicy": "ROUND_ROBIN"}"#, LoadBalancing::RoundRobin),
        (r#"{"loadBalancingPolicy": "plexus_prequal", "loadBalancingConfig": []}"#, LoadBalancing::Prequal),
        (
            r#"{"loadBalancingPolicy": "round_robin", "loadBalancingConfig": [{"plexus_prequal": {}}]}"#,
            LoadBalancing::Prequal,
        ),
    ] {
        let config = ServiceConfig::from_json(text).unwrap();
        assert_eq!(config.load_balancing(), Some(&expected), "{text}");
        assert!(config.ignored().is_empty());
    }
}

#[test]
fn weighted_round_robin_has_the_fields_and_defaults_of_a58() {
    let defaults = WeightedRoundRobin {
        blackout_period: Duration::from_secs(10),
        weight_expiration_period: Duration::from_secs(180),
        weight_update_period: Duration::from_secs(1),
        error_utilization_penalty: 1.0,
    };
    assert_eq!(chosen(r#"[{"weighted_round_robin": {}}]"#), LoadBalancing::WeightedRoundRobin(defaults));
    let given = WeightedRoundRobin {
        blackout_period: Duration::ZERO,
        weight_expiration_period: Duration::from_secs(60),
        weight_update_period: Duration::from_millis(100),
        error_utilization_penalty: 0.5,
    };
    let config = read(
        r#"[{"weighted_round_robin": {"blackoutPeriod": "0s", "weightExpirationPeriod": "60s",
            "weightUpdatePeriod": "0.01s", "errorUtilizationPenalty": 0.5}}]"#,
    );
    assert_eq!(config.load_balancing(), Some(&LoadBalancing::WeightedRoundRobin(given)));
    assert!(config.ignored().is_empty());
}

#[test]
fn least_request_compares_two_to_ten() {
    for (settings, choice_count) in [
        ("{}", 2),
        (r#"{"choiceCount": 3}"#, 3),
        (r#"{"choiceCount": 10}"#, 10),
        (r#"{"choiceCount": "99"}"#, 10),
    ] {
        let policies = format!(r#"[{{"least_request_experimental": {settings}}}]"#);
        assert_eq!(chosen(&policies), LoadBalancing::LeastRequest { choice_count });
    }
}

#[test]
fn the_header_of_a_ring_is_kept() {
    for (settings, header) in [
        ("{}", None),
        (r#"{"requestHashHeader": ""}"#, None),
        (r#"{"requestHashHeader": "X-Session"}"#, Some("x-session")),
    ] {
        let expected = LoadBalancing::RingHash { request_hash_header: header.map(HeaderName::from_static) };
        assert_eq!(chosen(&format!(r#"[{{"ring_hash_experimental": {settings}}}]"#)), expected);
    }
}

#[test]
fn the_size_of_a_ring_and_a_stream_of_load_reports_are_listed_as_ignored() {
    let ring = read(r#"[{"ring_hash_experimental": {"minRingSize": 1, "maxRingSize": 9}}]"#);
    let path = "loadBalancingConfig[0].ring_hash_experimental";
    assert_eq!(ring.ignored(), [format!("{path}.maxRingSize"), format!("{path}.minRingSize")]);
    let reports =
        read(r#"[{"weighted_round_robin": {"enableOobLoadReport": true, "oobReportingPeriod": "1s"}}]"#);
    let path = "loadBalancingConfig[0].weighted_round_robin";
    assert_eq!(
        reports.ignored(),
        [format!("{path}.enableOobLoadReport"), format!("{path}.oobReportingPeriod")]
    );
}

#[test]
fn outlier_detection_has_the_fields_and_defaults_of_a50() {
    let config = read(
        r#"[{"outlier_detection_experimental": {"successRateEjection": {},
            "failurePercentageEjection": {}, "childPolicy": [{"round_robin": {}}]}}]"#,
    );
    let defaults = OutlierDetection {
        interval: Duration::from_secs(10),
        base_ejection_time: Duration::from_secs(30),
        max_ejection_time: Duration::from_secs(300),
        max_ejection_percent: 10,
        success_rate: Some(SuccessRateEjection {
            stdev_factor_thousandths: 1900,
            enforcement_percentage: 100,
            minimum_hosts: 5,
            request_volume: 100,
        }),
        failure_percentage: Some(FailurePercentageEjection {
            threshold: 85,
            enforcement_percentage: 100,
            minimum_hosts: 5,
            request_volume: 50,
        }),
    };
    assert_eq!(config.outlier_detection(), Some(&defaults));
    assert_eq!(config.load_balancing(), Some(&LoadBalancing::RoundRobin));
    assert!(config.ignored().is_empty());
}

#[test]
fn outlier_detection_takes_what_is_given() {
    let config = read(
        r#"[{"outlier_detection_experimental": {"interval": "0s", "baseEjectionTime": "400s",
            "maxEjectionPercent": 50, "successRateEjection": {"stdevFactor": 1, "enforcementPercentage": 2,
            "minimumHosts": 3, "requestVolume": 4}, "failurePercentageEjection": {"threshold": 5,
            "enforcementPercentage": 6, "minimumHosts": 7, "requestVolume": 8},
            "childPolicy": [{"plexus_prequal": {}}]}}]"#,
    );
    let expected = OutlierDetection {
        interval: Duration::from_millis(100),
        base_ejection_time: Duration::from_secs(400),
        max_ejection_time: Duration::from_secs(400),
        max_ejection_percent: 50,
        success_rate: Some(SuccessRateEjection {
            stdev_factor_thousandths: 1,
            enforcement_percentage: 2,
            minimum_hosts: 3,
            request_volume: 4,
        }),
        failure_percentage: Some(FailurePercentageEjection {
            threshold: 5,
            enforcement_percentage: 6,
            minimum_hosts: 7,
            request_volume: 8,
        }),
    };
    assert_eq!(config.outlier_detection(), Some(&expected));
    let neither = read(r#"[{"outlier_detection_experimental": {"childPolicy": [{"round_robin": {}}]}}]"#);
    let neither = neither.outlier_detection().unwrap();
    assert_eq!((neither.success_rate, neither.failure_percentage), (None, None));
}
