//! What writes a segment's container.

use crate::access_unit::AccessUnit;
use crate::mpegts::Muxer;

/// Writes one stream's pictures into a container that is cut into segments.
pub trait Packager {
    /// Appends what a segment begins with. After a `discontinuity` the times do not follow from those before.
    fn begin_segment(&mut self, discontinuity: bool, out: &mut Vec<u8>);

    /// Appends a picture.
    fn write(&mut self, unit: &AccessUnit, out: &mut Vec<u8>);
}

/// MPEG-TS: every segment begins with PAT and PMT (RFC 8216bis §3.1.1).
impl Packager for Muxer {
    fn begin_segment(&mut self, discontinuity: bool, out: &mut Vec<u8>) {
        if discontinuity {
            self.mark_seam();
        }
        self.write_tables(out);
    }

    fn write(&mut self, unit: &AccessUnit, out: &mut Vec<u8>) {
        self.write(unit, out);
    }
}
