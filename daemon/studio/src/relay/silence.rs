//! A silent track: ingest services refuse a stream without sound.

use perch_media::audio_format::AudioFormat;
use perch_media::time::{MediaDuration, MediaTime};

/// A frame of silence in two channels, made by hand from ISO/IEC 14496-3 §4.4.2: a `channel_pair_element` (3 bits 001, tag 0, no common window), two channels with a
/// gain of 0, one long window and no bands (`max_sfb` 0, so that nothing follows), `ID_END` (111), and a bit to the end of the byte. A test decodes it with ffmpeg.
pub(super) const FRAME: [u8; 7] = [0x20, 0, 0, 0, 0, 0, 0x0e];
/// Samples a second of the silent track.
const RATE: u32 = 48_000;
/// A hole in the pictures that is longer gets no silence.
const HOLE: MediaDuration = MediaDuration::from_millis(2000);

/// The format of the silent track.
pub(super) fn format() -> AudioFormat {
    AudioFormat::new(RATE, 2).expect("AAC has 48 kHz and two channels")
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
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    #[test]
    fn ffmpeg_decodes_the_frame_to_silence() {
        let decoded = Command::new("ffmpeg")
            .args(["-v", "warning", "-f", "aac", "-i", "-", "-f", "s16le", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut ffmpeg = decoded.expect("ffmpeg is installed");
        // ADTS (ISO/IEC 14496-3 §1.A.3.2): AAC-LC, 48 kHz, two channels, 14 bytes.
        let frame = [&[0xff, 0xf1, 0x4c, 0x80, 0x01, 0xdf, 0xfc][..], &FRAME].concat();
        ffmpeg.stdin.take().unwrap().write_all(&frame.repeat(100)).unwrap();
        let output = ffmpeg.wait_with_output().unwrap();
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout.len() >= 99 * 1024 * 4, "{}", output.stdout.len());
        assert!(output.stdout.iter().all(|byte| *byte == 0));
    }

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
