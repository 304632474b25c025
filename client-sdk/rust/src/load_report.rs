//! What a replica says of its own load in the trailers of its answers: ORCA (gRFC A51).

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use prost::Message as _;
use tokio::time::Instant;

/// The trailer that carries a [`LoadReport`].
pub const LOAD_REPORT: HeaderName = HeaderName::from_static("endpoint-load-metrics-bin");

/// The longest report, encoded, in bytes: some hundred named metrics. A longer one would take a good
/// part of the 16 KiB in which HTTP/2 peers expect all headers of a message.
pub const REPORT_BYTES_MAX: usize = 4096;

/// gRPC sends binary headers without padding and accepts both (its HTTP/2 protocol document).
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// `xds.data.orca.v3.OrcaLoadReport`, without its deprecated field `rps`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LoadReport {
    /// Share of the processors in use; above 1 when the work exceeds what the replica reserved.
    #[prost(double, tag = "1")]
    pub cpu_utilization: f64,
    /// Share of the memory in use, from 0 to 1.
    #[prost(double, tag = "2")]
    pub mem_utilization: f64,
    /// What this one request cost, by names that the application chooses.
    #[prost(btree_map = "string, double", tag = "4")]
    pub request_cost: BTreeMap<String, f64>,
    /// Further resources and the share of each in use, from 0 to 1.
    #[prost(btree_map = "string, double", tag = "5")]
    pub utilization: BTreeMap<String, f64>,
    /// Requests per second that the replica serves.
    #[prost(double, tag = "6")]
    pub rps_fractional: f64,
    /// Errors per second that the replica answers.
    #[prost(double, tag = "7")]
    pub eps: f64,
    /// Whatever else, by names that the application chooses.
    #[prost(btree_map = "string, double", tag = "8")]
    pub named_metrics: BTreeMap<String, f64>,
    /// How busy the application says it is; above 1 when overloaded. 0 means that it does not say.
    #[prost(double, tag = "9")]
    pub application_utilization: f64,
}

/// A trailer that is no load report.
#[derive(Debug, thiserror::Error)]
pub enum LoadReportError {
    /// More than [`REPORT_BYTES_MAX`] bytes.
    #[error("{LOAD_REPORT} has more than {REPORT_BYTES_MAX} bytes; report fewer metrics")]
    TooLong,
    /// No base64.
    #[error("{LOAD_REPORT} is no base64")]
    Base64(#[from] base64::DecodeError),
    /// No `OrcaLoadReport`.
    #[error("{LOAD_REPORT} is no xds.data.orca.v3.OrcaLoadReport")]
    Message(#[from] prost::DecodeError),
}

impl LoadReport {
    /// The report in the trailers of an answer (or in its head, when the answer has no body);
    /// `None` when there is none.
    ///
    /// # Errors
    /// When the trailer is too long or malformed. Such a report is to be left out, not to fail a call.
    pub fn from_trailers(trailers: &HeaderMap) -> Result<Option<Self>, LoadReportError> {
        let Some(value) = trailers.get(LOAD_REPORT) else { return Ok(None) };
        if value.len() > REPORT_BYTES_MAX.div_ceil(3) * 4 {
            return Err(LoadReportError::TooLong);
        }
        Ok(Some(Self::decode(BASE64.decode(value.as_bytes())?.as_slice())?))
    }

    /// The report as the value of [`LOAD_REPORT`].
    ///
    /// # Errors
    /// When there are so many metrics that it is too long.
    pub fn to_trailer(&self) -> Result<HeaderValue, LoadReportError> {
        if self.encoded_len() > REPORT_BYTES_MAX {
            return Err(LoadReportError::TooLong);
        }
        // Base64 consists of characters that a header takes.
        HeaderValue::try_from(BASE64.encode(self.encode_to_vec())).map_err(|_| LoadReportError::TooLong)
    }

    /// The share that balances load: the application's where it says one, else the processors' (A58).
    #[must_use]
    pub fn utilization(&self) -> f64 {
        if self.application_utilization > 0.0 { self.application_utilization } else { self.cpu_utilization }
    }
}

/// The latest report of one replica as far as load balancing needs it, written by every answer and
/// read without a lock.
///
/// Each number is an atomic of its own. A reader that races with a writer may see numbers of two
/// successive reports of the same replica, each of which was true a moment ago: its weight then lies
/// between theirs, until the next look.
#[derive(Debug)]
pub struct LatestReport {
    epoch: Instant,
    rps: AtomicU64,
    eps: AtomicU64,
    utilization: AtomicU64,
    /// Nanoseconds since the epoch, plus 1; 0 when there is no report.
    received: AtomicU64,
    first_received: AtomicU64,
}

/// What a [`LatestReport`] held at one look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReportedLoad {
    /// Requests per second; more than 0.
    pub rps: f64,
    /// Errors per second.
    pub eps: f64,
    /// See [`LoadReport::utilization`]; more than 0.
    pub utilization: f64,
    /// When the report came.
    pub received: Instant,
    /// When the first report came since the last [`clear`](LatestReport::clear).
    pub first_received: Instant,
}

impl LatestReport {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            epoch: now,
            rps: AtomicU64::new(0),
            eps: AtomicU64::new(0),
            utilization: AtomicU64::new(0),
            received: AtomicU64::new(0),
            first_received: AtomicU64::new(0),
        }
    }

    /// Takes a report. One without requests or without a utilization says nothing about load and is
    /// left out (A58), as is one with numbers that are not finite.
    pub fn record(&self, report: &LoadReport, now: Instant) {
        let (rps, eps, utilization) = (report.rps_fractional, report.eps, report.utilization());
        let is_usable = rps > 0.0 && utilization > 0.0 && eps >= 0.0;
        if !is_usable || !(rps + eps + utilization).is_finite() {
            return;
        }
        self.rps.store(rps.to_bits(), Ordering::Relaxed);
        self.eps.store(eps.to_bits(), Ordering::Relaxed);
        self.utilization.store(utilization.to_bits(), Ordering::Relaxed);
        let nanos = now.saturating_duration_since(self.epoch).as_nanos() as u64 + 1;
        if self.received.load(Ordering::Relaxed) == 0 {
            self.first_received.store(nanos, Ordering::Relaxed);
        }
        // Who sees the time sees the numbers.
        self.received.store(nanos, Ordering::Release);
    }

    /// The latest report; `None` when there has been none.
    #[must_use]
    pub fn get(&self) -> Option<ReportedLoad> {
        let received = self.received.load(Ordering::Acquire);
        let at = |nanos: u64| self.epoch + Duration::from_nanos(nanos.saturating_sub(1));
        let number = |bits: &AtomicU64| f64::from_bits(bits.load(Ordering::Relaxed));
        (received != 0).then(|| ReportedLoad {
            rps: number(&self.rps),
            eps: number(&self.eps),
            utilization: number(&self.utilization),
            received: at(received),
            first_received: at(self.first_received.load(Ordering::Relaxed)),
        })
    }

    /// Forgets the report.
    pub fn clear(&self) {
        self.received.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[path = "load_report_tests.rs"]
mod tests;
