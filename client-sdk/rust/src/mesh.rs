//! The channels of a process: one for each target, all made alike.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    builder::ChannelBuilder,
    channel::Channel,
    resolve::{Resolve, Target, TargetError},
};

/// The most targets of one mesh. A process calls some dozen; so many say that targets come from requests,
/// and each holds its connections for as long as the mesh is there.
pub const CHANNELS_MAX: usize = 1_000;

/// Makes the channels of a process and keeps them. Clones share them.
///
/// ```no_run
/// # fn example() -> Result<(), plexus_client::MeshError> {
/// let mesh = plexus_client::Mesh::builder().build();
/// let channel = mesh.channel("10.0.0.7:50052,10.0.0.8:50052")?;
/// // let mut quota = QuotaServiceClient::new(channel);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Mesh {
    shared: Arc<Shared>,
}

struct Shared {
    template: ChannelBuilder,
    registered: HashMap<String, Arc<dyn Resolve>>,
    channels: Mutex<HashMap<String, Channel>>,
}

impl Mesh {
    /// Begins a mesh whose channels have the defaults.
    pub fn builder() -> MeshBuilder {
        MeshBuilder { template: Channel::builder(""), registered: HashMap::new() }
    }

    /// The channel to a [`Target`] such as `10.0.0.7:50052,10.0.0.8:50052`, or to a
    /// [registered](MeshBuilder::target) name. Errors and telemetry name the target by this text.
    ///
    /// The first call for a target starts connecting and answers at once; later ones, from any clone, get
    /// the same connections. It takes a lock, so keep the channel rather than ask for each call. To be
    /// called inside a Tokio runtime.
    ///
    /// # Errors
    /// When the text is neither, or there are [`CHANNELS_MAX`] channels.
    pub fn channel(&self, target: &str) -> Result<Channel, MeshError> {
        let mut channels = self.shared.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = channels.get(target) {
            return Ok(channel.clone());
        }
        if channels.len() >= CHANNELS_MAX {
            return Err(MeshError::TooMany);
        }
        let resolver = match self.shared.registered.get(target) {
            Some(resolver) => Arc::clone(resolver),
            None if !target.contains(':') => return Err(MeshError::Unknown(target.to_owned())),
            None => target.parse::<Target>()?.resolver()?,
        };
        let channel = self.shared.template.clone().name(target).resolver(resolver).build();
        channels.insert(target.to_owned(), channel.clone());
        Ok(channel)
    }
}

impl fmt::Debug for Mesh {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let channels = self.shared.channels.lock().unwrap_or_else(PoisonError::into_inner);
        formatter.debug_struct("Mesh").field("channels", &channels).finish_non_exhaustive()
    }
}

/// Makes a [`Mesh`].
#[derive(Clone)]
#[must_use]
pub struct MeshBuilder {
    template: ChannelBuilder,
    registered: HashMap<String, Arc<dyn Resolve>>,
}

impl MeshBuilder {
    /// Says what holds for all channels, such as
    /// `Mesh::builder().channels(|channel| channel.token(token).zone("a"))`. Endpoints and resolvers are
    /// those of each target, whatever is said here of them.
    pub fn channels(mut self, choose: impl FnOnce(ChannelBuilder) -> ChannelBuilder) -> Self {
        self.template = choose(self.template);
        self
    }

    /// As [`channels`](Self::channels), for what may be refused:
    /// `Mesh::builder().try_channels(|channel| channel.service_config(json))?`.
    ///
    /// # Errors
    /// That of `choose`.
    pub fn try_channels<E>(
        mut self,
        choose: impl FnOnce(ChannelBuilder) -> Result<ChannelBuilder, E>,
    ) -> Result<Self, E> {
        self.template = choose(self.template)?;
        Ok(self)
    }

    /// Lets this name stand for the replicas that the resolver yields. The last resolver of a name counts;
    /// a name that is a target itself stands for the resolver, too.
    pub fn target(mut self, name: &str, resolver: impl Resolve) -> Self {
        self.registered.insert(name.to_owned(), Arc::new(resolver));
        self
    }

    /// The mesh. Nothing is connected yet.
    #[must_use]
    pub fn build(self) -> Mesh {
        let Self { template, registered } = self;
        Mesh { shared: Arc::new(Shared { template, registered, channels: Mutex::default() }) }
    }
}

/// Why a mesh has no channel to a target.
#[derive(Debug, thiserror::Error)]
pub enum MeshError {
    /// A name that nobody registered, and that is no target either.
    #[error(
        "{0:?} is not registered and has no port; register it with MeshBuilder::target, or give a target such \
         as host:port or dns:///host:port"
    )]
    Unknown(String),
    /// The target cannot be used.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// There are too many channels.
    #[error("there are {CHANNELS_MAX} channels already; make a mesh for a fixed set of targets")]
    TooMany,
}
