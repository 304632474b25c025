//! Every error names its field and says what is allowed.

use std::error::Error as _;

use proptest::prelude::*;

use super::{SERVICE_CONFIG_BYTES_MAX, ServiceConfig, ServiceConfigError, method::METHOD_NAMES_MAX};

/// A config, the path that the error must name, and what its text must say.
type Case = (&'static str, &'static str, &'static str);

/// Puts each text into the frame and expects the error at the path.
fn assert_each(frame: &str, prefix: &str, cases: &[Case]) {
    for (inner, path, said) in cases {
        let text = frame.replace('@', inner);
        let error = ServiceConfig::from_json(&text).expect_err(&text);
        assert_eq!(error.path(), Some(format!("{prefix}{path}").as_str()), "{text}: {error}");
        assert!(error.to_string().contains(said), "{text}: {error}");
        assert!(error.source().is_none());
    }
}

#[test]
fn faults_at_the_top_are_named() {
    assert_each(
        "@",
        "",
        &[
            ("[]", "the service config", "is []: expected an object"),
            ("7", "the service config", "expected an object"),
            (r#"{"methodConfig": {}}"#, "methodConfig", "expected a list"),
            (r#"{"methodConfig": [7]}"#, "methodConfig[0]", "expected an object"),
            (r#"{"retryThrottling": 1}"#, "retryThrottling", "expected an object"),
            (r#"{"healthCheckConfig": ""}"#, "healthCheckConfig", "expected an object"),
            (r#"{"healthCheckConfig": {"serviceName": 1}}"#, "healthCheckConfig.serviceName", "a string"),
            (r#"{"loadBalancingConfig": {}}"#, "loadBalancingConfig", "expected a list"),
            (r#"{"loadBalancingPolicy": 1}"#, "loadBalancingPolicy", "round_robin"),
            (
                r#"{"loadBalancingPolicy": "grpclb"}"#,
                "loadBalancingPolicy",
                "is \"grpclb\": expected one of round_robin",
            ),
            (
                r#"{"loadBalancingPolicy": "PICK_FIRST"}"#,
                "loadBalancingPolicy",
                "expected one of round_robin",
            ),
            (
                r#"{"loadBalancingPolicy": "outlier_detection_experimental"}"#,
                "loadBalancingPolicy",
                "expected one of round_robin",
            ),
        ],
    );
}

#[test]
fn faults_of_a_method_config_are_named() {
    assert_each(
        r#"{"methodConfig": [{"name": [{}]}, @]}"#,
        "methodConfig[1]",
        &[
            (r#"{"name": {}}"#, ".name", "expected a list"),
            (r#"{"name": ["a"]}"#, ".name[0]", "expected an object"),
            (r#"{"name": [{"service": 1}]}"#, ".name[0].service", "a name without a slash"),
            (
                r#"{"name": [{"service": "/a.B"}]}"#,
                ".name[0].service",
                "is \"/a.B\": expected a name without a slash",
            ),
            (r#"{"name": [{"service": "a", "method": "b/c"}]}"#, ".name[0].method", "without a slash"),
            (r#"{"name": [{"method": "b"}]}"#, ".name[0].service", "is missing"),
            (r#"{"name": [{"service": "a"}, {"service": "a"}]}"#, ".name[1]", "no entry before"),
            (r#"{"name": [{}]}"#, ".name[0]", "no entry before"),
            (r#"{"waitForReady": 1}"#, ".waitForReady", "true or false"),
            (r#"{"timeout": 1}"#, ".timeout", "is 1: expected a duration in seconds such as \"1.5s\""),
            (r#"{"timeout": "1m"}"#, ".timeout", "\"1.5s\""),
            (r#"{"timeout": "-1s"}"#, ".timeout", "not negative"),
            (r#"{"timeout": "0s"}"#, ".timeout", "greater than 0"),
            (r#"{"retryPolicy": 1}"#, ".retryPolicy", "expected an object"),
            (r#"{"hedgingPolicy": 1}"#, ".hedgingPolicy", "expected an object"),
            (r#"{"retryPolicy": {}, "hedgingPolicy": {}}"#, ".hedgingPolicy", "only one of the two"),
            (
                r#"{"hedgingPolicy": {}}"#,
                ".hedgingPolicy.maxAttempts",
                "is missing: expected an integer of at least 2",
            ),
            (r#"{"hedgingPolicy": {"maxAttempts": 1}}"#, ".hedgingPolicy.maxAttempts", "is 1: expected"),
            (r#"{"hedgingPolicy": {"maxAttempts": 2.5}}"#, ".hedgingPolicy.maxAttempts", "is 2.5: expected"),
            (
                r#"{"hedgingPolicy": {"maxAttempts": 2, "hedgingDelay": 1}}"#,
                ".hedgingPolicy.hedgingDelay",
                "1.5s",
            ),
            (
                r#"{"hedgingPolicy": {"maxAttempts": 2, "nonFatalStatusCodes": "ABORTED"}}"#,
                ".hedgingPolicy.nonFatalStatusCodes",
                "a list of gRPC status codes",
            ),
        ],
    );
}

#[test]
fn faults_of_a_retry_policy_are_named() {
    const GOOD: [(&str, &str); 5] = [
        ("maxAttempts", "2"),
        ("initialBackoff", "\"1s\""),
        ("maxBackoff", "\"1s\""),
        ("backoffMultiplier", "2"),
        ("retryableStatusCodes", "[14]"),
    ];
    let cases = [
        ("maxAttempts", "null", "", "is missing: expected an integer of at least 2"),
        ("maxAttempts", "0", "", "is 0: expected an integer of at least 2"),
        ("maxAttempts", "-3", "", "is -3: expected"),
        ("maxAttempts", "[]", "", "expected an integer"),
        ("initialBackoff", "null", "", "is missing: expected a duration"),
        ("initialBackoff", "\"0s\"", "", "greater than 0"),
        ("initialBackoff", "\"1\"", "", "1.5s"),
        ("maxBackoff", "null", "", "is missing: expected a duration"),
        ("maxBackoff", "\"0s\"", "", "greater than 0"),
        ("backoffMultiplier", "null", "", "is missing: expected a number greater than 0"),
        ("backoffMultiplier", "0", "", "is 0: expected a number greater than 0"),
        ("backoffMultiplier", "\"NaN\"", "", "is \"NaN\": expected a number"),
        ("backoffMultiplier", "true", "", "expected a number"),
        ("retryableStatusCodes", "null", "", "at least one status code"),
        ("retryableStatusCodes", "[]", "", "at least one status code"),
        ("retryableStatusCodes", "14", "", "a list of gRPC status codes"),
        ("retryableStatusCodes", "[14, \"GONE\"]", "[1]", "is \"GONE\": expected a gRPC status code"),
        ("retryableStatusCodes", "[0]", "[0]", "other than OK"),
        ("retryableStatusCodes", "[\"ok\"]", "[0]", "other than OK"),
        ("retryableStatusCodes", "[17]", "[0]", "from 1 to 16"),
        ("retryableStatusCodes", "[null]", "[0]", "a gRPC status code"),
        ("perAttemptRecvTimeout", "\"0s\"", "", "greater than 0"),
    ];
    for (field, value, index, said) in cases {
        let others = GOOD.iter().filter(|(name, _)| *name != field);
        let fields: Vec<_> =
            others.chain([&(field, value)]).map(|(name, value)| format!("\"{name}\": {value}")).collect();
        let text = format!(r#"{{"methodConfig": [{{"retryPolicy": {{{}}}}}]}}"#, fields.join(", "));
        let error = ServiceConfig::from_json(&text).expect_err(&text);
        let path = format!("methodConfig[0].retryPolicy.{field}{index}");
        assert_eq!(error.path(), Some(path.as_str()), "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn faults_of_the_throttle_are_named() {
    assert_each(
        r#"{"retryThrottling": {@}}"#,
        "retryThrottling.",
        &[
            (r#""tokenRatio": 1"#, "maxTokens", "is missing: expected an integer from 1 to 1000"),
            (r#""maxTokens": 0, "tokenRatio": 1"#, "maxTokens", "is 0: expected an integer from 1 to 1000"),
            (r#""maxTokens": 1001, "tokenRatio": 1"#, "maxTokens", "1 to 1000"),
            (r#""maxTokens": 1.5, "tokenRatio": 1"#, "maxTokens", "1 to 1000"),
            (r#""maxTokens": 10"#, "tokenRatio", "is missing: expected a number of at least 0.001"),
            (r#""maxTokens": 10, "tokenRatio": 0"#, "tokenRatio", "at least 0.001"),
            (r#""maxTokens": 10, "tokenRatio": 0.0009"#, "tokenRatio", "at least 0.001"),
            (r#""maxTokens": 10, "tokenRatio": -1"#, "tokenRatio", "at least 0.001"),
            (r#""maxTokens": 10, "tokenRatio": "a""#, "tokenRatio", "at least 0.001"),
        ],
    );
}

#[test]
fn faults_of_the_load_balancing_are_named() {
    assert_each(
        r#"{"loadBalancingConfig": [@]}"#,
        "loadBalancingConfig",
        &[
            ("7", "[0]", "exactly one field"),
            ("{}", "[0]", "exactly one field"),
            (r#"{"round_robin": {}, "plexus_prequal": {}}"#, "[0]", "exactly one field"),
            (r#"{"of_tomorrow": {}}"#, "", "expected one of round_robin"),
            (r#"{"round_robin": 1}"#, "[0].round_robin", "{} for the defaults"),
            (r#"{"x": {}}, {"pick_first": {}}"#, "[1].pick_first", "sends every call to one replica"),
            (
                r#"{"least_request_experimental": {"choiceCount": 1}}"#,
                "[0].least_request_experimental.choiceCount",
                "is 1",
            ),
            (
                r#"{"ring_hash_experimental": {"requestHashHeader": "a b"}}"#,
                "[0].ring_hash_experimental.requestHashHeader",
                "the name of a header",
            ),
            (
                r#"{"ring_hash_experimental": {"requestHashHeader": "id-bin"}}"#,
                "[0].ring_hash_experimental.requestHashHeader",
                "none that ends in -bin",
            ),
        ],
    );
    assert_each(
        r#"{"loadBalancingConfig": [{"weighted_round_robin": {@}}]}"#,
        "loadBalancingConfig[0].weighted_round_robin.",
        &[
            (r#""blackoutPeriod": 1"#, "blackoutPeriod", "1.5s"),
            (r#""weightExpirationPeriod": 1"#, "weightExpirationPeriod", "1.5s"),
            (r#""weightUpdatePeriod": 1"#, "weightUpdatePeriod", "1.5s"),
            (r#""errorUtilizationPenalty": -0.1"#, "errorUtilizationPenalty", "not negative"),
            (r#""errorUtilizationPenalty": []"#, "errorUtilizationPenalty", "a number"),
        ],
    );
}

#[test]
fn faults_of_the_outlier_detection_are_named() {
    let frame = r#"{"loadBalancingConfig": [{"outlier_detection_experimental": {@}}]}"#;
    assert_each(
        frame,
        "loadBalancingConfig[0].outlier_detection_experimental.",
        &[
            ("", "childPolicy", "is missing: expected a list"),
            (r#""childPolicy": []"#, "childPolicy", "other than outlier detection"),
            (
                r#""childPolicy": [{"outlier_detection_experimental": {"childPolicy": [{"round_robin": {}}]}}]"#,
                "childPolicy",
                "other than outlier detection",
            ),
            (r#""childPolicy": [{"pick_first": {}}]"#, "childPolicy[0].pick_first", "not supported"),
            (r#""interval": "-1s""#, "interval", "not negative"),
            (r#""baseEjectionTime": 3"#, "baseEjectionTime", "1.5s"),
            (r#""maxEjectionTime": "x""#, "maxEjectionTime", "1.5s"),
            (r#""maxEjectionPercent": 101"#, "maxEjectionPercent", "0 to 100"),
            (r#""successRateEjection": 1"#, "successRateEjection", "an object"),
            (
                r#""successRateEjection": {"stdevFactor": -1}"#,
                "successRateEjection.stdevFactor",
                "4294967295",
            ),
            (
                r#""successRateEjection": {"enforcementPercentage": 101}"#,
                "successRateEjection.enforcementPercentage",
                "0 to 100",
            ),
            (
                r#""successRateEjection": {"minimumHosts": "a"}"#,
                "successRateEjection.minimumHosts",
                "an integer",
            ),
            (
                r#""successRateEjection": {"requestVolume": 4294967296}"#,
                "successRateEjection.requestVolume",
                "4294967295",
            ),
            (r#""failurePercentageEjection": 1"#, "failurePercentageEjection", "an object"),
            (
                r#""failurePercentageEjection": {"threshold": 101}"#,
                "failurePercentageEjection.threshold",
                "0 to 100",
            ),
        ],
    );
}

#[test]
fn a_text_that_is_too_long_or_no_json_is_refused() {
    let long = " ".repeat(SERVICE_CONFIG_BYTES_MAX + 1);
    let error = ServiceConfig::from_json(&long).unwrap_err();
    assert_eq!(error.to_string(), "the service config has 262145 bytes: expected at most 262144");
    let error = ServiceConfig::from_json("{\n  \"methodConfig\": nope}").unwrap_err();
    assert!(matches!(error, ServiceConfigError::Syntax(_)));
    assert!(error.source().unwrap().to_string().contains("line 2"));
    let fits = format!("{{}}{}", " ".repeat(SERVICE_CONFIG_BYTES_MAX - 2));
    assert!(ServiceConfig::from_json(&fits).is_ok());
}

#[test]
fn a_config_may_name_only_so_many_methods() {
    let names = |count: usize| {
        let names: Vec<_> = (0..count).map(|name| format!(r#"{{"service":"s{name}"}}"#)).collect();
        format!(r#"{{"methodConfig": [{{"name": [{}]}}]}}"#, names.join(","))
    };
    assert!(ServiceConfig::from_json(&names(METHOD_NAMES_MAX)).is_ok());
    let error = ServiceConfig::from_json(&names(METHOD_NAMES_MAX + 1)).unwrap_err();
    assert_eq!(error.path(), Some("methodConfig[0].name[4096]"), "{error}");
}

#[test]
fn a_long_value_is_shown_in_part() {
    let text = format!(r#"{{"methodConfig": "{}"}}"#, "ä".repeat(5000));
    let error = ServiceConfig::from_json(&text).unwrap_err().to_string();
    assert!(error.len() < 250 && error.contains("..: expected a list"), "{error}");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[\\[\\]{}\",:0-9a-z.\\-]{0,40}") {
        ServiceConfig::from_json(&text).ok();
    }
}
