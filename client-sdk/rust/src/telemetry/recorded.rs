//! For tests: what a provider has been told, one line for each series.

use opentelemetry::{KeyValue, metrics::MeterProvider as _};
use opentelemetry_sdk::metrics::{
    InMemoryMetricExporter, SdkMeterProvider,
    data::{AggregatedMetrics, Metric, MetricData},
};

use super::Metrics;

pub(crate) struct Recorded {
    provider: SdkMeterProvider,
    exporter: InMemoryMetricExporter,
}

impl Recorded {
    pub(crate) fn new() -> Self {
        let exporter = InMemoryMetricExporter::default();
        let provider = SdkMeterProvider::builder().with_periodic_exporter(exporter.clone()).build();
        Self { provider, exporter }
    }

    pub(crate) fn metrics(&self) -> Metrics {
        Metrics::new(&self.provider.meter("test"), "quota")
    }

    /// `name{key=value,..} unit value` in order; the value of a histogram is `count x sum`.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        self.each(|metric| lines.extend(series(metric)));
        lines.sort();
        lines
    }

    /// The bounds of each histogram that has a series.
    pub(crate) fn bounds(&self) -> Vec<(String, Vec<f64>)> {
        let mut bounds = Vec::new();
        self.each(|metric| {
            let found: Vec<f64> = match metric.data() {
                AggregatedMetrics::F64(MetricData::Histogram(histogram)) => {
                    histogram.data_points().flat_map(|point| point.bounds()).collect()
                }
                AggregatedMetrics::U64(MetricData::Histogram(histogram)) => {
                    histogram.data_points().flat_map(|point| point.bounds()).collect()
                }
                _ => return,
            };
            bounds.push((metric.name().to_owned(), found));
        });
        bounds
    }

    fn each(&self, mut visit: impl FnMut(&Metric)) {
        self.exporter.reset();
        self.provider.force_flush().unwrap();
        for resource in self.exporter.get_finished_metrics().unwrap() {
            resource.scope_metrics().flat_map(|scope| scope.metrics()).for_each(&mut visit);
        }
    }
}

fn series(metric: &Metric) -> Vec<String> {
    let line = |labels: Vec<&KeyValue>, value: String| {
        let mut labels: Vec<_> =
            labels.iter().map(|label| format!("{}={}", label.key, label.value)).collect();
        labels.sort();
        format!("{}{{{}}} {} {value}", metric.name(), labels.join(","), metric.unit())
    };
    match metric.data() {
        AggregatedMetrics::F64(MetricData::Histogram(histogram)) => histogram
            .data_points()
            .map(|point| line(point.attributes().collect(), format!("{} x {}", point.count(), point.sum())))
            .collect(),
        AggregatedMetrics::U64(MetricData::Histogram(histogram)) => histogram
            .data_points()
            .map(|point| line(point.attributes().collect(), format!("{} x {}", point.count(), point.sum())))
            .collect(),
        AggregatedMetrics::U64(MetricData::Sum(sum)) => sum
            .data_points()
            .map(|point| line(point.attributes().collect(), point.value().to_string()))
            .collect(),
        AggregatedMetrics::I64(MetricData::Sum(sum)) => sum
            .data_points()
            .map(|point| line(point.attributes().collect(), point.value().to_string()))
            .collect(),
        other => panic!("{} is {other:?}", metric.name()),
    }
}
