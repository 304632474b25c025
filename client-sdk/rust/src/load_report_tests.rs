//! Load reports on the wire, byte for byte, and what of them is kept.

use super::*;

fn report() -> LoadReport {
    LoadReport {
        cpu_utilization: 0.5,
        rps_fractional: 100.0,
        eps: 1.0,
        application_utilization: 0.25,
        named_metrics: BTreeMap::from([("queued".to_owned(), 3.0)]),
        ..LoadReport::default()
    }
}

fn trailers(value: &str) -> HeaderMap {
    HeaderMap::from_iter([(LOAD_REPORT, HeaderValue::from_str(value).unwrap())])
}

#[test]
fn field_numbers_are_those_of_the_specification() {
    let mut report = LoadReport { mem_utilization: 1.0, ..report() };
    report.request_cost.insert("a".to_owned(), 1.0);
    report.utilization.insert("b".to_owned(), 1.0);
    let bytes = report.encode_to_vec();
    // Key and wire type of each field in order: a double is (tag << 3) | 1, a map entry (tag << 3) | 2.
    let entry = |tag: u8, length: u8| (tag << 3 | 2, usize::from(length) + 2);
    let fields = [(9, 9), (17, 9), entry(4, 12), entry(5, 12), (49, 9), (57, 9), entry(8, 17), (73, 9)];
    let mut at = 0;
    for (key, length) in fields {
        assert_eq!(bytes[at], key, "at byte {at}");
        at += length;
    }
    assert_eq!(at, bytes.len());
}

#[test]
fn a_report_survives_the_trailer_with_and_without_padding() {
    let value = report().to_trailer().unwrap();
    let text = value.to_str().unwrap();
    assert!(!text.ends_with('='));
    assert_ne!(text.len() % 4, 0, "a text that needs no padding shows nothing");
    for text in [text.to_owned(), format!("{text}{}", "=".repeat(4 - text.len() % 4))] {
        assert_eq!(LoadReport::from_trailers(&trailers(&text)).unwrap(), Some(report()));
    }
    assert_eq!(LoadReport::from_trailers(&HeaderMap::new()).unwrap(), None);
}

#[test]
fn what_is_no_report_is_an_error_that_names_the_trailer() {
    for (value, reason) in [("*", "base64"), ("CQ", "OrcaLoadReport"), (&*"A".repeat(6000), "more than 4096")]
    {
        let error = LoadReport::from_trailers(&trailers(value)).unwrap_err().to_string();
        assert!(error.starts_with("endpoint-load-metrics-bin") && error.contains(reason), "{error}");
    }
    let mut long = report();
    long.named_metrics.insert("m".repeat(REPORT_BYTES_MAX), 1.0);
    assert!(long.to_trailer().is_err());
}

#[test]
fn the_latest_usable_report_is_kept_with_its_times() {
    let start = Instant::now();
    let latest = LatestReport::new(start);
    assert_eq!(latest.get(), None);
    latest.record(&report(), start);
    let later = start + Duration::from_secs(1);
    latest.record(&LoadReport { rps_fractional: 200.0, ..report() }, later);
    let useless = [
        LoadReport { rps_fractional: 0.0, ..report() },
        LoadReport { cpu_utilization: 0.0, application_utilization: 0.0, ..report() },
        LoadReport { eps: f64::NAN, ..report() },
        LoadReport { eps: -1.0, ..report() },
        LoadReport { rps_fractional: f64::INFINITY, ..report() },
    ];
    for useless in useless {
        latest.record(&useless, later + Duration::from_secs(1));
    }
    let expected =
        ReportedLoad { rps: 200.0, eps: 1.0, utilization: 0.25, received: later, first_received: start };
    assert_eq!(latest.get(), Some(expected));
    latest.clear();
    assert_eq!(latest.get(), None);
    latest.record(&report(), later);
    assert_eq!(latest.get().unwrap().first_received, later);
}

#[test]
fn the_application_s_own_figure_goes_before_that_of_the_processors() {
    let report = report();
    assert!((report.utilization() - 0.25).abs() < 1e-12);
    assert!((LoadReport { application_utilization: 0.0, ..report }.utilization() - 0.5).abs() < 1e-12);
}
