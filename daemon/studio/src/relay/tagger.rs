//! Samples to FLV tags: begins at a picture from which decoding can start, with the decoders' configurations before it, and keeps one line of time over all
//! connections of a relay. A value: no clock, no connection.

use super::session::Kind;
use super::silence::{self, Silence};
use perch_media::access_unit::{AccessUnit, VideoFormat};
use perch_media::audio_format::AudioFormat;
use perch_media::flv::{self, Line, Metadata};
use perch_media::sample::{AudioFrame, Sample};
use perch_media::time::{MediaTime, Times};
use std::sync::Arc;

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) kind: Kind,
    pub(crate) timestamp: u32,
    pub(crate) body: Vec<u8>,
}

/// What was asked of the feed; the pictures themselves do not say it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) frames_per_second: u32,
    pub(crate) bitrate_kbps: u32,
}

/// What the server was told of the tracks.
#[derive(Debug)]
struct Told {
    video: Arc<VideoFormat>,
    sound: Sound,
}

/// The track of sound.
#[derive(Debug)]
enum Sound {
    Real(AudioFormat),
    Silent(Silence),
}

/// One relay's way from samples to tags.
#[derive(Debug)]
pub(crate) struct Tagger {
    asked: Asked,
    /// From the first picture that was ever sent.
    line: Option<Line>,
    /// Decoding time of the last picture that was sent: no picture is sent twice.
    last: Option<MediaTime>,
    /// Decoding time of the entry since which pictures are sent; `None`: an entry is waited for.
    since: Option<MediaTime>,
    told: Option<Told>,
}

impl Tagger {
    pub(crate) const fn new(asked: Asked) -> Self {
        Self { asked, line: None, last: None, since: None, told: None }
    }

    /// Another connection begins: the server has been told nothing.
    pub(super) fn begin(&mut self) {
        self.since = None;
        self.told = None;
    }

    /// Pictures are left out: the next one is an entry.
    pub(crate) const fn skip(&mut self) {
        self.since = None;
    }

    /// The next entry is waited for.
    pub(super) const fn waits(&self) -> bool {
        self.since.is_none()
    }

    /// Takes the next sample, and gives the tags to send.
    pub(crate) fn push(&mut self, sample: &Sample, tags: &mut Vec<Tag>) {
        match sample {
            Sample::Video(unit) => self.push_picture(unit, tags),
            Sample::Audio(frame) => self.push_sound(frame, tags),
        }
    }

    fn push_picture(&mut self, unit: &AccessUnit, tags: &mut Vec<Tag>) {
        let dts = unit.times.dts;
        if self.since.is_none() {
            if !unit.is_entry() || self.last.is_some_and(|last| dts <= last) {
                return;
            }
            self.since = Some(dts);
        }
        self.last = Some(dts);
        let line = *self.line.get_or_insert(Line::from(dts));
        let stamp = line.stamp(unit.times);
        self.tell(unit, stamp.timestamp, tags);
        if let Some(Told { sound: Sound::Silent(silence), .. }) = &mut self.told {
            while let Some(at) = silence.next(dts) {
                let timestamp = line.stamp(Times::at(at)).timestamp;
                tags.push(Tag { kind: Kind::Audio, timestamp, body: flv::raw_aac_frame(silence::frame()) });
            }
        }
        let body = flv::avc_picture(unit, stamp.composition);
        tags.push(Tag { kind: Kind::Video, timestamp: stamp.timestamp, body });
    }

    /// Says what tracks there are, where the server has not been told.
    fn tell(&mut self, unit: &AccessUnit, timestamp: u32, tags: &mut Vec<Tag>) {
        let wanted = unit.sound.as_deref().copied();
        let told = self.told.as_ref();
        let has_video =
            told.is_some_and(|told| Arc::ptr_eq(&told.video, &unit.format) || told.video == unit.format);
        let has_sound = told.is_some_and(|told| match &told.sound {
            Sound::Real(format) => wanted == Some(*format),
            Sound::Silent(_) => wanted.is_none(),
        });
        if has_video && has_sound {
            return;
        }
        let audio = wanted.unwrap_or_else(silence::format);
        let metadata = Metadata {
            video: &unit.format,
            frames_per_second: match self.asked.frames_per_second {
                0 => unit.format.frames_per_second.unwrap_or_default(),
                asked => asked.into(),
            },
            video_kbps: self.asked.bitrate_kbps,
            audio,
        };
        let mut push = |kind, body| tags.push(Tag { kind, timestamp, body });
        push(Kind::Metadata, metadata.body());
        if !has_video {
            push(Kind::Video, flv::avc_sequence_header(&unit.format));
        }
        if !has_sound {
            push(Kind::Audio, flv::aac_sequence_header(&audio));
        }
        let sound = match self.told.take().filter(|_| has_sound) {
            Some(told) => told.sound,
            None => wanted.map_or_else(|| Sound::Silent(Silence::from(unit.times.dts)), Sound::Real),
        };
        self.told = Some(Told { video: Arc::clone(&unit.format), sound });
    }

    /// Sound from the first picture on; what is not announced is left out.
    fn push_sound(&self, frame: &AudioFrame, tags: &mut Vec<Tag>) {
        let (Some(line), Some(since), Some(told)) = (self.line, self.since, &self.told) else { return };
        let is_announced = matches!(&told.sound, Sound::Real(format) if *format == *frame.format);
        if is_announced && frame.times.dts >= since {
            let timestamp = line.stamp(frame.times).timestamp;
            tags.push(Tag { kind: Kind::Audio, timestamp, body: flv::raw_aac_frame(&frame.data) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::testing::access_unit;

    /// Ten pictures a second, an IDR first in each.
    fn picture(tenth: i64) -> AccessUnit {
        access_unit(tenth * 9000, tenth % 10 == 0, 100)
    }

    fn sound(ticks: i64, format: AudioFormat) -> Sample {
        let times = Times::at(MediaTime::from_ticks(ticks));
        Sample::Audio(AudioFrame { times, epoch: 0, data: vec![1, 2].into(), format: Arc::new(format) })
    }

    fn push(tagger: &mut Tagger, sample: impl Into<Sample>) -> Vec<(Kind, u32)> {
        let mut tags = Vec::new();
        tagger.push(&sample.into(), &mut tags);
        tags.iter().map(|tag| (tag.kind, tag.timestamp)).collect()
    }

    #[test]
    fn it_begins_at_an_entry_with_everything_that_a_decoder_needs() {
        let mut tagger = Tagger::new(Asked::default());
        assert_eq!(push(&mut tagger, picture(9)), []);
        let silent =
            [(Kind::Metadata, 0), (Kind::Video, 0), (Kind::Audio, 0), (Kind::Audio, 0), (Kind::Video, 0)];
        assert_eq!(push(&mut tagger, picture(10)), silent);
        let next =
            [(Kind::Audio, 21), (Kind::Audio, 42), (Kind::Audio, 64), (Kind::Audio, 85), (Kind::Video, 100)];
        assert_eq!(push(&mut tagger, picture(11)), next);
    }

    #[test]
    fn sound_goes_with_the_pictures_that_announce_it() {
        let format = AudioFormat::new(44_100, 2).unwrap();
        let mut tagger = Tagger::new(Asked::default());
        let with_sound = |tenth| AccessUnit { sound: Some(Arc::new(format)), ..picture(tenth) };
        assert_eq!(push(&mut tagger, sound(89_000, format)), []);
        assert_eq!(push(&mut tagger, with_sound(10)).len(), 4);
        assert_eq!(push(&mut tagger, sound(89_990, format)), [], "before the first picture");
        assert_eq!(push(&mut tagger, sound(90_000, format)), [(Kind::Audio, 0)]);
        assert_eq!(push(&mut tagger, sound(90_000, AudioFormat::new(48_000, 2).unwrap())), []);
        // The microphone is gone: the server is told of another track.
        let kinds: Vec<_> = push(&mut tagger, picture(20)).iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [Kind::Metadata, Kind::Audio, Kind::Audio, Kind::Video]);
    }

    #[test]
    fn no_picture_is_sent_twice_and_time_goes_on_over_connections() {
        let mut tagger = Tagger::new(Asked::default());
        for tenth in 0..15 {
            push(&mut tagger, picture(tenth));
        }
        tagger.begin();
        // What the ring still has was sent before.
        for tenth in 10..20 {
            assert_eq!(push(&mut tagger, picture(tenth)), []);
        }
        let tags = push(&mut tagger, picture(20));
        assert_eq!(tags.len(), 5);
        assert!(tags.iter().all(|(_, timestamp)| *timestamp == 2000), "{tags:?}");
        tagger.skip();
        assert!(tagger.waits());
        assert_eq!(push(&mut tagger, picture(21)), []);
        let kinds: Vec<_> = push(&mut tagger, picture(30)).iter().map(|(kind, _)| *kind).collect();
        assert!(
            kinds[..kinds.len() - 1].iter().all(|kind| *kind == Kind::Audio),
            "this server knows the tracks"
        );
    }

    #[test]
    fn other_parameter_sets_are_told() {
        let mut tagger = Tagger::new(Asked { frames_per_second: 10, bitrate_kbps: 100 });
        push(&mut tagger, picture(0));
        let other = VideoFormat { width: 320, ..(*picture(10).format).clone() };
        let kinds: Vec<_> = push(&mut tagger, AccessUnit { format: Arc::new(other), ..picture(10) })
            .iter()
            .map(|(kind, _)| *kind)
            .collect();
        assert_eq!(kinds[..2], [Kind::Metadata, Kind::Video]);
    }
}
