//! A gRPC channel that balances and fails over, for any tonic-generated client.
//!
//! A [`Channel`] holds one HTTP/2 connection to each replica of a target and sends each call to the
//! better of two random ones:
//!
//! ```no_run
//! # async fn example() -> Result<(), plexus_client::AddressError> {
//! use plexus_client::{Address, Channel};
//!
//! let replicas: Vec<Address> = vec!["10.0.0.7:50052".parse()?, "10.0.0.8:50052".parse()?];
//! let channel = Channel::builder("quota").endpoints(replicas).build();
//! // let mut quota = QuotaServiceClient::new(channel);
//! # Ok(()) }
//! ```
//!
//! Where to look, in the order in which a call meets it:
//! - [`channel`] and [`builder`]: the service that generated clients take, and what can be chosen;
//! - [`deadline`]: what bounds a call, and how calls inside a call inherit it;
//! - [`token`]: who calls;
//! - [`resolver`]: which replicas there are; `pool` and `connection` keep them connected through a
//!   [`connector`], slowed down by [`backoff`];
//! - [`picker`] and [`load`]: which replica gets the call;
//! - `call`: waiting, sending, and sending again what no server has processed;
//! - `trace` and `propagation`: the span of a call, and its trace in the request.
//!
//! Deliberately absent: repeating what a server may have processed, hedging, and ejecting replicas
//! that answer with errors.

pub mod address;
pub mod backoff;
pub mod builder;
mod call;
pub mod channel;
mod connection;
pub mod connector;
pub mod deadline;
pub mod endpoint;
mod failure;
pub mod limits;
pub mod load;
pub mod picker;
#[cfg(feature = "plexus")]
pub mod plexus;
mod pool;
mod preface;
mod propagation;
mod request_body;
pub mod resolver;
mod response_body;
pub mod token;
mod trace;

pub use address::{Address, AddressError};
pub use builder::ChannelBuilder;
pub use channel::Channel;
pub use endpoint::{ConnectionState, EndpointStatus};
pub use resolver::{ManualResolver, Resolve, StaticResolver};
pub use token::{StaticToken, TokenSource};
