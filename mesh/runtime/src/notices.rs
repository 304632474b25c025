//! What a service has to say to the person who started it, once, on standard output and not through the log.

use std::sync::{Arc, Mutex, PoisonError};

/// Notices wait here for the binary to print them; more than these would scroll away unread.
const NOTICES_MAX: usize = 16;

/// Notices of a process; clones share them.
#[derive(Clone, Default)]
pub struct Notices(Arc<Mutex<Vec<String>>>);

impl Notices {
    /// Leaves a notice, such as the password of the first administrator.
    pub fn say(&self, text: impl Into<String>) {
        let mut notices = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if notices.len() < NOTICES_MAX {
            notices.push(text.into());
        }
    }

    /// Takes all notices; they are not kept.
    #[must_use]
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl std::fmt::Debug for Notices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Notices")
    }
}
