//! The writer of a segment's container.

use crate::access_unit::AccessUnit;
use crate::audio_format::AudioFormat;
use crate::mpegts::Muxer;
use crate::sample::AudioFrame;

/// Writes one stream's pictures and sound into a container that is cut into segments.
pub trait Packager {
    /// True if the container can carry such sound.
    fn carries(&self, sound: &AudioFormat) -> bool;

    /// Appends the start of a segment; `has_sound` changes only at a `discontinuity`, after which times do not continue
    /// from those before.
    fn begin_segment(&mut self, discontinuity: bool, has_sound: bool, out: &mut Vec<u8>);

    /// Appends a picture.
    fn write(&mut self, unit: &AccessUnit, out: &mut Vec<u8>);

    /// Takes a frame of sound, and appends it now or with a later call.
    fn write_sound(&mut self, frame: &AudioFrame, out: &mut Vec<u8>);

    /// Appends everything that was taken and not yet appended, because the segment is over.
    fn end_segment(&mut self, out: &mut Vec<u8>);
}

/// MPEG-TS: every segment begins with PAT and PMT (RFC 8216bis §3.1.1).
impl Packager for Muxer {
    /// True if the rate has an index, because ADTS names a rate by its index.
    fn carries(&self, sound: &AudioFormat) -> bool {
        sound.sampling_frequency_index().is_some()
    }

    fn begin_segment(&mut self, discontinuity: bool, has_sound: bool, out: &mut Vec<u8>) {
        self.announce_sound(has_sound);
        if discontinuity {
            self.mark_seam();
        }
        self.write_tables(out);
    }

    fn write(&mut self, unit: &AccessUnit, out: &mut Vec<u8>) {
        self.write(unit, out);
    }

    fn write_sound(&mut self, frame: &AudioFrame, out: &mut Vec<u8>) {
        self.write_sound(frame, out);
    }

    fn end_segment(&mut self, out: &mut Vec<u8>) {
        self.flush_sound(out);
    }
}
