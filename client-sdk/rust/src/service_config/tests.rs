//! The examples of the gRFCs, what a method's settings are, and what is ignored.

use std::time::Duration;

use tonic::Code;

use super::*;

fn read(text: &str) -> ServiceConfig {
    ServiceConfig::from_json(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn codes(codes: &[Code]) -> CodeSet {
    codes.iter().copied().collect()
}

#[test]
fn the_retry_example_of_a6_is_read() {
    let config = read(
        r#"{"methodConfig": [{"name": [{"service": "pkg.Service"}], "retryPolicy": {
            "maxAttempts": 4, "initialBackoff": "0.1s", "maxBackoff": "1s",
            "backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"]}}]}"#,
    );
    let expected = RetryPolicy {
        max_attempts: 4,
        initial_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(1),
        backoff_multiplier: 2.0,
        retryable_codes: codes(&[Code::Unavailable]),
        attempt_timeout: None,
    };
    assert_eq!(config.method("/pkg.Service/Get").unwrap().attempts, AttemptPolicy::Retry(expected));
    assert!(config.ignored().is_empty(), "{:?}", config.ignored());
}

#[test]
fn the_hedging_example_of_a6_is_read() {
    let config = read(
        r#"{"methodConfig": [{"name": [{}], "hedgingPolicy": {"maxAttempts": 4, "hedgingDelay": "0.5s",
            "nonFatalStatusCodes": ["UNAVAILABLE", "INTERNAL", "ABORTED"]}}]}"#,
    );
    let expected = HedgingPolicy {
        max_attempts: 4,
        hedging_delay: Duration::from_millis(500),
        non_fatal_codes: codes(&[Code::Unavailable, Code::Internal, Code::Aborted]),
    };
    assert_eq!(config.method("/a/B").unwrap().attempts, AttemptPolicy::Hedging(expected));
    let all_at_once = read(r#"{"methodConfig": [{"name": [{}], "hedgingPolicy": {"maxAttempts": 3}}]}"#);
    let expected =
        HedgingPolicy { max_attempts: 3, hedging_delay: Duration::ZERO, non_fatal_codes: CodeSet::default() };
    assert_eq!(all_at_once.method("/a/B").unwrap().attempts, AttemptPolicy::Hedging(expected));
}

#[test]
fn the_throttling_example_of_a6_is_read_and_decimals_beyond_three_are_cut() {
    for (ratio, thousandths) in [
        ("0.1", 100),
        ("0.5466", 546),
        ("1.001", 1001),
        ("0.001", 1),
        ("2", 2000),
        ("1e-3", 1),
        ("1e9", 1_000_000),
    ] {
        let config = read(&format!(r#"{{"retryThrottling": {{"maxTokens": 10, "tokenRatio": {ratio}}}}}"#));
        let expected = RetryThrottling { max_tokens: 10, token_ratio_thousandths: thousandths };
        assert_eq!(config.retry_throttling(), Some(expected), "{ratio}");
    }
}

#[test]
fn attempts_beyond_five_count_as_five() {
    for (given, expected) in [("2", 2), ("5", 5), ("6", 5), ("4294967296", 5), ("\"3\"", 3), ("3.0", 3)] {
        let config = read(&format!(
            r#"{{"methodConfig": [{{"name": [{{}}], "hedgingPolicy": {{"maxAttempts": {given}}}}}]}}"#
        ));
        let AttemptPolicy::Hedging(policy) = &config.method("/a/B").unwrap().attempts else {
            panic!("{given}")
        };
        assert_eq!(policy.max_attempts, expected, "{given}");
    }
}

#[test]
fn codes_are_names_in_any_case_or_numbers() {
    let config = read(
        r#"{"methodConfig": [{"name": [{}], "hedgingPolicy": {"maxAttempts": 2,
            "nonFatalStatusCodes": ["unavailable", "Aborted", 1, 16, 8]}}]}"#,
    );
    let AttemptPolicy::Hedging(policy) = &config.method("/a/B").unwrap().attempts else { panic!() };
    let expected =
        [Code::Unavailable, Code::Aborted, Code::Cancelled, Code::Unauthenticated, Code::ResourceExhausted];
    for number in 0..17 {
        let code = Code::from_i32(number);
        assert_eq!(policy.non_fatal_codes.contains(code), expected.contains(&code), "{code:?}");
    }
}

#[test]
fn a_timeout_for_each_attempt_may_stand_for_the_codes() {
    let config = read(
        r#"{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 2, "initialBackoff": ".01s",
            "maxBackoff": "1s", "backoffMultiplier": 1.5, "perAttemptRecvTimeout": "0.25s"}}]}"#,
    );
    let AttemptPolicy::Retry(policy) = &config.method("/a/B").unwrap().attempts else { panic!() };
    assert_eq!(policy.attempt_timeout, Some(Duration::from_millis(250)));
    assert!(policy.retryable_codes.is_empty());
}

#[test]
fn a_method_goes_before_its_service_and_that_before_the_defaults() {
    let config = read(
        r#"{"methodConfig": [
            {"name": [{"service": "", "method": null}], "timeout": "1s"},
            {"name": [{"service": "a.B", "method": ""}, {"service": "a.C"}], "timeout": "2s", "waitForReady": true},
            {"name": [{"service": "a.B", "method": "Get"}], "timeout": "3.5s"}]}"#,
    );
    for (path, timeout, wait_for_ready) in [
        ("/a.B/Get", 3.5, None),
        ("/a.B/Put", 2.0, Some(true)),
        ("/a.C/Get", 2.0, Some(true)),
        ("/a.BB/Get", 1.0, None),
        ("/B/Get", 1.0, None),
        ("", 1.0, None),
    ] {
        let method = config.method(path).unwrap();
        assert_eq!(method.timeout, Some(Duration::from_secs_f64(timeout)), "{path}");
        assert_eq!(method.wait_for_ready, wait_for_ready, "{path}");
        assert_eq!(method.attempts, AttemptPolicy::Once);
    }
}

#[test]
fn without_defaults_an_unnamed_method_has_no_settings() {
    let config = read(r#"{"methodConfig": [{"name": [{"service": "a.B", "method": "Get"}]}]}"#);
    assert!(config.method("/a.B/Get").is_some());
    for path in ["/a.B/Put", "/a.B/", "a.B/Get", "", "/"] {
        assert!(config.method(path).is_none(), "{path}");
    }
    assert_eq!(read("{}"), ServiceConfig::default());
}

#[test]
fn the_health_check_names_a_service_or_the_whole_server() {
    for (text, expected) in [
        (r#"{"healthCheckConfig": {"serviceName": "a.B"}}"#, Some("a.B")),
        (r#"{"healthCheckConfig": {"serviceName": ""}}"#, Some("")),
        (r#"{"healthCheckConfig": {}}"#, None),
        (r#"{"healthCheckConfig": null}"#, None),
    ] {
        assert_eq!(read(text).health_check_service(), expected, "{text}");
    }
}

#[test]
fn what_is_not_known_is_ignored_and_listed() {
    let config = read(
        r#"{"connectionScaling": {}, "retryThrottling": {"maxTokens": 1, "tokenRatio": 1, "x": 1},
            "healthCheckConfig": {"y": 1},
            "methodConfig": [{"name": [{"service": "a", "z": 1}], "maxRequestMessageBytes": 4,
                "hedgingPolicy": {"maxAttempts": 2, "hedgingdelay": "1s"}}, {"timeout": "1s"}],
            "loadBalancingConfig": [{"of_tomorrow": {}}, {"outlier_detection_experimental": {
                "successRateEjection": {"s": 1}, "failurePercentageEjection": {"f": 1},
                "childPolicy": [{"ring_hash_experimental": {"r": 1}}, {"never_looked_at": {}}]}}]}"#,
    );
    let mut ignored = config.ignored().to_vec();
    ignored.sort();
    let detection = "loadBalancingConfig[1].outlier_detection_experimental";
    let mut expected = [
        "connectionScaling".to_owned(),
        "retryThrottling.x".to_owned(),
        "healthCheckConfig.y".to_owned(),
        "methodConfig[0].name[0].z".to_owned(),
        "methodConfig[0].maxRequestMessageBytes".to_owned(),
        "methodConfig[0].hedgingPolicy.hedgingdelay".to_owned(),
        "methodConfig[1]".to_owned(),
        "loadBalancingConfig[0].of_tomorrow".to_owned(),
        format!("{detection}.successRateEjection.s"),
        format!("{detection}.failurePercentageEjection.f"),
        format!("{detection}.childPolicy[0].ring_hash_experimental.r"),
    ];
    expected.sort();
    assert_eq!(ignored, expected);
}
