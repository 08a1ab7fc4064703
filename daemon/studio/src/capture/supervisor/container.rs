//! What a program's byte stream turns out to be: MPEG-TS, which carries times, or bare H.264 (Annex B), which carries none. The first bytes
//! tell.

use bytes::Bytes;
use perch_media::access_unit::{AccessUnit, AccessUnitAssembler};
use perch_media::mpegts::{Demuxer, Found, is_transport_stream};
use perch_media::time::{MediaTime, Times};
use std::ops::RangeInclusive;

/// How a byte stream is read.
#[derive(Debug)]
pub(super) enum Container {
    /// Too little has come to tell.
    Unknown(Vec<u8>),
    /// Bare H.264: pictures get the times of their arrival.
    AnnexB,
    /// Pictures get the times that the stream carries.
    TransportStream(Box<Demuxer>),
}

impl Container {
    /// At a stream's beginning.
    pub(super) const fn new() -> Self {
        Self::Unknown(Vec::new())
    }

    /// Takes bytes that `came` between two moments, and gives the access units that are whole to `publish`.
    pub(super) fn take(
        &mut self,
        data: Bytes,
        came: RangeInclusive<MediaTime>,
        assembler: &mut AccessUnitAssembler,
        mut publish: impl FnMut(AccessUnit),
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
        if let Self::TransportStream(demuxer) = self {
            demuxer.push(&data);
            hand_over(demuxer, assembler, publish);
        } else {
            assembler.push_bytes(data, came);
            while let Some(unit) = assembler.next_unit() {
                publish(unit);
            }
        }
    }

    /// The stream has ended: gives out its last picture.
    pub(super) fn finish(
        &mut self,
        assembler: &mut AccessUnitAssembler,
        mut publish: impl FnMut(AccessUnit),
    ) {
        if let Self::TransportStream(demuxer) = self {
            demuxer.flush();
            hand_over(demuxer, assembler, publish);
        } else if let Some(unit) = assembler.flush() {
            publish(unit);
        }
    }

    /// Why a transport stream gives no pictures, in words.
    pub(super) fn problem(&self) -> Option<String> {
        let Self::TransportStream(demuxer) = self else { return None };
        demuxer.problem().map(|problem| problem.to_string())
    }
}

fn hand_over(
    demuxer: &mut Demuxer,
    assembler: &mut AccessUnitAssembler,
    mut publish: impl FnMut(AccessUnit),
) {
    while let Some(found) = demuxer.next_found() {
        match found {
            Found::Lost => assembler.lost_picture(),
            Found::Picture(picture) => {
                let times = Times { pts: picture.pts, dts: picture.dts };
                // What an error says is in the assembler's counters.
                if let Ok(Some(unit)) = assembler.push_picture(&picture.data, times) {
                    publish(unit);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::testing::coded_pictures;
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
            container.take(piece, came.clone(), &mut assembler, |unit| units.push(unit));
        }
        container.finish(&mut assembler, |unit| units.push(unit));
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
