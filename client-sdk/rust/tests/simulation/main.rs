//! The channel in a simulated world: real HTTP/2 bytes over simulated TCP, one thread, seeded time and faults.

#[cfg(test)]
mod black_hole;
#[cfg(test)]
mod budget;
#[cfg(test)]
mod caller;
#[cfg(test)]
mod danger;
#[cfg(test)]
mod dice;
#[cfg(test)]
mod invariants;
#[cfg(test)]
mod linger;
#[cfg(test)]
mod network;
#[cfg(test)]
mod payload;
#[cfg(test)]
mod plan;
#[cfg(test)]
mod reconnects;
#[cfg(test)]
mod record;
#[cfg(test)]
mod replica;
#[cfg(test)]
mod sdk;
#[cfg(test)]
mod seeds;
#[cfg(test)]
mod story;
#[cfg(test)]
mod world;
