//! What calls meet while replicas die, freeze, restart and slow down: this SDK beside tonic's balancing.

mod event;
mod goal;
mod report;
mod round;

use std::path::Path;

use anyhow::{Result, bail};
use clap::Args;

pub(crate) use self::report::median;
use self::{event::Event, report::Row};
use super::{children, peer::Kind};
use crate::shell::say;

/// How failover is measured.
#[derive(Debug, Args)]
pub(crate) struct Failover {
    /// Exits with 1 where this SDK misses a goal.
    #[arg(long)]
    check: bool,
    /// Measures only these events, and what their goals compare with.
    #[arg(long)]
    only: Vec<Event>,
    /// How often each client meets each event.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Measures this SDK alone.
    #[arg(long)]
    no_peers: bool,
}

/// Measures and prints; with `check` a missed goal is an error.
pub(crate) async fn run(arguments: &Failover) -> Result<()> {
    let binary = children::build("xtask")?;
    let events = Event::with_what_they_need(&arguments.only);
    let clients = if arguments.no_peers { [Kind::Plexus].as_slice() } else { &[Kind::Plexus, Kind::Tonic] };
    let mut rows: Vec<Row> = Vec::new();
    for event in events {
        for &client in clients.iter().filter(|&&client| event.concerns(client)) {
            rows.push(measure(&binary, event, client, arguments.rounds).await?);
        }
        report::print(event, &rows);
    }
    let missed: Vec<_> = rows.iter().filter_map(|row| goal::missed(row, &rows)).collect();
    for line in &missed {
        say(&format!("MISSED: {line}"));
    }
    if arguments.check && !missed.is_empty() {
        bail!("{} of this SDK's goals were missed", missed.len());
    }
    Ok(())
}

/// All rounds of one client at one event.
async fn measure(binary: &Path, event: Event, client: Kind, rounds: u32) -> Result<Row> {
    let mut figures = Vec::new();
    for number in 1..=rounds {
        let round = round::run(binary, event, client).await?;
        let round = report::Figures::of(event, &round);
        say(&format!("{} {}, round {number}: {}", event.name(), client.name(), round.summary()));
        figures.push(round);
    }
    Ok(Row { event, client, rounds: figures })
}
