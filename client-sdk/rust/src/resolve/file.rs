//! Members from a file that is watched.
//!
//! ```json
//! {"endpoints": [{"address": "10.0.0.7:50052", "weight": 1, "zone": "a", "priority": 0}]}
//! ```
//! Only `address` is required; a field of another name is an error, so that a slip of the pen shows.

use std::{
    collections::HashSet,
    fs, io,
    io::Read as _,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Deserializer, de::Error as _};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::{Member, Resolution, Resolve, publisher::Publisher};
use crate::{address::Address, failure::describe};

/// How often the file is looked at, by default. One `stat` costs microseconds, and polling works where
/// notifications of the kernel do not: network file systems and the links of a mounted config map.
pub const FILE_INTERVAL: Duration = Duration::from_secs(1);

/// The largest file that is read, in bytes: [`MEMBERS_MAX`](super::MEMBERS_MAX) members of 400 bytes.
pub const FILE_BYTES_MAX: u64 = 4_000_000;

/// How old a modification must be for its time to prove anything: file systems count in steps of up to
/// 2 s, and two writes within one step look alike.
const MODIFICATION_STEP: Duration = Duration::from_secs(2);

/// Follows a file. A missing, half-written or invalid file leaves the last good set in place.
///
/// The file may be replaced by a rename, written in place, or be a link that changes its target.
#[derive(Debug)]
pub struct FileResolver {
    publisher: Publisher,
    _task: AbortOnDropHandle<()>,
}

impl FileResolver {
    /// Follows this file, looking every [`FILE_INTERVAL`]. To be called inside a Tokio runtime.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self::with_interval(path, FILE_INTERVAL)
    }

    /// Follows this file, looking this often. To be called inside a Tokio runtime.
    pub fn with_interval(path: impl Into<PathBuf>, interval: Duration) -> Self {
        let path = path.into();
        let publisher = Publisher::new(path.display().to_string());
        let task = tokio::spawn(follow(path, interval, publisher.clone()));
        Self { publisher, _task: AbortOnDropHandle::new(task) }
    }
}

impl Resolve for FileResolver {
    fn watch(&self) -> watch::Receiver<Resolution> {
        self.publisher.subscribe()
    }
}

/// Why a file gives no members.
#[derive(Debug, thiserror::Error)]
enum FileError {
    #[error("{0} cannot be read")]
    Read(PathBuf, #[source] io::Error),
    #[error("{0} is larger than {FILE_BYTES_MAX} bytes")]
    TooLarge(PathBuf),
    #[error("{0} is invalid at {1}")]
    Invalid(PathBuf, String, #[source] serde_json::Error),
    #[error("{0} is invalid at endpoints[{1}].address: {2} is listed twice")]
    Twice(PathBuf, usize, Address),
}

async fn follow(path: PathBuf, interval: Duration, publisher: Publisher) {
    let path: Arc<Path> = path.into();
    let mut seen = None;
    loop {
        let (path, before) = (Arc::clone(&path), seen);
        // Fails only when the runtime is going away.
        let Ok((stamp, outcome)) = tokio::task::spawn_blocking(move || look(&path, before)).await else {
            return;
        };
        seen = stamp;
        match outcome {
            Ok(None) => {}
            Ok(Some(members)) => {
                publisher.publish(members);
            }
            Err(error) => publisher.fail(describe(&error)),
        }
        tokio::time::sleep(interval).await;
    }
}

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    bytes: u64,
    inode: u64,
}

impl Stamp {
    fn of(metadata: &fs::Metadata) -> io::Result<Self> {
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(metadata);
        #[cfg(not(unix))]
        let inode = 0;
        Ok(Self { modified: metadata.modified()?, bytes: metadata.len(), inode })
    }

    /// Whether a later write would show. A time in the future never does.
    fn is_settled(&self) -> bool {
        SystemTime::now().duration_since(self.modified).is_ok_and(|age| age > MODIFICATION_STEP)
    }
}

/// Reads the file, unless it is surely the one that was seen before. The new stamp is absent when the
/// file has to be read again in any case.
fn look(path: &Path, seen: Option<Stamp>) -> (Option<Stamp>, Result<Option<Vec<Member>>, FileError>) {
    let read = |error| FileError::Read(path.to_owned(), error);
    // Before the content: a write in between shows at the next look.
    let stamp = match fs::metadata(path).and_then(|metadata| Stamp::of(&metadata)) {
        Ok(stamp) if seen == Some(stamp) => return (seen, Ok(None)),
        Ok(stamp) => stamp,
        Err(error) => return (None, Err(read(error))),
    };
    let settled = stamp.is_settled().then_some(stamp);
    let mut content = Vec::new();
    let opened = fs::File::open(path);
    match opened.and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut content)) {
        Err(error) => (None, Err(read(error))),
        Ok(_) if content.len() as u64 > FILE_BYTES_MAX => {
            (settled, Err(FileError::TooLarge(path.to_owned())))
        }
        Ok(_) => (settled, parse(path, &content).map(Some)),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    endpoints: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(deserialize_with = "address")]
    address: Address,
    weight: Option<NonZeroU32>,
    #[serde(default)]
    zone: String,
    #[serde(default)]
    priority: u32,
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

fn parse(path: &Path, content: &[u8]) -> Result<Vec<Member>, FileError> {
    let mut json = serde_json::Deserializer::from_slice(content);
    let document: Document = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| FileError::Invalid(path.to_owned(), error.path().to_string(), error.into_inner()))?;
    json.end().map_err(|error| FileError::Invalid(path.to_owned(), "its end".to_owned(), error))?;
    let mut addresses = HashSet::new();
    for (index, entry) in document.endpoints.iter().enumerate() {
        if !addresses.insert(&entry.address) {
            return Err(FileError::Twice(path.to_owned(), index, entry.address.clone()));
        }
    }
    let member = |entry: Entry| {
        let weight = entry.weight.map_or(1, NonZeroU32::get);
        Member::new(entry.address).weight(weight).zone(entry.zone).priority(entry.priority)
    };
    Ok(document.endpoints.into_iter().map(member).collect())
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
