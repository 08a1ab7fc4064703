//! One budget of memory for the process. Each stream and each connection takes its share of it, so that their sum is bounded and not only
//! each of them.
//!
//! The budget is divided once: connections may have a quarter (a quarter of it those of publishers), segments that only slow viewers still hold an eighth,
//! streams the rest. Streams divide theirs evenly, beyond the least that each needs; the least of a recorded stream
//! includes some seconds for the fragment that is being built. A share that shrinks because another stream has started
//! takes effect with the next picture or segment: the ring overtakes its slowest reader, the window drops its oldest
//! segments. A stream that cannot get its least is refused with an explanation, and so is a connection (503).
//!
//! Not counted are the program itself, encoders and the heap of handlers: [`limit`] leaves a margin for them.
//!
//! Must not be here: the use that the parts make of their shares.

pub mod limit;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Memory of a connection: buffers of hyper and the task, without the kernel's.
pub const CONNECTION_BYTES: u64 = 24 << 10;
/// The most that the ring of one stream takes: 8 s at 8 Mb/s, longer than known stalls of SD cards.
const RING_MOST: u64 = 8 << 20;
/// The divisor for the ring's part of a stream's share; the rest belongs to its window.
const RING_PART: u64 = 4;

/// What a recorder holds at most, in seconds of the stream's bitrate: a fragment of a second three times (as it came, as it is written, and as
/// its buffers grow), and half as much again because bitrates vary.
const RECORDER_SECONDS: f64 = 4.5;
/// However low the bitrate.
const RECORDER_LEAST: u64 = 512 << 10;
/// Of a stream that nobody has admitted.
const USUAL_RECORDER: u64 = 6 << 20;
/// Least share of a stream, however low its bitrate.
const STREAM_LEAST: u64 = 2 << 20;

/// The uses of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Coded pictures that readers have still to take.
    Rings,
    /// Segments that playlists list, or listed just before.
    Windows,
    /// Segments that can no longer be fetched, but that viewers are still being sent.
    Retired,
    /// Open connections.
    Connections,
    /// Fragments of recordings in the making.
    Recorders,
    /// What is on its way to the servers of relays.
    Relays,
    /// What programs that publish have sent of pictures that are not whole.
    Publishers,
}

impl Part {
    /// All uses.
    pub const ALL: [Self; 7] = [
        Self::Rings,
        Self::Windows,
        Self::Retired,
        Self::Connections,
        Self::Recorders,
        Self::Relays,
        Self::Publishers,
    ];

    /// The name in `/metrics`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rings => "rings",
            Self::Windows => "windows",
            Self::Retired => "retired_segments",
            Self::Connections => "connections",
            Self::Recorders => "recorders",
            Self::Relays => "relays",
            Self::Publishers => "publishers",
        }
    }
}

/// The budget of the process; clones share it.
#[derive(Clone, Debug)]
pub struct MemoryBudget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bytes: u64,
    used: [AtomicU64; Part::ALL.len()],
    streams: Mutex<Streams>,
    retired_is_over: Notify,
}

/// The streams that have a share.
#[derive(Debug, Default)]
struct Streams {
    count: u64,
    /// Sum of the least that each needs.
    least: u64,
}

/// There is not enough memory for one more stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is not enough memory for another stream: it needs {} MB, and {} MB are free. End a stream, or choose a lower bitrate",
    needed.div_ceil(1_000_000),
    free / 1_000_000
)]
pub struct NoMemory {
    /// Bytes that it needs at least.
    pub needed: u64,
    /// Bytes that are available.
    pub free: u64,
}

impl MemoryBudget {
    /// A budget of this many bytes.
    pub fn of(bytes: u64) -> Self {
        Self(Arc::new(Inner {
            bytes,
            used: Default::default(),
            streams: Mutex::default(),
            retired_is_over: Notify::new(),
        }))
    }

    /// The whole budget, in bytes.
    pub fn bytes(&self) -> u64 {
        self.0.bytes
    }

    /// Bytes in use now.
    pub fn used(&self, part: Part) -> u64 {
        self.0.used[part as usize].load(Ordering::Relaxed)
    }

    /// The most connections that may be open at once.
    pub fn connections(&self) -> usize {
        let bytes = self.0.bytes / 4 - self.publishers_most();
        usize::try_from(bytes / CONNECTION_BYTES).unwrap_or(usize::MAX)
    }

    /// Bytes that programs that publish may hold together: a quarter of what connections may have.
    pub fn publishers_most(&self) -> u64 {
        self.0.bytes / 16
    }

    /// Bytes of segments that only slow viewers still hold, at most.
    pub fn retired_most(&self) -> u64 {
        self.0.bytes / 8
    }

    /// Bytes for all streams.
    fn for_streams(&self) -> u64 {
        self.0.bytes / 8 * 5
    }

    /// Completes when more retired bytes are held than allowed. The answers that hold them must then be cut, the oldest
    /// first.
    pub async fn retired_is_over(&self) {
        loop {
            let told = self.0.retired_is_over.notified();
            if self.used(Part::Retired) > self.retired_most() {
                return;
            }
            told.await;
        }
    }

    /// The least memory of a stream: the five target durations that a playlist covers in any case (`LiveWindow`), a
    /// segment that was listed just before, the one being written, and its ring.
    pub fn least_of_stream(bitrate_kbps: u32, target: Duration) -> u64 {
        let segments = f64::from(bitrate_kbps) * 125.0 * target.as_secs_f64() * 7.0;
        (segments as u64 / (RING_PART - 1) * RING_PART).max(STREAM_LEAST)
    }

    /// What recording a stream needs.
    pub fn of_recorder(bitrate_kbps: u32) -> u64 {
        let bytes = f64::from(bitrate_kbps) * 125.0 * RECORDER_SECONDS;
        (bytes as u64).max(RECORDER_LEAST)
    }

    /// A share for one more stream, which needs `least` bytes.
    pub fn admit_stream(&self, least: u64) -> Result<StreamShare, NoMemory> {
        self.admit_recorded(least, 0)
    }

    /// The same for a stream whose recorder needs `recorder` bytes beside.
    pub fn admit_recorded(&self, least: u64, recorder: u64) -> Result<StreamShare, NoMemory> {
        let least = least + recorder;
        let mut streams = self.streams();
        let free = self.for_streams().saturating_sub(streams.least);
        if least > free {
            return Err(NoMemory { needed: least, free });
        }
        streams.count += 1;
        streams.least += least;
        Ok(StreamShare(Arc::new(Admitted { budget: self.clone(), least, recorder })))
    }

    /// Counts `bytes` as long as the result is held.
    pub fn hold(&self, part: Part, bytes: u64) -> Held {
        let mut held = Held { budget: self.clone(), part, bytes: 0 };
        held.set(bytes);
        held
    }

    /// Each change under the lock is one step: a panic leaves no half-made change.
    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.0.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One stream's share; clones share it. It is released when the last one is dropped.
#[derive(Clone)]
pub struct StreamShare(Arc<Admitted>);

struct Admitted {
    budget: MemoryBudget,
    least: u64,
    /// The part of `least` that is the recorder's.
    recorder: u64,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut streams = self.budget.streams();
        streams.count -= 1;
        streams.least -= self.least;
    }
}

impl fmt::Debug for StreamShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamShare").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}

impl StreamShare {
    /// A share of its own budget, for a stream that was not admitted: 8 MiB for its ring, 6 MiB for its recorder.
    pub fn usual() -> Self {
        let budget = MemoryBudget::of((RING_MOST * RING_PART + USUAL_RECORDER) * 8 / 5);
        let streams = Streams { count: 1, least: 0 };
        *budget.streams() = streams;
        Self(Arc::new(Admitted { budget, least: 0, recorder: USUAL_RECORDER }))
    }

    /// The bytes that the stream may hold now, without its recorder. The number changes as streams come and go.
    fn bytes(&self) -> u64 {
        let budget = &self.0.budget;
        let streams = budget.streams();
        let beyond = budget.for_streams().saturating_sub(streams.least);
        (self.0.least + beyond / streams.count.max(1)).saturating_sub(self.0.recorder)
    }

    /// Bytes that the stream's recorder may hold.
    pub fn recorder_bytes(&self) -> usize {
        usize::try_from(self.0.recorder.max(RECORDER_LEAST)).unwrap_or(usize::MAX)
    }

    /// Bytes that the stream's ring may hold now.
    pub fn ring_bytes(&self) -> usize {
        let bytes = (self.bytes() / RING_PART).min(RING_MOST);
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    /// Bytes of segments that the stream may keep now.
    pub fn window_bytes(&self) -> usize {
        let bytes = self.bytes();
        usize::try_from(bytes - (bytes / RING_PART).min(RING_MOST)).unwrap_or(usize::MAX)
    }

    /// Counts `bytes` as long as the result is held.
    pub fn hold(&self, part: Part, bytes: u64) -> Held {
        self.0.budget.hold(part, bytes)
    }
}

/// Memory in use. Dropping it takes it out of the count.
#[derive(Debug)]
pub struct Held {
    budget: MemoryBudget,
    part: Part,
    bytes: u64,
}

impl Held {
    /// Changes the number of bytes.
    pub fn set(&mut self, bytes: u64) {
        let used = &self.budget.0.used[self.part as usize];
        // Adds a wrapped negative number when it shrinks.
        used.fetch_add(bytes.wrapping_sub(self.bytes), Ordering::Relaxed);
        self.bytes = bytes;
        if self.part == Part::Retired && self.budget.used(Part::Retired) > self.budget.retired_most() {
            self.budget.0.retired_is_over.notify_one();
        }
    }

    /// Moves the bytes to another use.
    pub fn move_to(&mut self, part: Part) {
        let bytes = self.bytes;
        self.set(0);
        self.part = part;
        self.set(bytes);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn one_stream_gets_what_it_can_use_and_many_share() {
        let budget = MemoryBudget::of(160 * MIB);
        let one = budget.admit_stream(4 * MIB).unwrap();
        assert_eq!((one.ring_bytes() as u64, one.window_bytes() as u64), (8 * MIB, 92 * MIB));
        let others: Vec<_> = (0..9).map(|_| budget.admit_stream(4 * MIB).unwrap()).collect();
        assert_eq!((one.ring_bytes() as u64, one.window_bytes() as u64), (10 * MIB / 4, 10 * MIB * 3 / 4));
        drop(others);
        assert_eq!(one.bytes(), 100 * MIB);
    }

    #[test]
    fn a_stream_that_needs_more_than_there_is_is_refused_and_takes_nothing() {
        let budget = MemoryBudget::of(16 * MIB);
        let first = budget.admit_stream(6 * MIB).unwrap();
        let refused = budget.admit_stream(6 * MIB).unwrap_err();
        assert_eq!(refused, NoMemory { needed: 6 * MIB, free: 4 * MIB });
        assert!(
            refused.to_string().starts_with("there is not enough memory for another stream: it needs 7 MB")
        );
        assert_eq!(first.bytes(), 10 * MIB);
        drop(first);
        budget.admit_stream(6 * MIB).unwrap();
    }

    #[test]
    fn a_stream_needs_what_a_playlist_lists_in_any_case() {
        let target = Duration::from_secs(2);
        assert_eq!(MemoryBudget::least_of_stream(2500, target), 7 * 2 * 312_500 / 3 * 4);
        assert_eq!(MemoryBudget::least_of_stream(100, target), 2 * MIB);
    }

    #[test]
    fn memory_is_counted_while_it_is_held_and_where_it_is_held() {
        let budget = MemoryBudget::of(16 * MIB);
        let mut segment = budget.hold(Part::Windows, 3);
        let ring = budget.hold(Part::Rings, 5);
        segment.set(2);
        segment.move_to(Part::Retired);
        assert_eq!(Part::ALL.map(|part| budget.used(part)), [5, 0, 2, 0, 0, 0, 0]);
        drop((segment, ring));
        assert_eq!(Part::ALL.map(|part| budget.used(part)), [0; 7]);
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_retired_bytes_are_told_until_they_are_gone() {
        let budget = MemoryBudget::of(16 * MIB);
        let is_over = || tokio::time::timeout(Duration::from_secs(1), budget.retired_is_over());
        let mut segments: Vec<_> = (0..3).map(|_| budget.hold(Part::Windows, MIB)).collect();
        segments[0].move_to(Part::Retired);
        segments[1].move_to(Part::Retired);
        is_over().await.unwrap_err();
        segments[2].move_to(Part::Retired);
        is_over().await.unwrap();
        is_over().await.unwrap();
        segments.pop();
        is_over().await.unwrap_err();
    }

    proptest! {
        /// However many streams come and go, the sum of their shares never exceeds the budget for streams, and each may
        /// hold its least.
        #[test]
        fn the_shares_never_exceed_the_budget(steps in prop::collection::vec((any::<bool>(), 0..20 * MIB), 1..60)) {
            let budget = MemoryBudget::of(100 * MIB);
            let mut shares: Vec<(StreamShare, u64)> = Vec::new();
            for (comes, least) in steps {
                if comes {
                    shares.extend(budget.admit_stream(least).ok().map(|share| (share, least)));
                } else {
                    shares.pop();
                }
                let all = shares.iter().map(|(share, _)| (share.ring_bytes() + share.window_bytes()) as u64);
                prop_assert!(all.sum::<u64>() <= budget.for_streams());
                prop_assert!(shares.iter().all(|(share, least)| share.bytes() >= *least));
            }
        }
    }
}
