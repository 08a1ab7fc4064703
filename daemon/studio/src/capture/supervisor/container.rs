//! The kind of a program's byte stream: MPEG-TS, which carries times, or bare H.264 (Annex B), which carries none. The
//! first bytes decide; what comes before the first packet or start code is passed over.

use super::soundtrack::Soundtrack;
use bytes::Bytes;
use perch_media::access_unit::AccessUnitAssembler;
use perch_media::mpegts::{Demuxer, Found, is_transport_stream};
use perch_media::sample::{AudioFrame, Sample};
use perch_media::time::{MediaTime, Times};
use std::ops::RangeInclusive;

/// How a byte stream is read.
#[derive(Debug)]
pub(super) enum Container {
    /// Too few bytes have come to decide.
    Unknown(Vec<u8>),
    /// Bare H.264: pictures get the times of their arrival.
    AnnexB,
    /// Pictures and sound get the times that the stream carries.
    TransportStream(Box<TransportStream>),
}

/// A transport stream and its sound.
#[derive(Debug, Default)]
pub(super) struct TransportStream {
    demuxer: Demuxer,
    soundtrack: Soundtrack,
}

impl Container {
    /// The state at a stream's start.
    pub(super) const fn new() -> Self {
        Self::Unknown(Vec::new())
    }

    /// Takes bytes that arrived between the two moments of `came`, and passes the complete samples to `publish`.
    pub(super) fn take(
        &mut self,
        data: Bytes,
        came: RangeInclusive<MediaTime>,
        assembler: &mut AccessUnitAssembler,
        mut publish: impl FnMut(Sample),
    ) {
        let data = match self {
            Self::Unknown(held) if held.is_empty() => data,
            Self::Unknown(held) => {
                held.extend_from_slice(&data);
                std::mem::take(held).into()
            }
            _ => data,
        };
        if matches!(self, Self::Unknown(_)) {
            match is_transport_stream(&data) {
                Some(true) => *self = Self::TransportStream(Box::default()),
                Some(false) => *self = Self::AnnexB,
                None => {
                    *self = Self::Unknown(data.into());
                    return;
                }
            }
        }
        if let Self::TransportStream(stream) = self {
            stream.demuxer.push(&data);
            stream.hand_over(*came.end(), assembler, publish);
        } else {
            assembler.push_bytes(data, came);
            while let Some(unit) = assembler.next_unit() {
                publish(unit.into());
            }
        }
    }

    /// Passes on the rest of the stream, which ended at `now`.
    pub(super) fn finish(
        &mut self,
        now: MediaTime,
        assembler: &mut AccessUnitAssembler,
        mut publish: impl FnMut(Sample),
    ) {
        match self {
            Self::TransportStream(stream) => {
                stream.demuxer.flush();
                stream.hand_over(now, assembler, &mut publish);
                return stream.soundtrack.finish(publish);
            }
            // Too little for packets.
            Self::Unknown(held) => assembler.push_bytes(std::mem::take(held).into(), now..=now),
            Self::AnnexB => {}
        }
        while let Some(unit) = assembler.next_unit().or_else(|| assembler.flush()) {
            publish(unit.into());
        }
    }

    /// Why a transport stream gives no pictures, in words; `None` if it does.
    pub(super) fn problem(&self) -> Option<String> {
        let Self::TransportStream(stream) = self else { return None };
        stream.demuxer.problem().map(|problem| problem.to_string())
    }

    /// Why a transport stream's sound is left out, in words; `None` if it is not.
    pub(super) fn sound_problem(&self) -> Option<String> {
        let Self::TransportStream(stream) = self else { return None };
        stream.demuxer.sound_problem().map(|problem| problem.to_string())
    }
}

impl TransportStream {
    fn hand_over(
        &mut self,
        now: MediaTime,
        assembler: &mut AccessUnitAssembler,
        mut publish: impl FnMut(Sample),
    ) {
        let Self { demuxer, soundtrack } = self;
        while let Some(found) = demuxer.next_found() {
            match found {
                Found::Lost => assembler.lost_picture(),
                Found::Picture(picture) => {
                    let times = Times { pts: picture.pts, dts: picture.dts };
                    // Errors are counted by the assembler.
                    if let Ok(Some(unit)) = assembler.push_picture(&picture.data, times) {
                        soundtrack.picture(unit, now, demuxer.announces_sound(), &mut publish);
                    }
                }
                Found::Sound(sound) => {
                    let (times, data, format) = (sound.times, sound.data, sound.format);
                    let frame = AudioFrame { times, epoch: assembler.epoch(), data, format };
                    soundtrack.sound(frame, now, &mut publish);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::testing::coded_pictures;
    use perch_media::access_unit::AccessUnit;
    use perch_media::mpegts::Muxer;
    use perch_media::time::MediaDuration;

    /// Six pictures 4,000 ticks apart as Annex B and as MPEG-TS.
    fn streams() -> [Vec<u8>; 2] {
        let coded = coded_pictures(6);
        let (mut assembler, mut muxer, mut stream) = (AccessUnitAssembler::new(0), Muxer::new(), Vec::new());
        muxer.write_tables(&mut stream);
        for (at, data) in (0..).step_by(4000).zip(&coded) {
            let unit = assembler
                .push_picture(data, Times::at(MediaTime::from_ticks(at)))
                .unwrap()
                .expect("an access unit");
            muxer.write(&unit, &mut stream);
        }
        [coded.concat(), stream]
    }

    fn read(stream: &[u8], piece_bytes: usize) -> (Vec<AccessUnit>, Container) {
        let (mut container, mut assembler, mut units) =
            (Container::new(), AccessUnitAssembler::new(0), Vec::new());
        let came = MediaTime::from_ticks(900)..=MediaTime::from_ticks(900);
        for piece in stream.chunks(piece_bytes) {
            let piece = Bytes::copy_from_slice(piece);
            container
                .take(piece, came.clone(), &mut assembler, |sample| units.extend(sample.video().cloned()));
        }
        container.finish(*came.end(), &mut assembler, |sample| units.extend(sample.video().cloned()));
        (units, container)
    }

    #[test]
    fn both_give_the_same_pictures_however_they_come_and_one_its_own_times() {
        let [annex_b, transport_stream] = streams();
        for piece_bytes in [1, 100, 188, usize::MAX] {
            let (bare, container) = read(&annex_b, piece_bytes);
            assert!(matches!(container, Container::AnnexB));
            let (timed, container) = read(&transport_stream, piece_bytes);
            assert!(matches!(container, Container::TransportStream(_)) && container.problem().is_none());
            assert_eq!((bare.len(), timed.len()), (6, 6), "in pieces of {piece_bytes}");
            let slices = |unit: &AccessUnit| unit.data.clone();
            assert!(bare.iter().zip(&timed).all(|(bare, timed)| slices(timed).ends_with(&slices(bare))));
            let steps = timed.windows(2).map(|pair| pair[1].times.dts - pair[0].times.dts);
            assert!(steps.into_iter().all(|step| step == MediaDuration::from_ticks(4000)));
        }
    }

    #[test]
    fn junk_before_either_is_passed_over_however_short_the_stream() {
        let [annex_b, transport_stream] = streams();
        for junk in [&b"hello"[..], &[0x47, 0, 0], &[7; 187]] {
            for (stream, is_timed) in [(&annex_b, false), (&transport_stream, true)] {
                for piece_bytes in [1, 100, usize::MAX] {
                    let (units, container) = read(&[junk, stream].concat(), piece_bytes);
                    assert_eq!(units.len(), 6, "{junk:?} {is_timed} {piece_bytes}");
                    assert_eq!(matches!(container, Container::TransportStream(_)), is_timed);
                }
            }
        }
    }

    #[test]
    fn a_lost_packet_costs_the_pictures_until_the_next_entry() {
        let [_, stream] = streams();
        // The tables take two packets, and each of these pictures takes one packet or a few.
        let without = [&stream[..188 * 4], &stream[188 * 5..]].concat();
        let (units, _) = read(&without, 500);
        assert!(!units.is_empty() && units.len() < 6 && units[0].is_entry(), "{}", units.len());
        assert!(
            units.windows(2).all(|pair| (pair[1].times.dts - pair[0].times.dts).ticks() == 4000),
            "no hole within"
        );
    }

    #[test]
    fn tables_without_h264_are_told() {
        let mut stream = Vec::new();
        Muxer::new().write_tables(&mut stream);
        assert_eq!(
            read(&[&stream[..188], &stream[..188]].concat(), 50).1.problem().unwrap(),
            "it writes an MPEG transport stream without program tables"
        );
    }
}
