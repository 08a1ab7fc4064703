//! Small pictures along the time lines of recordings, made from their key frames while nothing else wants the processor: a thread of the lowest
//! priority that rests nine times as long as it worked, so that it takes a tenth of a core at most. What a restart cuts short is made later.
//!
//! Must not be here: the form of the file (`perch_media::recording::storyboard`), where it lies (`recorder`), HTTP.

mod key_frames;
mod making;
mod painting;
#[cfg(test)]
mod tests;

use crate::clock::{self, Clock};
use crate::recorder::{Recordings, Wanting};
use crate::snapshot::Snapshots;
use making::{Making, PICTURES, Step, spacing_ms};
use perch_store::StreamId;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Of the highest number, the lowest priority.
const NICE: i32 = 19;
/// It rests nine times as long as it used the processor: a tenth of a core at most.
const REST: u32 = 9;
/// A rest is not longer.
const LONGEST_REST: Duration = Duration::from_secs(10);
/// How often recordings are looked at for what is missing.
const LOOK: Duration = Duration::from_mins(1);
/// How long a recording is left alone whose card is full or does not answer.
const RETRY: Duration = Duration::from_mins(10);

/// The thread.
#[derive(Debug)]
pub struct Storyboards {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Storyboards {
    /// Starts it.
    pub fn start(
        recordings: Recordings,
        snapshots: Arc<Snapshots>,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let stop = Arc::<AtomicBool>::default();
        let mut worker = Worker { recordings, snapshots, clock, stop: stop.clone(), looked: BTreeMap::new() };
        let thread = std::thread::Builder::new().name("storyboards".to_owned()).spawn(move || {
            // On Linux this affects only the calling thread. If it is forbidden, the rests alone bound it.
            let _ = rustix::process::setpriority_process(None, NICE);
            worker.run();
        })?;
        Ok(Self { stop, thread })
    }

    /// Ends it, after the picture that it is working on. Blocks.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        if self.thread.join().is_err() {
            tracing::error!("the thread of the storyboards panicked");
        }
    }
}

/// What is known of a recording's storyboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Looked {
    /// How long the recording was.
    duration_ms: u64,
    /// It had ended, and nothing is missing.
    is_done: bool,
    /// When the next sheet of one that grows can be made, milliseconds of the recording.
    due_ms: u64,
    /// Not before, on the monotonic clock.
    again_at: Duration,
}

struct Worker {
    recordings: Recordings,
    snapshots: Arc<Snapshots>,
    clock: Arc<dyn Clock>,
    stop: Arc<AtomicBool>,
    looked: BTreeMap<StreamId, Looked>,
}

impl Worker {
    fn run(&mut self) {
        while !self.is_stopped() {
            match self.next() {
                Some(wanting) => self.look_at(wanting),
                None => self.clock.park(LOOK),
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The next recording that may lack something.
    fn next(&mut self) -> Option<Wanting> {
        let all = self.recordings.wanting_storyboards().inspect_err(|error| {
            tracing::debug!("small pictures are made later: {error}");
        });
        let all = all.ok()?;
        self.looked.retain(|stream, _| all.iter().any(|wanting| wanting.stream == *stream));
        let now = self.clock.monotonic();
        all.into_iter().find(|wanting| self.is_due(wanting, now))
    }

    fn is_due(&self, wanting: &Wanting, now: Duration) -> bool {
        let Wanting { stream, duration_ms, is_growing } = *wanting;
        match self.looked.get(&stream) {
            Some(looked) if now < looked.again_at => false,
            Some(looked) if is_growing => duration_ms >= looked.due_ms,
            Some(looked) => !looked.is_done || looked.duration_ms != duration_ms,
            None => !is_growing || duration_ms >= sheet_from(0),
        }
    }

    fn look_at(&mut self, wanting: Wanting) {
        let Wanting { stream, duration_ms, is_growing } = wanting;
        let made = self.make(wanting);
        let looked = match &made {
            Ok((Step::NoRoom, _)) | Err(_) => {
                let again_at = self.clock.monotonic() + RETRY;
                Looked { duration_ms, is_done: false, due_ms: 0, again_at }
            }
            Ok((_, next_ms)) => Looked {
                duration_ms,
                is_done: !is_growing,
                // One without a picture that can be shown is looked at again, but not at once.
                due_ms: sheet_from(*next_ms).max(duration_ms + LOOK.as_millis() as u64),
                again_at: Duration::ZERO,
            },
        };
        if let Err(error) = made {
            tracing::debug!(%stream, "small pictures of a recording are made later: {error}");
        }
        self.looked.insert(stream, looked);
    }

    /// Makes what is missing. Says how that ended, and when the next picture is due, milliseconds of the recording.
    fn make(&self, wanting: Wanting) -> io::Result<(Step, u64)> {
        let Wanting { stream, duration_ms, is_growing } = wanting;
        let begun = Begun::now(&*self.clock);
        let Some(mut making) = Making::begin(&self.recordings, stream)? else { return Ok((Step::Done, 0)) };
        self.rest_since(&begun);
        while !self.is_stopped() {
            // Of one that grows, whole sheets only. An index is not read where no picture can be missing.
            let enough_ms = if is_growing { sheet_from(making.next_ms()) } else { making.next_ms() };
            if enough_ms > duration_ms && !making.has_unwritten() {
                break;
            }
            let Some(turn) = self.snapshots.try_decoding() else {
                self.clock.park(Duration::from_secs(1));
                continue;
            };
            let begun = Begun::now(&*self.clock);
            let step = making.step();
            drop(turn);
            self.rest_since(&begun);
            match step? {
                Step::On => {}
                ended => {
                    if ended == Step::Done && !is_growing && making.has_written() {
                        tracing::info!(%stream, "made the small pictures along a recording's time line");
                    }
                    return Ok((ended, making.resume_ms()));
                }
            }
        }
        Ok((Step::Done, making.resume_ms()))
    }

    /// A card or a processor that others wait for too is left to them for as long as it was used.
    fn rest_since(&self, begun: &Begun) {
        let now = self.clock.monotonic();
        let used = clock::used_by_this_thread().saturating_sub(begun.used);
        let rest = used.saturating_mul(REST).max(now.saturating_sub(begun.at));
        let until = now + rest.min(LONGEST_REST);
        loop {
            let left = until.saturating_sub(self.clock.monotonic());
            if left.is_zero() || self.is_stopped() {
                return;
            }
            self.clock.park(left);
        }
    }
}

/// When a piece of work began.
struct Begun {
    at: Duration,
    used: Duration,
}

impl Begun {
    fn now(clock: &dyn Clock) -> Self {
        Self { at: clock.monotonic(), used: clock::used_by_this_thread() }
    }
}

/// When a sheet is full whose first picture is due here, milliseconds of the recording.
fn sheet_from(next_ms: u64) -> u64 {
    (1..PICTURES).fold(next_ms, |at, _| at + spacing_ms(at)) + spacing_ms(next_ms)
}
