//! The thread of a stream's recorder. It has its own thread because cards stall. A panic in the recorder costs at most a piece of the recording.

use super::recordings::Recordings;
use super::trouble::Trouble;
use super::writing::{About, WANT, Writing};
use crate::broadcast::{Broadcast, Start, Want};
use crate::clock::Clock;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Starts recording a stream. The recorder ends when the broadcast closes, after closing its file; the receiver then resolves.
pub(crate) fn spawn(
    broadcast: &Broadcast,
    recordings: &Recordings,
    about: About,
    clock: Arc<dyn Clock>,
) -> io::Result<oneshot::Receiver<()>> {
    let (mut reader, broadcast) = (broadcast.subscribe(WANT), broadcast.clone());
    let (recordings, runtime) = (recordings.clone(), Handle::current());
    let (running, ended) = oneshot::channel();
    std::thread::Builder::new().name("recorder".to_owned()).spawn(move || {
        let stream = about.stream;
        let new = || Writing::new(recordings.clone(), about.clone(), clock.clone());
        let mut writing = new();
        // After a panic the state is dropped, and the recording is recovered from its own bytes.
        while catch_unwind(AssertUnwindSafe(|| runtime.block_on(writing.run(reader)))).is_err() {
            recordings.is_in_trouble(stream, &Trouble::Fault);
            writing = new().after_a_fault();
            // Not at the oldest picture, which may already be recorded.
            reader = broadcast.subscribe(Want { start: Start::Next, ..WANT });
        }
        // If it could not be continued, it is closed later.
        recordings.ended_badly(stream);
        // The receiver may be gone.
        let _ = running.send(());
    })?;
    Ok(ended)
}
