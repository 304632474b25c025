//! A gRPC channel that balances and fails over, for any tonic-generated client.
//!
//! A [`Channel`] holds one HTTP/2 connection to each replica of a target and sends each call to the
//! better of two random ones:
//!
//! ```no_run
//! # fn example() -> Result<(), plexus_client::MeshError> {
//! use plexus_client::Mesh;
//!
//! let mesh = Mesh::builder().build();
//! let channel = mesh.channel("10.0.0.7:50052,10.0.0.8:50052")?;
//! // let mut quota = QuotaServiceClient::new(channel);
//! # Ok(()) }
//! ```
//!
//! Where to look, in the order in which a call meets it:
//! - [`mesh`]: the channels of a process, by target ([`Target`]);
//! - [`channel`] and [`builder`]: the service that generated clients take, and what can be chosen;
//! - [`deadline`]: what bounds a call, and how calls inside a call inherit it;
//! - [`token`]: who calls;
//! - [`methods`], [`service_config`] and `plan`: how calls of a method are made;
//! - `call`, `ready` and `attempt`: one call, waiting for an endpoint, and each time that it is sent;
//!   [`retry`] says when it is sent again;
//! - [`pick`], [`load`] and [`load_report`]: which endpoint gets the call; `probe` asks endpoints how busy
//!   they are, over `direct`, for policies that want to know;
//! - [`resolve`]: which endpoints there are; `pool` keeps them, [`selection`], [`subset`] and
//!   [`slow_start`] say which take calls, [`ejection`] and `health_watch` which do not;
//! - `supervise`, `connection` and [`connect`]: keeping them connected, slowed down by [`backoff`];
//! - [`limits`] and [`concurrency`]: how many calls at once;
//! - [`telemetry`]: the spans and the metrics of a channel, and their names.

pub mod address;
mod attempt;
pub mod backoff;
pub mod builder;
mod call;
pub mod channel;
pub mod concurrency;
mod configured;
pub mod connect;
mod connection;
pub mod deadline;
mod direct;
pub mod ejection;
pub mod endpoint;
mod failure;
mod health_watch;
mod latency;
pub mod limits;
pub mod load;
pub mod load_report;
pub mod mesh;
pub mod methods;
mod outliers;
pub mod pick;
mod plan;
#[cfg(feature = "plexus")]
pub mod plexus;
mod pool;
mod probe;
mod random;
mod ready;
mod request_body;
pub mod resolve;
mod response_body;
pub mod retry;
pub mod selection;
pub mod service_config;
pub mod slow_start;
pub mod subset;
mod supervise;
pub mod telemetry;
pub mod token;
mod watched;

pub use address::{Address, AddressError};
pub use builder::ChannelBuilder;
pub use channel::Channel;
pub use endpoint::{ConnectionState, EndpointStatus};
pub use mesh::{Mesh, MeshBuilder, MeshError};
pub use methods::{MethodInfo, MethodTable};
pub use plan::Hedging;
pub use resolve::{ManualResolver, Member, Resolution, Resolve, StaticResolver, Target, TargetError};
pub use service_config::ServiceConfig;
pub use token::{StaticToken, TokenSource};

/// Compiles the examples of the page for users of plain tonic.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
