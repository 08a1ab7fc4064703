//! The lines that a test's thread logs, for tests that read them.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use tracing::subscriber::DefaultGuard;

/// Keeps what the thread logs as long as it lives.
pub(crate) struct LogLines {
    kept: Kept,
    _until_dropped: DefaultGuard,
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl LogLines {
    /// Keeps lines from now on.
    pub(crate) fn keep() -> Self {
        let kept = Kept::default();
        let of_writer = kept.clone();
        let lines =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || of_writer.clone()).finish();
        Self { kept, _until_dropped: tracing::subscriber::set_default(lines) }
    }

    /// The lines so far that contain `part`.
    pub(crate) fn with(&self, part: &str) -> Vec<String> {
        let bytes = self.kept.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let text = String::from_utf8_lossy(&bytes);
        text.lines().filter(|line| line.contains(part)).map(str::to_owned).collect()
    }
}
