//! What verifiers of tokens have to know, the keys and the roles, kept up to date at every replica.

use std::{fmt, future::pending, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use plexus_runtime::{
    identity::{Jwk, Role as TrustedRole, Trust, TrustState},
    service::Dependencies,
    stores::{database::Database, shared::Shared},
};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    time::sleep,
};
use tokio_stream::wrappers::WatchStream;
use tokio_util::sync::CancellationToken;

use crate::{error::Error, role::Role, store::roles};

/// Replicas that hear nothing through the shared tier find a change this much later.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Where a replica that changed something tells the others to look.
const CHANNEL: &str = "auth.trust";
/// Open streams per replica: each replica of each other service holds one, and a mesh has tens of them.
const WATCHERS_MAX: usize = 512;

/// The keys and roles of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bundle {
    /// Grows with every change; the same at every replica.
    pub(crate) version: i64,
    /// The public keys.
    pub(crate) keys: Vec<Jwk>,
    /// All roles, by name.
    pub(crate) roles: Vec<Role>,
}

/// The newest bundle and those who watch it; clones share both.
#[derive(Clone)]
pub(crate) struct Feed {
    newest: watch::Sender<Arc<Bundle>>,
    watchers: Arc<Semaphore>,
    database: Database,
    shared: Shared,
    trust: Trust,
    stop: CancellationToken,
}

impl Feed {
    /// Reads the present state, publishes it to this replica's own verifier and keeps following the store.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn start(with: &Dependencies, keys: Vec<Jwk>) -> Result<Self, Error> {
        let first = load(&with.database, keys).await?;
        with.trust.publish(&state(&first));
        let feed = Self {
            newest: watch::Sender::new(Arc::new(first)),
            watchers: Arc::new(Semaphore::new(WATCHERS_MAX)),
            database: with.database.clone(),
            shared: with.shared.clone(),
            trust: with.trust.clone(),
            stop: with.tasks.stopping().clone(),
        };
        with.tasks.spawn("follow_trust", |stop| feed.clone().follow(stop));
        Ok(feed)
    }

    /// The newest bundle.
    #[must_use]
    pub(crate) fn newest(&self) -> Arc<Bundle> {
        Arc::clone(&self.newest.borrow())
    }

    /// The newest bundle at once, and each newer one, until the service stops.
    ///
    /// # Errors
    /// [`Error::WatchersFull`] when enough streams are open.
    pub(crate) fn watch(&self) -> Result<impl Stream<Item = Arc<Bundle>> + Send + use<>, Error> {
        let place = Arc::clone(&self.watchers).try_acquire_owned().map_err(|_| Error::WatchersFull)?;
        let bundles =
            WatchStream::new(self.newest.subscribe()).take_until(self.stop.clone().cancelled_owned());
        Ok(bundles.map(move |bundle| {
            let _held_as_long_as_the_stream = &place;
            bundle
        }))
    }

    /// Takes over a change that this replica has just made, and tells the others.
    pub(crate) async fn changed(&self) {
        self.look().await;
        if let Err(error) = self.shared.publish(CHANNEL, Bytes::new()).await {
            tracing::debug!(%error, "the other replicas will find the change of roles by polling");
        }
    }

    /// Takes over whatever the store holds that is newer. A failure is left to the next look.
    async fn look(&self) {
        match self.load_newer().await {
            Ok(None) => {}
            Ok(Some(newer)) => {
                self.newest.send_if_modified(|newest| {
                    let is_newer = newer.version > newest.version;
                    if is_newer {
                        self.trust.publish(&state(&newer));
                        *newest = Arc::new(newer);
                    }
                    is_newer
                });
            }
            Err(error) => tracing::debug!(%error, "the store could not be asked for changes of roles"),
        }
    }

    async fn load_newer(&self) -> Result<Option<Bundle>, Error> {
        let known = self.newest();
        if roles::version(&self.database).await? <= known.version {
            return Ok(None);
        }
        load(&self.database, known.keys.clone()).await.map(Some)
    }

    async fn follow(self, stop: CancellationToken) {
        let mut hints = None;
        loop {
            if hints.is_none() {
                hints = self.shared.subscribe(CHANNEL).await.ok();
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(POLL_INTERVAL) => {}
                () = hint(&mut hints) => {}
            }
            self.look().await;
        }
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("version", &self.newest.borrow().version).finish_non_exhaustive()
    }
}

/// Waits for the next message; a lost subscription is forgotten, so that it is taken up again.
async fn hint(hints: &mut Option<mpsc::Receiver<Bytes>>) {
    match hints {
        Some(messages) => {
            if messages.recv().await.is_none() {
                *hints = None;
            }
        }
        None => pending().await,
    }
}

/// The version is read before the roles: roles that are newer than it come again with the next look, none is missed.
async fn load(database: &Database, keys: Vec<Jwk>) -> Result<Bundle, Error> {
    let version = roles::version(database).await?;
    Ok(Bundle { version, keys, roles: roles::all(database.reads()).await? })
}

fn state(bundle: &Bundle) -> TrustState {
    let roles = bundle.roles.iter();
    let roles =
        roles.map(|role| TrustedRole { name: role.name.clone(), permissions: role.permissions.clone() });
    TrustState { keys: bundle.keys.clone(), roles: roles.collect() }
}
