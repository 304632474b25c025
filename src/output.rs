//! Standard output, where whoever reads may stop reading: `plexus call … | head`.

use std::io::{self, Write as _};

/// Prints a line.
///
/// # Errors
/// When nobody reads any more, which is no failure of the command.
pub(crate) fn line(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// Whether `error` only means that nobody reads any more.
pub(crate) fn is_unread(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref::<io::Error>();
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
