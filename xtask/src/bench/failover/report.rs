//! The figures of a round, and the table of an event.

use std::{collections::BTreeMap, time::Duration};

use tonic::Code;

use super::{event::Event, goal, round::Round};
use crate::bench::{
    drive::{Call, HANGS},
    peer::Kind,
};

/// How long after a kill a call may still be given to the dead replica: one turn of the client's event
/// loop, on a machine whose processors are all busy.
const DETECTION: Duration = Duration::from_millis(5);

/// All rounds of one client at one event.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) event: Event,
    pub(super) client: Kind,
    pub(super) rounds: Vec<Figures>,
}

/// What one round amounts to. Latencies are of all calls, failed ones included.
#[derive(Debug)]
pub(super) struct Figures {
    pub(super) calls: usize,
    pub(super) errors: BTreeMap<String, usize>,
    /// After the event.
    pub(super) last_error_ms: Option<f64>,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) p999_ms: f64,
    pub(super) shortest_ms: f64,
    pub(super) longest_ms: f64,
    /// What the replicas began, for each call.
    pub(super) attempts: f64,
    /// Calls that may run only once and did more often.
    pub(super) ran_twice: usize,
    /// Calls whose answer a killed replica owed.
    pub(super) owed: usize,
    /// Calls that failed though no killed replica owed their answer.
    pub(super) errors_not_owed: usize,
    pub(super) streams_broken: usize,
    pub(super) undrained: usize,
    pub(super) examples: Vec<String>,
}

impl Figures {
    pub(super) fn of(event: Event, round: &Round) -> Self {
        let calls = &round.outcome.calls;
        let mut latencies: Vec<u64> = calls.iter().map(|call| call.latency_us).collect();
        latencies.sort_unstable();
        let at = |thousandth: usize| {
            millis(latencies.get(latencies.len() * thousandth / 1_000).copied().unwrap_or_default())
        };
        let failed: Vec<&Call> = calls.iter().filter(|call| call.code != 0).collect();
        let mut errors = BTreeMap::new();
        for call in &failed {
            *errors.entry(code_name(call.code)).or_default() += 1;
        }
        let last_error_us = failed.iter().map(|call| call.due_us + call.latency_us).max();
        let begun = |number: usize| -> usize {
            round.logs.iter().filter_map(|log| log.get(&number)).map(|runs| runs.begun).sum()
        };
        let attempts: usize = calls.iter().map(|call| begun(call.number)).sum();
        let is_once = |call: &&Call| event.plan().calls.is_once(call.number);
        Self {
            calls: calls.len(),
            errors,
            last_error_ms: last_error_us.map(|end| millis(end) - millis(event.at_ms() * 1_000)),
            p50_ms: at(500),
            p99_ms: at(990),
            p999_ms: at(999),
            shortest_ms: at(0),
            longest_ms: millis(latencies.last().copied().unwrap_or_default()),
            attempts: ratio(attempts, calls.len()),
            ran_twice: calls.iter().filter(is_once).filter(|call| begun(call.number) > 1).count(),
            owed: calls.iter().filter(|call| is_owed(call, round)).count(),
            errors_not_owed: failed.iter().filter(|call| !is_owed(call, round)).count(),
            streams_broken: round.outcome.streams_broken,
            undrained: round.undrained,
            examples: round.outcome.errors.clone(),
        }
    }

    pub(super) fn error_count(&self) -> usize {
        self.errors.values().sum()
    }

    /// For the person who waits.
    pub(super) fn summary(&self) -> String {
        let Self { calls, p50_ms, p99_ms, longest_ms, .. } = self;
        let errors = self.error_count();
        let mut text = format!(
            "{errors} of {calls} calls failed; p50 {p50_ms:.1} ms, p99 {p99_ms:.1} ms, longest {longest_ms:.0} ms"
        );
        if self.undrained > 0 {
            text.push_str(&format!("; {} replicas had to be killed after SIGTERM", self.undrained));
        }
        for example in &self.examples {
            text.push_str(&format!("\n    {example}"));
        }
        text
    }
}

/// Whether the killed replica, the first one, owed the answer of this call: the call was open when the
/// replica died, had not ended there, and no other replica has begun it.
fn is_owed(call: &Call, round: &Round) -> bool {
    let Some((from, until)) = round.killed_us else { return false };
    let until = until + u64::try_from(DETECTION.as_micros()).unwrap_or_default();
    let was_open = call.due_us <= until && call.due_us + call.latency_us >= from;
    let is_there = |log: &super::round::Log| log.contains_key(&call.number);
    let was_answered = round.logs[0].get(&call.number).is_some_and(|runs| runs.ended > 0) && call.code == 0;
    was_open && !was_answered && !round.logs[1..].iter().any(is_there)
}

/// Prints the table of an event.
#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
pub(super) fn print(event: Event, rows: &[Row]) {
    let plan = event.plan();
    let calls = plan.rate * plan.seconds;
    println!("\n{} ({calls} calls, {} per second, replicas: {})", event.name(), plan.rate, plan.replicas);
    println!(
        "  {:<8}{:>9}{:>9}{:>13}{:>10}{:>10}{:>10}{:>10}{:>11}  errors by code",
        "client", "errors", "share", "last after", "p50 ms", "p99 ms", "p99.9 ms", "attempts", "ran twice"
    );
    for row in rows.iter().filter(|row| row.event == event) {
        println!("  {}", line(row).trim_end());
        for goal in goal::goals(row, rows) {
            println!("          goal: {:<66} {}", goal.text, if goal.is_met { "met" } else { "MISSED" });
        }
    }
}

fn line(row: &Row) -> String {
    let rounds = &row.rounds;
    let errors: usize = rounds.iter().map(Figures::error_count).sum();
    let calls: usize = rounds.iter().map(|round| round.calls).sum();
    let last = rounds.iter().filter_map(|round| round.last_error_ms).reduce(f64::max);
    let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
    for (code, count) in rounds.iter().flat_map(|round| &round.errors) {
        *codes.entry(code).or_default() += count;
    }
    let codes: Vec<String> = codes.iter().map(|(code, count)| format!("{code} {count}")).collect();
    format!(
        "{:<8}{errors:>9}{:>8.2}%{:>13}{:>10.1}{:>10.1}{:>10.1}{:>10.3}{:>11}  {}",
        row.client.name(),
        100.0 * ratio(errors, calls),
        last.map_or_else(|| "-".to_owned(), |last| format!("{:.3} s", last / 1_000.0)),
        row.median(|round| round.p50_ms),
        row.median(|round| round.p99_ms),
        row.median(|round| round.p999_ms),
        row.median(|round| round.attempts),
        rounds.iter().map(|round| round.ran_twice).sum::<usize>(),
        codes.join(", "),
    )
}

impl Row {
    /// The median over the rounds.
    pub(super) fn median(&self, figure: impl Fn(&Figures) -> f64) -> f64 {
        median(self.rounds.iter().map(figure).collect())
    }
}

/// The middle one; of an even number the upper of the two.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

fn code_name(code: i32) -> String {
    if code == HANGS { "hangs".to_owned() } else { format!("{:?}", Code::from_i32(code)) }
}

#[expect(clippy::cast_precision_loss, reason = "no measurement lasts 2^52 microseconds")]
fn millis(micros: u64) -> f64 {
    micros as f64 / 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "no measurement makes 2^52 calls")]
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
