//! The description of a part's tracks, read from its header, for an MP4 file that is made from several parts.

use super::boxes::Fields;
use crate::recording::VIDEO_TIMESCALE;

/// The description of a part's tracks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The video track's sample entry, a whole `avc1` box (ISO/IEC 14496-15 §5.4.2.1).
    pub video: Vec<u8>,
    /// Width in pixels.
    pub width: u16,
    /// Height in pixels.
    pub height: u16,
    /// The sound, if the part has any.
    pub audio: Option<AudioDescription>,
}

/// The description of a part's sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioDescription {
    /// The sample entry, a whole `mp4a` box.
    pub entry: Vec<u8>,
    /// Samples per second: the track's timescale.
    pub rate: u32,
}

impl Description {
    /// Reads a header that [`super::init_segment`] wrote; `None` for anything else.
    pub fn read(init: &[u8]) -> Option<Self> {
        let mut movie = Fields(init).find(*b"moov")?;
        let (mut video, mut audio) = (None, None);
        while let Some((kind, track)) = movie.next_box() {
            if kind != *b"trak" {
                continue;
            }
            let media = track.find(*b"mdia")?;
            let entry = entry(media)?;
            match entry.get(4..8)? {
                b"avc1" => video = Some(entry.to_vec()),
                b"mp4a" => audio = Some(AudioDescription { entry: entry.to_vec(), rate: timescale(media)? }),
                _ => return None,
            }
            if video.is_some() && audio.is_none() && timescale(media)? != VIDEO_TIMESCALE {
                return None;
            }
        }
        let video = video?;
        // Width and height of a VisualSampleEntry (ISO/IEC 14496-12 §12.1.3).
        let mut size = Fields(video.get(32..)?);
        let (width, height) = (u16::from_be_bytes(size.bytes()?), u16::from_be_bytes(size.bytes()?));
        Some(Self { video, width, height, audio })
    }

    /// The parameter sets of the pictures, the SPS first, from the `avcC` box (ISO/IEC 14496-15 §5.3.3.1.2). `None` if it is damaged.
    pub fn parameter_sets(&self) -> Option<Vec<&[u8]>> {
        // After the box's header and the fields of a VisualSampleEntry.
        let mut record = Fields(self.video.get(8 + 78..)?).find(*b"avcC")?;
        let [1, _, _, _, 0xff, sps_count] = record.bytes()? else { return None };
        let mut sets = Vec::new();
        for _ in 0..sps_count & 0x1f {
            sets.push(parameter_set(&mut record)?);
        }
        let [pps_count] = record.bytes()?;
        for _ in 0..pps_count {
            sets.push(parameter_set(&mut record)?);
        }
        sets.first().is_some_and(|sps| !sps.is_empty()).then_some(sets)
    }
}

fn parameter_set<'a>(record: &mut Fields<'a>) -> Option<&'a [u8]> {
    let length = u16::from_be_bytes(record.bytes()?);
    let (set, rest) = record.0.split_at_checked(length.into())?;
    record.0 = rest;
    Some(set)
}

fn timescale(media: Fields<'_>) -> Option<u32> {
    let mut header = media.find(*b"mdhd")?;
    // Skips version and flags, creation and modification time.
    header.bytes::<12>()?;
    header.u32().filter(|rate| *rate > 0)
}

/// The only box in `stsd`.
fn entry(media: Fields<'_>) -> Option<&[u8]> {
    let mut entries = media.find(*b"minf")?.find(*b"stbl")?.find(*b"stsd")?;
    if entries.u32()? != 0 || entries.u32()? != 1 {
        return None;
    }
    let whole = entries.0;
    entries.next_box()?;
    entries.0.is_empty().then_some(whole)
}
