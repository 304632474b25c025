//! What a user of this SDK should meet at each event.

use super::{
    event::Event,
    report::{Figures, Row},
};
use crate::bench::peer::{DEADLINE, Kind};

/// With a frozen replica: p99 beside that of the quiet run.
const FROZEN_P99_MAX: f64 = 2.0;
/// With a slow replica: p99 beside that of five healthy ones.
const SLOW_P99_MAX: f64 = 1.3;
/// How far from its deadline a call may end that nobody can answer.
const DEADLINE_TOLERANCE_MS: f64 = 20.0;
/// More would make an outage worse: retries and hedges have a budget.
const ATTEMPTS_MAX: f64 = 1.2;

/// One goal, with the figure that it judges.
#[derive(Debug)]
pub(super) struct Goal {
    pub(super) text: String,
    pub(super) is_met: bool,
}

/// The goals of a row; other clients have none.
pub(super) fn goals(row: &Row, rows: &[Row]) -> Vec<Goal> {
    if row.client != Kind::Plexus {
        return Vec::new();
    }
    let mut goals = match row.event {
        Event::NoEndpoints | Event::AllDead => vec![at_the_deadline(row)],
        Event::KillOnce => vec![only_what_was_owed(row)],
        _ => vec![no_errors(row)],
    };
    if let Some(goal) = beside_quiet(row, rows) {
        goals.push(goal);
    }
    let ran_twice: usize = row.rounds.iter().map(|round| round.ran_twice).sum();
    goals.push(Goal {
        text: format!("no non-idempotent call runs twice ({ran_twice} did)"),
        is_met: ran_twice == 0,
    });
    let attempts = row.rounds.iter().map(|round| round.attempts).fold(0.0, f64::max);
    goals.push(Goal {
        text: format!("at most {ATTEMPTS_MAX} attempts per call ({attempts:.3} in the worst round)"),
        is_met: attempts <= ATTEMPTS_MAX,
    });
    goals
}

/// The missed goals of a row in one line.
pub(super) fn missed(row: &Row, rows: &[Row]) -> Option<String> {
    let missed = goals(row, rows).into_iter().filter(|goal| !goal.is_met);
    let texts: Vec<String> = missed.map(|goal| goal.text).collect();
    (!texts.is_empty()).then(|| format!("{}: {}", row.event.name(), texts.join("; ")))
}

fn no_errors(row: &Row) -> Goal {
    let errors: usize = row.rounds.iter().map(Figures::error_count).sum();
    let broken: usize = row.rounds.iter().map(|round| round.streams_broken).sum();
    let streams = if broken == 0 { String::new() } else { format!(", {broken} streams broke") };
    Goal { text: format!("0 errors ({errors}{streams})"), is_met: errors + broken == 0 }
}

/// In flight on the killed replica: what had been given to it and not been answered.
fn only_what_was_owed(row: &Row) -> Goal {
    let owed: usize = row.rounds.iter().map(|round| round.owed).sum();
    let beyond: usize = row.rounds.iter().map(|round| round.errors_not_owed).sum();
    Goal {
        text: format!("only calls in flight on that replica fail ({owed} were; {beyond} others failed)"),
        is_met: beyond == 0,
    }
}

fn at_the_deadline(row: &Row) -> Goal {
    let deadline_ms = DEADLINE.as_secs_f64() * 1_000.0;
    let shortest = row.rounds.iter().map(|round| round.shortest_ms).fold(f64::INFINITY, f64::min);
    let longest = row.rounds.iter().map(|round| round.longest_ms).fold(0.0, f64::max);
    let is_in_time =
        shortest >= deadline_ms - DEADLINE_TOLERANCE_MS && longest <= deadline_ms + DEADLINE_TOLERANCE_MS;
    let says_so = row.rounds.iter().all(|round| {
        let apt = ["Unavailable", "DeadlineExceeded"].iter().filter_map(|code| round.errors.get(*code));
        apt.sum::<usize>() == round.calls
    });
    Goal {
        text: format!(
            "ends at {deadline_ms:.0} +-{DEADLINE_TOLERANCE_MS:.0} ms as it should ({shortest:.0} to {longest:.0} ms)"
        ),
        is_met: is_in_time && says_so,
    }
}

/// p99 beside that of the same client while nothing happened.
fn beside_quiet(row: &Row, rows: &[Row]) -> Option<Goal> {
    let compared_with = row.event.compared_with()?;
    let quiet = rows.iter().find(|other| other.event == compared_with && other.client == row.client)?;
    let factor = if row.event == Event::Freeze { FROZEN_P99_MAX } else { SLOW_P99_MAX };
    let (p99, quiet_p99) = (row.median(|round| round.p99_ms), quiet.median(|round| round.p99_ms));
    Some(Goal {
        text: format!(
            "p99 at most {factor} x {} ({p99:.1} / {quiet_p99:.1} ms = {:.2})",
            compared_with.name(),
            p99 / quiet_p99
        ),
        is_met: p99 <= factor * quiet_p99,
    })
}
