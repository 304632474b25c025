//! The channel against real HTTP/2 servers: generated health clients, port 0, replicas that die.

#[cfg(test)]
mod connections;
#[cfg(test)]
mod deadlines;
#[cfg(test)]
mod ejection;
#[cfg(test)]
mod failover;
#[cfg(test)]
mod health;
#[cfg(test)]
mod hedging;
#[cfg(test)]
mod hedging_elsewhere;
#[cfg(test)]
mod hostile;
#[cfg(test)]
#[cfg(feature = "plexus")]
mod login;
#[cfg(test)]
mod mesh;
#[cfg(test)]
mod placement;
#[cfg(test)]
mod probes;
#[cfg(test)]
#[cfg(unix)]
mod processes;
#[cfg(test)]
mod protection;
#[cfg(test)]
mod refusal;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod replica;
#[cfg(test)]
mod retries;
#[cfg(test)]
mod storms;
#[cfg(test)]
mod telemetry;
#[cfg(test)]
#[cfg(unix)]
mod transports;
#[cfg(test)]
mod waiting;
#[cfg(test)]
mod wire;
