//! Takes a transport stream apart with the crate `mpeg2ts-reader`, which has nothing to do with the one that writes it, and
//! checks on the way what ISO/IEC 13818-1 asks of every stream.

use mpeg2ts_reader::packet::{AdaptationField, Packet};
use mpeg2ts_reader::pes::{PesContents, PesHeader, PesLength, PtsDts};
use mpeg2ts_reader::psi::pat::{PatSection, ProgramDescriptor};
use mpeg2ts_reader::psi::pmt::PmtSection;
use mpeg2ts_reader::{StreamType, mpegts_crc};
use std::collections::HashMap;

/// A PES packet.
#[derive(Debug, PartialEq)]
pub(crate) struct Pes {
    pub(crate) pts: u64,
    pub(crate) dts: u64,
    pub(crate) data: Vec<u8>,
    pub(crate) random_access: bool,
    pub(crate) discontinuity: bool,
}

/// What a stream was found to hold.
#[derive(Debug, Default)]
pub(crate) struct Demuxed {
    pub(crate) pes: Vec<Pes>,
    /// In ticks of the 27 MHz clock, with the number of PES packets before each.
    pub(crate) pcr: Vec<(u64, usize)>,
    /// `(PAT, PMT)` pairs.
    pub(crate) tables: usize,
    /// PIDs and types of the streams that the last PMT announced.
    pub(crate) streams: Vec<(u16, StreamType)>,
    /// `version_number` of that PMT.
    pub(crate) version: u8,
    /// PES packets of the second stream.
    pub(crate) sound: Vec<Pes>,
}

/// Reads streams that follow each other; counters go on from one to the next.
#[derive(Default)]
pub(crate) struct Demuxer {
    continuity: HashMap<u16, u8>,
    pmt_pid: Option<u16>,
}

impl Demuxer {
    /// One segment. Panics at what the standard forbids.
    pub(crate) fn read(&mut self, stream: &[u8]) -> Demuxed {
        assert_eq!(stream.len() % Packet::SIZE, 0, "whole packets only");
        let mut found = Demuxed::default();
        let mut video_pid = None;
        for bytes in stream.chunks(Packet::SIZE) {
            let packet = Packet::try_new(bytes).expect("sync byte");
            let pid = u16::from(packet.pid());
            self.check_continuity(pid, &packet);
            if pid == 0 {
                self.pmt_pid = Some(read_pat(section(&packet)));
            } else if Some(pid) == self.pmt_pid {
                found.streams = read_pmt(section(&packet));
                found.version = packet.payload().expect("a table")[6] >> 1 & 0x1f;
                video_pid = found.streams.first().map(|(pid, _)| *pid);
                found.tables += 1;
            } else if found.streams.get(1).is_some_and(|(audio_pid, _)| pid == *audio_pid) {
                read_audio(&packet, &mut found.sound);
            } else {
                assert_eq!(Some(pid), video_pid, "a packet of no announced stream");
                read_video(&packet, &mut found);
            }
        }
        found
    }

    fn check_continuity(&mut self, pid: u16, packet: &Packet<'_>) {
        let count = packet.continuity_counter().count();
        let step = u8::from(packet.payload().is_some());
        if let Some(last) = self.continuity.insert(pid, count) {
            assert_eq!(count, (last + step) % 16, "continuity counter of PID {pid}");
        }
    }
}

/// The section in a packet, its CRC checked, without its header of 8 bytes and the CRC.
fn section<'a>(packet: &Packet<'a>) -> &'a [u8] {
    assert!(packet.payload_unit_start_indicator());
    assert!(packet.adaptation_field().is_none(), "tables are padded with 0xFF");
    let payload = packet.payload().expect("a table");
    let [0, section @ ..] = payload else { panic!("pointer field") };
    let length = 3 + (usize::from(section[1] & 0x0f) << 8 | usize::from(section[2]));
    let (section, padding) = section.split_at(length);
    assert!(padding.iter().all(|&byte| byte == 0xff));
    assert_eq!(mpegts_crc::sum32(section), 0, "CRC");
    &section[8..length - 4]
}

fn read_pat(section: &[u8]) -> u16 {
    let programs: Vec<_> = PatSection::new(section).programs().collect();
    let [ProgramDescriptor::Program { pid, .. }] = programs[..] else { panic!("one program: {programs:?}") };
    u16::from(pid)
}

fn read_pmt(section: &[u8]) -> Vec<(u16, StreamType)> {
    let pmt = PmtSection::from_bytes(section).expect("a PMT");
    let streams: Vec<_> =
        pmt.streams().map(|stream| (u16::from(stream.elementary_pid()), stream.stream_type())).collect();
    assert_eq!(Some(u16::from(pmt.pcr_pid())), streams.first().map(|(pid, _)| *pid));
    streams
}

fn read_audio(packet: &Packet<'_>, found: &mut Vec<Pes>) {
    let payload = packet.payload().expect("no clock on the sound's PID");
    if !packet.payload_unit_start_indicator() {
        found.last_mut().expect("a PES packet goes on").data.extend_from_slice(payload);
        return;
    }
    let header = PesHeader::from_bytes(payload).expect("PES header");
    assert!(matches!(header.pes_packet_length(), PesLength::Bounded(_)), "only video may leave it open");
    let PesContents::Parsed(Some(contents)) = header.contents() else { panic!("PES header's flags") };
    let Ok(PtsDts::PtsOnly(Ok(pts))) = contents.pts_dts() else { panic!("a PTS alone") };
    let (pts, data) = (pts.value(), contents.payload().to_vec());
    found.push(Pes { pts, dts: pts, data, random_access: false, discontinuity: false });
}

fn read_video(packet: &Packet<'_>, found: &mut Demuxed) {
    let field = packet.adaptation_field();
    if let Some(pcr) = field.as_ref().and_then(|field| field.pcr().ok()) {
        found.pcr.push((pcr.base() * 300 + u64::from(pcr.extension()), found.pes.len()));
        assert_eq!(packet.buffer()[10] & 0x7e, 0x7e, "reserved bits of the PCR");
    }
    let Some(payload) = packet.payload() else { return };
    if !packet.payload_unit_start_indicator() {
        found.pes.last_mut().expect("a PES packet goes on").data.extend_from_slice(payload);
        return;
    }
    let header = PesHeader::from_bytes(payload).expect("PES header");
    assert_eq!(header.pes_packet_length(), PesLength::Unbounded);
    let PesContents::Parsed(Some(contents)) = header.contents() else { panic!("PES header's flags") };
    let (pts, dts) = match contents.pts_dts() {
        Ok(PtsDts::PtsOnly(Ok(pts))) => (pts.value(), pts.value()),
        Ok(PtsDts::Both { pts: Ok(pts), dts: Ok(dts) }) => (pts.value(), dts.value()),
        other => panic!("PTS: {other:?}"),
    };
    found.pes.push(Pes {
        pts,
        dts,
        data: contents.payload().to_vec(),
        random_access: field.as_ref().is_some_and(AdaptationField::random_access_indicator),
        discontinuity: field.as_ref().is_some_and(AdaptationField::discontinuity_indicator),
    });
}
