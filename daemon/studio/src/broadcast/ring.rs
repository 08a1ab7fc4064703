//! The samples that a broadcast keeps, and the cursors of its readers. A value: no thread, no clock.
//!
//! Kept are the samples from the newest entry point on, for readers to come, and before it those that the slowest reader has yet to take.
//! When that is more than the ring's share of memory, the newest GOP loses the samples that every reader has taken; if it still is too
//! much, the slowest reader is overtaken and gives up its place. A sample that a reader has yet to take is forgotten in no other way.

use super::item::{EntryPoint, Item, Published, Start, Want};
use crate::memory_budget::{Held, Part, StreamShare};
use std::collections::{BTreeMap, VecDeque};
use std::task::{Poll, Waker};
use std::time::Duration;

/// Samples are numbered since the stream's start.
#[derive(Debug)]
pub(super) struct Ring {
    kept: VecDeque<Published>,
    /// Number of `kept`'s oldest.
    first: u64,
    /// Numbers of the entry points in `kept`.
    entry_points: VecDeque<u64>,
    /// The newest ever published, also when its GOP was forgotten.
    newest_entry_point: Option<EntryPoint>,
    /// Of the samples in `kept`.
    bytes: usize,
    share: StreamShare,
    held: Held,
    readers: BTreeMap<u64, Cursor>,
    next_key: u64,
    is_closed: bool,
    key_frame_wanted: bool,
}

impl Default for Ring {
    fn default() -> Self {
        Self::within(StreamShare::usual())
    }
}

#[derive(Debug)]
struct Cursor {
    want: Want,
    /// The sample that it takes next; it is kept, or yet to come.
    next: u64,
    /// Of those to come it takes an entry point next. Until then it keeps nothing in the ring.
    waits_for_entry_point: bool,
    /// It has taken one, so what it misses from now on is a gap.
    has_started: bool,
    /// Missed and not yet told.
    dropped: u64,
    /// Set while it waits.
    waker: Option<Waker>,
}

impl Cursor {
    fn skip_to(&mut self, number: u64) {
        if self.has_started {
            self.dropped += number - self.next;
        }
        self.next = number;
    }
}

impl Ring {
    /// An empty one.
    pub(super) fn within(share: StreamShare) -> Self {
        Self {
            kept: VecDeque::new(),
            first: 0,
            entry_points: VecDeque::new(),
            newest_entry_point: None,
            bytes: 0,
            held: share.hold(Part::Rings, 0),
            share,
            readers: BTreeMap::new(),
            next_key: 0,
            is_closed: false,
            key_frame_wanted: false,
        }
    }

    /// From now on it keeps to this share.
    pub(super) fn keep_within(&mut self, share: StreamShare) {
        self.held = share.hold(Part::Rings, 0);
        self.share = share;
        self.forget();
    }

    pub(super) fn share(&self) -> StreamShare {
        self.share.clone()
    }

    /// The number that the next sample gets.
    fn end(&self) -> u64 {
        self.first + self.kept.len() as u64
    }

    pub(super) fn subscribe(&mut self, want: Want) -> u64 {
        let start = match want.start {
            Start::Newest => self.entry_points.back().copied(),
            Start::Oldest => self.entry_points.front().copied(),
            Start::Next => None,
        };
        let cursor = Cursor {
            want,
            next: start.unwrap_or(self.end()),
            waits_for_entry_point: start.is_none(),
            has_started: false,
            dropped: 0,
            waker: None,
        };
        // A GOP that had to be forgotten may go on for long.
        self.key_frame_wanted |=
            start.is_none() && want.start != Start::Next && self.newest_entry_point.is_some();
        let key = self.next_key;
        self.next_key += 1;
        self.readers.insert(key, cursor);
        key
    }

    pub(super) fn unsubscribe(&mut self, key: u64) {
        self.readers.remove(&key);
        self.forget();
    }

    pub(super) fn newest_entry_point(&self) -> Option<EntryPoint> {
        self.newest_entry_point.clone()
    }

    /// Adds a sample. Readers are woken by [`Self::take_due`], once for all that came together.
    pub(super) fn push(&mut self, sample: Published) {
        let number = self.end();
        let entry_point = sample.entry_point();
        for cursor in self.readers.values_mut().filter(|cursor| cursor.waits_for_entry_point) {
            cursor.skip_to(if entry_point.is_some() { number } else { number + 1 });
            cursor.waits_for_entry_point = entry_point.is_none();
        }
        if entry_point.is_some() {
            self.entry_points.push_back(number);
            self.newest_entry_point = entry_point;
        }
        self.bytes += sample.bytes();
        self.kept.push_back(sample);
        self.forget();
    }

    /// Lets go of what nobody needs, and of more where that does not suffice.
    fn forget(&mut self) {
        let limit = self.share.ring_bytes();
        loop {
            let end = self.end();
            let positions = self.readers.values().filter(|cursor| !cursor.waits_for_entry_point);
            let slowest = positions.map(|cursor| cursor.next).min().unwrap_or(end);
            let newest_gop = self.entry_points.back().copied().unwrap_or(end);
            self.forget_before(slowest.min(newest_gop));
            if self.bytes <= limit {
                break;
            }
            if newest_gop < slowest {
                self.forget_before(slowest);
            } else {
                self.overtake(slowest);
            }
        }
        self.held.set(self.bytes as u64);
    }

    fn forget_before(&mut self, number: u64) {
        for forgotten in self.kept.drain(..(number - self.first) as usize) {
            self.bytes -= forgotten.bytes();
        }
        self.first = number;
        while self.entry_points.front().is_some_and(|first| *first < number) {
            self.entry_points.pop_front();
        }
    }

    /// The readers at sample `number` go on at the entry point after it.
    fn overtake(&mut self, number: u64) {
        let resumed_at = self.entry_points.iter().copied().find(|entry_point| *entry_point > number);
        self.key_frame_wanted |= resumed_at.is_none();
        let end = self.end();
        let overtaken = |cursor: &&mut Cursor| !cursor.waits_for_entry_point && cursor.next == number;
        for cursor in self.readers.values_mut().filter(overtaken) {
            cursor.skip_to(resumed_at.unwrap_or(end));
            cursor.waits_for_entry_point = resumed_at.is_none();
        }
    }

    pub(super) fn force_key_frame(&mut self) {
        self.key_frame_wanted = true;
    }

    /// True if a reader asked for a key frame, or can only go on at an entry point to come, since the last call.
    pub(super) fn take_key_frame_request(&mut self) -> bool {
        std::mem::take(&mut self.key_frame_wanted)
    }

    /// Those to be woken at `now`, monotonic.
    pub(super) fn take_due(&mut self, now: Duration) -> Vec<Waker> {
        let (first, limit) = (self.first, self.share.ring_bytes());
        let (kept, newest_entry_point) = (&self.kept, self.entry_points.back());
        let is_due = |cursor: &Cursor| {
            if cursor.waits_for_entry_point {
                return false;
            }
            let Some(oldest) = kept.get((cursor.next - first) as usize) else { return false };
            now.saturating_sub(oldest.published_at) >= cursor.want.patience
                || cursor.want.at_entry_points
                    && newest_entry_point.is_some_and(|number| *number >= cursor.next)
                || self.bytes > limit / 2 && cursor.next == first
        };
        let waiting = self.readers.values_mut().filter(|cursor| cursor.waker.is_some() && is_due(cursor));
        waiting.filter_map(|cursor| cursor.waker.take()).collect()
    }

    /// Nothing more will come; those to be woken.
    pub(super) fn close(&mut self) -> Vec<Waker> {
        self.is_closed = true;
        self.readers.values_mut().filter_map(|cursor| cursor.waker.take()).collect()
    }

    /// The reader's next item; where there is none yet, `waker` is kept until the reader is due.
    pub(super) fn poll_take(&mut self, key: u64, waker: &Waker) -> Poll<Option<Item>> {
        let cursor = self.readers.get_mut(&key).expect("a reader is registered as long as it lives");
        cursor.waker = None;
        if cursor.dropped > 0 && (self.is_closed || !cursor.waits_for_entry_point) {
            return Poll::Ready(Some(Item::Lagged { dropped: std::mem::take(&mut cursor.dropped) }));
        }
        // A reader that waits for an entry point is at the end, so it finds nothing.
        let Some(sample) = self.kept.get((cursor.next - self.first) as usize).cloned() else {
            if self.is_closed {
                return Poll::Ready(None);
            }
            cursor.waker = Some(waker.clone());
            return Poll::Pending;
        };
        cursor.next += 1;
        cursor.has_started = true;
        self.forget(); // now and not with the next sample, which may be half a second away
        Poll::Ready(Some(Item::Sample(sample)))
    }
}

#[cfg(test)]
impl Ring {
    /// Samples and bytes in memory.
    pub(super) fn held(&self) -> (usize, usize) {
        (self.kept.len(), self.bytes)
    }
}
