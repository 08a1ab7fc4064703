//! Program association and program map (ISO/IEC 13818-1 §2.4.4), as ready-made packets.

use super::packet::{PACKET_BYTES, Packet, Pid, render};
use super::pids::{AUDIO_PID, PMT_PID, VIDEO_PID};
use mpeg2ts::es::StreamType;
use mpeg2ts::ts::payload::{Pat, Pmt};
use mpeg2ts::ts::{EsInfo, ProgramAssociation, TsPayload, VersionNumber};

const PROGRAM: u16 = 1;

/// An elementary stream that the PMT announces.
#[derive(Clone, Copy, Debug)]
pub(super) struct ElementaryStream {
    pub(super) pid: u16,
    pub(super) stream_type: StreamType,
}

/// H.264 on the video PID.
pub(super) const H264: ElementaryStream = ElementaryStream { pid: VIDEO_PID, stream_type: StreamType::H264 };

/// AAC in ADTS on the audio PID.
pub(super) const AAC: ElementaryStream =
    ElementaryStream { pid: AUDIO_PID, stream_type: StreamType::AdtsAac };

/// PAT and PMT for a program of these streams; the PCR goes with the video. Another set of streams needs another `version`, which counts
/// modulo 32 (§2.4.4.9): demuxers may skip a PMT whose version they know.
pub(super) fn tables(streams: &[ElementaryStream], version: u8) -> [Packet; 2] {
    let pat = Pat {
        transport_stream_id: 1,
        version_number: VersionNumber::new(),
        table: vec![ProgramAssociation { program_num: PROGRAM, program_map_pid: Pid::of(PMT_PID) }],
    };
    let pmt = Pmt {
        program_num: PROGRAM,
        pcr_pid: Some(Pid::of(VIDEO_PID)),
        version_number: VersionNumber::from_u8(version & VersionNumber::MAX).expect("5 bits"),
        program_info: Vec::new(),
        es_info: streams
            .iter()
            .map(|stream| EsInfo {
                stream_type: stream.stream_type,
                elementary_pid: Pid::of(stream.pid),
                descriptors: Vec::new(),
            })
            .collect(),
    };
    [table_packet(mpeg2ts::ts::Pid::PAT, TsPayload::Pat(pat)), table_packet(PMT_PID, TsPayload::Pmt(pmt))]
}

/// Moves the section to the front, followed by 0xFF, as §2.4.4.1 says. The crate fills a packet up with an adaptation
/// field, which some demuxers do not expect before tables.
fn table_packet(pid: u16, payload: TsPayload) -> Packet {
    let mut rendered = Vec::with_capacity(PACKET_BYTES);
    render(pid, 0, None, Some(payload), &mut rendered);
    let adaptation_field_bytes = 1 + usize::from(rendered[4]);
    let mut packet = [0xff; PACKET_BYTES];
    packet[..4].copy_from_slice(&rendered[..4]);
    packet[3] = 0x10; // payload only
    let section = &rendered[4 + adaptation_field_bytes..];
    packet[4..4 + section.len()].copy_from_slice(section);
    packet
}
