//! A silent track: ingest services refuse a stream without sound.

use perch_media::audio_format::AudioFormat;
use perch_media::time::{MediaDuration, MediaTime};

/// Samples a second of the silent track.
const RATE: u32 = 48_000;
/// A hole in the pictures that is longer gets no silence.
const HOLE: MediaDuration = MediaDuration::from_millis(2000);

/// The format of the silent track.
pub(super) fn format() -> AudioFormat {
    AudioFormat::new(RATE, 2).expect("AAC has 48 kHz and two channels")
}

/// A frame of the silent track.
pub(super) fn frame() -> &'static [u8] {
    format().silent_frame().expect("two channels have one")
}

/// Where the silent track is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Silence {
    begin: MediaTime,
    frames: u64,
}

impl Silence {
    /// It begins here.
    pub(super) const fn from(begin: MediaTime) -> Self {
        Self { begin, frames: 0 }
    }

    /// The time of the next frame that begins no later than the picture at `until`.
    pub(super) fn next(&mut self, until: MediaTime) -> Option<MediaTime> {
        let mut at = self.begin + format().offset(self.frames);
        if until - at > HOLE {
            *self = Self::from(until);
            at = until;
        }
        if at > until {
            return None;
        }
        self.frames += 1;
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_up_with_the_pictures_and_leaves_holes_as_they_are() {
        let at = MediaTime::from_ticks;
        let mut silence = Silence::from(at(0));
        let mut times = Vec::new();
        for picture in (0..90_000 * 60).step_by(3000).chain([90_000 * 100]) {
            times.extend(std::iter::from_fn(|| silence.next(at(picture))));
        }
        // 1,920 ticks each, up to the last picture before the hole, and one after it.
        assert_eq!(times.len(), (90_000 * 60 - 3000) / 1920 + 2);
        assert_eq!(times[1000], at(1_920_000));
        assert_eq!(times.last(), Some(&at(90_000 * 100)));
    }
}
