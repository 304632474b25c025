//! The channel against real HTTP/2 servers: generated health clients, port 0, replicas that die.

#[cfg(test)]
mod deadlines;
#[cfg(test)]
mod failover;
#[cfg(test)]
#[cfg(feature = "plexus")]
mod login;
#[cfg(test)]
mod mesh;
#[cfg(test)]
mod probes;
#[cfg(test)]
mod refusal;
#[cfg(test)]
mod replica;
#[cfg(test)]
mod telemetry;
