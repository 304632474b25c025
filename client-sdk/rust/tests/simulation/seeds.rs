//! Runs seeds, and says of each that fails how to run it alone.

use std::{
    collections::BTreeMap,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    invariants::{self, Violation},
    plan::Plan,
    record::{Event, What},
    world,
};

/// What `cargo test` runs; `cargo xtask soak` runs thousands.
const SEEDS: Range<u64> = 0..8;

/// The most violations of one seed that are printed.
const SHOWN_MAX: usize = 3;

/// Runs the seed of the variable `PLEXUS_SEED` alone. With `PLEXUS_TRACE` it prints all that happened, and
/// the log lines that this filter lets through, such as `plexus_client=debug,h2=debug,turmoil=trace`.
#[test]
fn one_seed() {
    let Some(seed) = setting("PLEXUS_SEED") else { return };
    let plan = Arc::new(Plan::of(seed.parse().expect("PLEXUS_SEED is a number")));
    let filter = setting("PLEXUS_TRACE");
    if let Some(filter) = &filter {
        tracing_subscriber::fmt().with_env_filter(filter).without_time().init();
    }
    let record = world::run(&plan);
    if filter.is_some() {
        println!("{plan:#?}");
        for Event { at, what } in record.events() {
            println!("{at:>12.3?} {what:?}");
        }
    }
    println!("trace {:016x}", record.trace());
    let violations = invariants::broken(&plan, &record.events());
    assert!(violations.is_empty(), "{}", report(plan.seed, &violations, usize::MAX));
}

#[test]
fn no_seed_breaks_an_invariant() {
    let seeds = setting("PLEXUS_SEEDS").map_or(SEEDS, |text| {
        let range = text.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
        range.expect("PLEXUS_SEEDS is from..to")
    });
    let next = AtomicU64::new(seeds.start);
    let seen = Mutex::new(Seen::default());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().unwrap().get() {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    run(seed, &seen);
                }
            });
        }
    });
    let seen = seen.into_inner().unwrap();
    println!("{}", seen.summary());
    assert!(seen.failures.is_empty(), "{} seeds failed:\n{}", seen.failures.len(), seen.failures.join("\n"));
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    // In one of them many calls wait for a replica at once, in the other many end with one connection.
    for seed in [4, 29] {
        let plan = Arc::new(Plan::of(seed));
        let traces = [world::run(&plan).trace(), world::run(&plan).trace()];
        assert_eq!(traces[0], traces[1], "seed {seed}");
    }
}

/// What all runs together met.
#[derive(Default)]
struct Seen {
    runs: u64,
    calls: usize,
    faults: BTreeMap<String, usize>,
    outcomes: BTreeMap<String, usize>,
    broken: BTreeMap<&'static str, usize>,
    failures: Vec<String>,
}

fn run(seed: u64, seen: &Mutex<Seen>) {
    let plan = Arc::new(Plan::of(seed));
    let ran = catch_unwind(AssertUnwindSafe(|| {
        let events = world::run(&plan).events();
        let violations = invariants::broken(&plan, &events);
        (events, violations)
    }));
    let mut seen = seen.lock().unwrap();
    seen.runs += 1;
    seen.calls += plan.calls.len();
    let Ok((events, violations)) = ran else {
        seen.failures.push(format!("seed {seed} panicked; {}", command(seed)));
        return;
    };
    for event in events {
        match event.what {
            What::Fault { fault, begins: true } => {
                let name = format!("{:?}", fault.kind);
                *seen.faults.entry(name.split('(').next().unwrap_or_default().to_owned()).or_default() += 1;
            }
            What::Ended { outcome, .. } => *seen.outcomes.entry(outcome.name()).or_default() += 1,
            _ => {}
        }
    }
    for violation in &violations {
        *seen.broken.entry(violation.invariant).or_default() += 1;
    }
    if !violations.is_empty() {
        seen.failures.push(report(seed, &violations, SHOWN_MAX));
    }
}

impl Seen {
    fn summary(&self) -> String {
        format!(
            "{} runs, {} calls\nfaults: {:?}\noutcomes: {:?}\nbroken: {:?}",
            self.runs, self.calls, self.faults, self.outcomes, self.broken
        )
    }
}

fn report(seed: u64, violations: &[Violation], shown: usize) -> String {
    let texts: Vec<_> = violations
        .iter()
        .take(shown)
        .map(|violation| format!("  broken: {}\n    {}", violation.invariant, violation.text))
        .collect();
    format!("seed {seed}, {} violations; {}\n{}", violations.len(), command(seed), texts.join("\n"))
}

fn command(seed: u64) -> String {
    format!(
        "run it alone with\n  PLEXUS_SEED={seed} cargo test -p plexus-client --test simulation -- one_seed"
    )
}

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
