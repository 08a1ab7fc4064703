//! Gathers pictures and sound into pieces, each of which becomes a fragment. A value: no file, no clock.
//!
//! Pieces begin where HLS's cutter begins parts, with a part length of one second, so a segment is one or more pieces.

use bytes::Bytes;
use perch_media::access_unit::{AccessUnit, VideoFormat};
use perch_media::audio_format::AudioFormat;
use perch_media::hls::{Cut, Cutter, CutterConfig, Picture, Place};
use perch_media::recording::Break;
use perch_media::sample::{AudioFrame, Sample};
use perch_media::time::{MediaDuration, MediaTime, Times};
use std::sync::Arc;
use std::time::Duration;

/// Length of a fragment: a power cut costs at most one, besides those that were not synced.
const FRAGMENT: Duration = Duration::from_secs(1);
/// Longest silence that is put between a stream's last sound and the pictures of its last piece.
const LONGEST_HOLE: MediaDuration = MediaDuration::from_millis(2000);
/// Duration of a single picture before a seam.
const ONE_PICTURE: MediaDuration = MediaDuration::from_ticks(3000);

/// About a second of consecutive pictures, and the sound that came with them.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    /// At least one.
    pub(super) pictures: Vec<AccessUnit>,
    pub(super) sound: Vec<AudioFrame>,
    /// Decoding time of the next picture; later than the last one's.
    pub(super) end: MediaTime,
    pub(super) begins_segment: bool,
    pub(super) is_independent: bool,
    pub(super) before: Break,
}

impl Piece {
    pub(super) fn format(&self) -> &Arc<VideoFormat> {
        &self.pictures[0].format
    }

    /// Sum of its samples' bytes.
    pub(super) fn bytes(&self) -> usize {
        let pictures: usize = self.pictures.iter().map(|unit| unit.data.len()).sum();
        pictures + self.sound.iter().map(|frame| frame.data.len()).sum::<usize>()
    }

    /// Format of its sound, if it has any.
    pub(super) fn audio(&self) -> Option<AudioFormat> {
        self.sound.last().map(|frame| *frame.format)
    }

    /// Its pictures, each with its duration, and its sound. Each sample is freed as soon as the iterator's user drops it.
    pub(super) fn into_timed(
        self,
    ) -> (impl Iterator<Item = (AccessUnit, MediaDuration)>, impl Iterator<Item = AudioFrame>) {
        let next = self.pictures.iter().skip(1).map(|unit| unit.times.dts).chain([self.end]);
        let next: Vec<_> = next.collect();
        let timed = self.pictures.into_iter().zip(next).map(|(unit, next)| {
            let lasts = next - unit.times.dts;
            (unit, lasts)
        });
        (timed, self.sound.into_iter())
    }
}

/// Gathers one stream's samples into pieces.
#[derive(Debug)]
pub(super) struct Packer {
    cutter: Cutter,
    format: Option<Arc<VideoFormat>>,
    current: Option<Piece>,
    /// Format and end of the newest sound.
    heard: Option<(Arc<AudioFormat>, MediaTime)>,
    /// Bytes of the current piece so far.
    gathered: usize,
    /// Largest size of a piece in bytes, so that memory is bounded at any bitrate. A single picture may be larger.
    most: usize,
    /// True if pictures are missing before the next piece.
    has_lost: bool,
}

impl Packer {
    /// `target_duration` is HLS's, in seconds; a piece has at most `most` bytes, unless a single picture has more.
    pub(super) fn new(segment: Duration, target_duration: u64, most: usize) -> Self {
        let config = CutterConfig { segment, target_duration, part: FRAGMENT };
        Self {
            cutter: Cutter::new(config),
            format: None,
            current: None,
            heard: None,
            gathered: 0,
            most,
            has_lost: false,
        }
    }

    /// Bytes gathered so far.
    pub(super) const fn bytes(&self) -> usize {
        self.gathered
    }

    /// Takes the next picture or frame of sound; returns the piece that ends before it. Sound before the first picture is dropped.
    pub(super) fn push(&mut self, sample: &Sample) -> Option<Piece> {
        match sample {
            Sample::Video(unit) => self.push_picture(unit),
            Sample::Audio(frame) => {
                let current = self.current.as_mut()?;
                self.heard =
                    Some((Arc::clone(&frame.format), frame.times.pts + frame.format.frame_duration()));
                // Sound continues while a camera hangs: without pictures it must not pile up.
                if self.gathered + frame.data.len() <= self.most {
                    current.sound.push(frame.clone());
                    self.gathered += frame.data.len();
                }
                None
            }
        }
    }

    fn push_picture(&mut self, unit: &AccessUnit) -> Option<Piece> {
        let format_changed = self.format.as_ref().is_some_and(|format| !unit.format.continues(format));
        if format_changed || self.format.is_none() {
            self.format = Some(Arc::clone(&unit.format));
        }
        let dts = unit.times.dts;
        let Cut { place, .. } =
            self.cutter.push(Picture { dts, is_entry: unit.is_entry(), epoch: unit.epoch, format_changed });
        let (begins_segment, is_independent, is_seam) = match place {
            Place::Nowhere => return self.end(None),
            Place::SamePart if self.gathered + unit.data.len() <= self.most => {
                self.current.as_mut()?.pictures.push(unit.clone());
                self.gathered += unit.data.len();
                return None;
            }
            Place::SamePart => (false, unit.is_entry(), false),
            Place::NewPart { independent } => (false, independent, false),
            Place::NewSegment { discontinuity, independent } => (true, independent, discontinuity),
        };
        let whole = self.end((!is_seam).then_some(dts));
        let before = match (std::mem::take(&mut self.has_lost), is_seam) {
            (true, _) => Break::Gap,
            (false, true) => Break::Seam,
            (false, false) => Break::None,
        };
        let (pictures, sound) = (vec![unit.clone()], Vec::new());
        self.gathered = unit.data.len();
        self.current = Some(Piece { pictures, sound, end: dts, begins_segment, is_independent, before });
        whole
    }

    /// Notes that pictures were lost here; returns the piece that ends before them.
    pub(super) fn lose(&mut self) -> Option<Piece> {
        self.cutter.finish();
        self.has_lost = true;
        self.end(None)
    }

    /// Returns what there is, because the stream pauses. If it continues, it does so after a seam.
    pub(super) fn pause(&mut self) -> Option<Piece> {
        self.cutter.finish();
        self.end(None)
    }

    /// Returns the rest, because the stream has ended. A program sends sound up to 0.7 s after its pictures, so the last pictures may have none: silence follows, because
    /// hls.js 1.6 never comes to the end of a last segment whose pictures are later than its sound.
    pub(super) fn finish(&mut self) -> Option<Piece> {
        let mut piece = self.pause()?;
        if let Some((format, heard)) = &self.heard
            && let Some(silent) = format.silent_frame()
        {
            let first = &piece.pictures[0];
            let from = (*heard).max(first.times.dts + -LONGEST_HOLE);
            let times = (0..).map(|number| from + format.offset(number)).take_while(|at| *at < piece.end);
            let frame = |at| AudioFrame {
                times: Times::at(at),
                epoch: first.epoch,
                data: Bytes::from_static(silent),
                format: Arc::clone(format),
            };
            piece.sound.extend(times.map(frame));
        }
        Some(piece)
    }

    /// Ends the current piece at the time of the next picture; without one, its last picture lasts as long as the one before.
    fn end(&mut self, next: Option<MediaTime>) -> Option<Piece> {
        self.gathered = 0;
        let mut piece = self.current.take()?;
        let [.., last] = &piece.pictures[..] else { return None };
        let last = last.times.dts;
        let before = piece.pictures.iter().rev().nth(1).map(|unit| unit.times.dts);
        piece.end = next.unwrap_or_else(|| last + before.map_or(ONE_PICTURE, |before| last - before));
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::testing::access_unit;

    /// Ten pictures a second, an IDR first in each.
    fn packed(packer: &mut Packer, tenths: std::ops::Range<i64>) -> Vec<Piece> {
        tenths
            .filter_map(|tenth| packer.push(&access_unit(tenth * 9000, tenth % 10 == 0, 1000).into()))
            .collect()
    }

    fn packer() -> Packer {
        Packer::new(Duration::from_secs(2), 2, 1 << 20)
    }

    #[test]
    fn a_piece_is_cut_before_its_time_where_the_bitrate_is_too_high_and_none_is_missing() {
        let mut packer = Packer::new(Duration::from_secs(2), 2, 3500);
        let mut pieces = packed(&mut packer, 0..100);
        assert!(packer.bytes() <= 3500);
        pieces.extend(packer.finish());
        assert_eq!(pieces.iter().map(|piece| piece.pictures.len()).sum::<usize>(), 100);
        assert!(pieces.iter().all(|piece| piece.pictures.len() <= 3), "{pieces:?}");
        assert!(pieces.iter().all(|piece| piece.before == Break::None));
        let begins_with_entry = |piece: &Piece| piece.pictures[0].is_entry();
        assert!(pieces.iter().all(|piece| piece.is_independent == begins_with_entry(piece)));
        assert_eq!(pieces.iter().filter(|piece| piece.begins_segment).count(), 7, "as without a limit");
        assert_eq!(pieces[..33].iter().map(ticks).sum::<i64>(), pieces[33].pictures[0].times.dts.ticks());
        // A single picture is a piece, however large.
        let mut packer = Packer::new(Duration::from_secs(2), 2, 1);
        assert_eq!(packed(&mut packer, 0..10).len(), 9);
    }

    fn ticks(piece: &Piece) -> i64 {
        (piece.end - piece.pictures[0].times.dts).ticks()
    }

    #[test]
    fn a_piece_is_a_second_and_none_is_missing() {
        let mut packer = packer();
        let mut pieces = packed(&mut packer, 0..100);
        pieces.extend(packer.finish());
        assert_eq!(pieces.iter().map(|piece| piece.pictures.len()).sum::<usize>(), 100);
        assert!(pieces.iter().all(|piece| ticks(piece) == 90_000 && piece.is_independent), "{pieces:?}");
        assert!(pieces.iter().all(|piece| piece.before == Break::None));
        assert_eq!(pieces.iter().filter(|piece| piece.begins_segment).count(), 7, "short ones at first");
    }

    #[test]
    fn a_lost_picture_is_a_gap_and_a_pause_a_seam() {
        let mut packer = packer();
        packed(&mut packer, 0..15);
        let before = packer.lose().unwrap();
        assert_eq!((before.pictures.len(), ticks(&before)), (5, 45_000));
        packed(&mut packer, 20..25);
        let mut pieces = packed(&mut packer, 70..75);
        pieces.extend(packer.pause());
        pieces.extend(packed(&mut packer, 80..90));
        pieces.extend(packer.finish());
        let breaks: Vec<_> = pieces.iter().map(|piece| (piece.before, ticks(piece))).collect();
        assert_eq!(breaks, [(Break::Gap, 45_000), (Break::Seam, 45_000), (Break::Seam, 90_000)]);
    }

    /// Frames of sound that begin from a time on to another, in tenths of a second.
    fn heard(packer: &mut Packer, from: i64, to: i64, channels: u8) {
        let format = Arc::new(AudioFormat::new(48_000, channels).unwrap());
        let times = (0..).map(|number| MediaTime::from_ticks(from * 9000) + format.offset(number));
        for at in times.take_while(|at| at.ticks() < to * 9000) {
            let (times, data, format) = (Times::at(at), Bytes::from_static(b"coded"), Arc::clone(&format));
            assert!(packer.push(&AudioFrame { times, epoch: 0, data, format }.into()).is_none());
        }
    }

    #[test]
    fn the_last_pictures_are_not_without_sound() {
        for channels in [1, 2] {
            let mut packer = packer();
            packed(&mut packer, 0..10);
            heard(&mut packer, 0, 8, channels);
            let piece = packed(&mut packer, 10..13).remove(0);
            assert_eq!(piece.sound.last().unwrap().data, "coded", "not before the end");
            let last = packer.finish().unwrap();
            let silent = last.audio().unwrap().silent_frame().unwrap();
            assert!(last.sound.iter().all(|frame| frame.data == silent));
            let steps = last.sound.windows(2).map(|two| (two[1].times.pts - two[0].times.pts).ticks());
            assert!(steps.into_iter().all(|step| step == 1920));
            let first = last.sound[0].times.pts;
            assert_eq!(first, piece.sound.last().unwrap().times.pts + MediaDuration::from_ticks(1920));
            let end = last.sound.last().unwrap().times.pts;
            assert!(end < last.end && end + MediaDuration::from_ticks(1920) >= last.end);
        }
    }

    #[test]
    fn a_pause_gets_no_silence_and_neither_does_a_stream_without_sound() {
        let mut packer = packer();
        packed(&mut packer, 0..10);
        heard(&mut packer, 0, 5, 2);
        let sound = packer.pause().unwrap().sound;
        assert!(sound.iter().all(|frame| frame.data == "coded"));
        packed(&mut packer, 1000..1005);
        let last = packer.finish().unwrap();
        assert!(last.sound.len() < 150, "only the last seconds: {}", last.sound.len());
        let mut packer = self::packer();
        packed(&mut packer, 0..5);
        assert!(packer.finish().unwrap().sound.is_empty());
        packed(&mut packer, 10..15);
        heard(&mut packer, 10, 11, 6);
        assert_eq!(packer.finish().unwrap().sound.len(), 5, "nobody knows six silent channels");
    }

    #[test]
    fn a_single_picture_lasts_as_long_as_one_does() {
        let mut packer = packer();
        packed(&mut packer, 0..1);
        assert_eq!(ticks(&packer.finish().unwrap()), 3000);
        assert!(packer.finish().is_none());
    }
}
