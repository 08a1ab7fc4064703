//! The thread that a stream is recorded on: cards stall, and a fault in the recorder must not end more than a piece of its recording.

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

/// Starts recording a stream. It ends when the broadcast closes, after its file is closed; the receiver tells.
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
        // What a panic leaves is dropped: the recording is taken up again from its own bytes.
        while catch_unwind(AssertUnwindSafe(|| runtime.block_on(writing.run(reader)))).is_err() {
            recordings.is_in_trouble(stream, &Trouble::Fault);
            writing = new().after_a_fault();
            // Not at the oldest picture: that may be recorded already.
            reader = broadcast.subscribe(Want { start: Start::Next, ..WANT });
        }
        // Where it could not be taken up again, it is closed later.
        recordings.ended_badly(stream);
        // Nobody may be waiting for it any more.
        let _ = running.send(());
    })?;
    Ok(ended)
}
