//! The fan-out of one live stream: a ring of the newest samples, written by one feed, read by any number of readers.
//!
//! Readers pull with a cursor of their own; nothing ever pushes back on the feed. Each says what it wants ([`Want`]), and the publisher wakes
//! those that are due and nobody else. A reader that falls too far behind is told how much it missed and resumes at the next entry point.
//! Only one message travels the other way: *force a key frame*.
//!
//! Must not be here: what readers do with the samples, who captures them, HTTP.

mod item;
mod ring;
#[cfg(test)]
mod tests;

pub use item::{EntryPoint, Item, Published, Start, Want};

use crate::memory_budget::StreamShare;
use perch_media::sample::Sample;
use ring::Ring;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Makes the two ends of a broadcast.
pub fn channel() -> (Publisher, Broadcast) {
    let shared = Arc::new(Shared::default());
    (Publisher { shared: shared.clone() }, Broadcast { shared })
}

#[derive(Debug, Default)]
struct Shared {
    ring: Mutex<Ring>,
}

impl Shared {
    /// A panic while the ring was locked cannot leave it half changed: what follows the last fallible step is plain
    /// bookkeeping, so the data stays usable.
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The feed's end. Dropping it closes the broadcast.
#[derive(Debug)]
pub struct Publisher {
    shared: Arc<Shared>,
}

impl Publisher {
    /// Hands samples that came together to every reader. Never waits for any of them.
    pub fn publish<S: Into<Sample>>(&self, samples: impl IntoIterator<Item = S>, published_at: Duration) {
        let mut ring = self.shared.ring();
        for sample in samples {
            ring.push(Published { sample: sample.into(), published_at });
        }
        let due = ring.take_due(published_at);
        drop(ring);
        for waker in due {
            waker.wake();
        }
    }

    /// True if a reader asked for a key frame since the last call.
    pub fn take_key_frame_request(&self) -> bool {
        self.shared.ring().take_key_frame_request()
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        let all = self.shared.ring().close();
        for waker in all {
            waker.wake();
        }
    }
}

/// A handle to a live stream; clones are the same stream.
#[derive(Clone, Debug)]
pub struct Broadcast {
    shared: Arc<Shared>,
}

impl Broadcast {
    /// A new reader.
    pub fn subscribe(&self, want: Want) -> Reader {
        let key = self.shared.ring().subscribe(want);
        Reader { shared: self.shared.clone(), key }
    }

    /// From now on the ring keeps to this share of the process's memory.
    pub fn keep_within(&self, share: StreamShare) {
        self.shared.ring().keep_within(share);
    }

    /// The stream's share of the process's memory.
    pub fn share(&self) -> StreamShare {
        self.shared.ring().share()
    }

    /// The newest picture from which decoding can start, for a reader that wants one picture and does not wait.
    pub fn newest_entry_point(&self) -> Option<EntryPoint> {
        self.shared.ring().newest_entry_point()
    }
}

/// One reader's cursor.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    key: u64,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.shared.ring().unsubscribe(self.key);
    }
}

impl Reader {
    /// The next item; waits for it. `None` when the broadcast is closed and everything was read. Safe to cancel.
    pub async fn next(&mut self) -> Option<Item> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next item, if it is there already.
    pub fn next_of_those_there(&mut self) -> Option<Item> {
        match self.poll_next(&Context::from_waker(Waker::noop())) {
            Poll::Ready(item) => item,
            Poll::Pending => None,
        }
    }

    fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Option<Item>> {
        self.shared.ring().poll_take(self.key, cx.waker())
    }

    /// Asks the feed for an IDR as soon as may be.
    pub fn force_key_frame(&self) {
        self.shared.ring().force_key_frame();
    }
}
