//! Packets of 188 bytes (ISO/IEC 13818-1 §2.4.3). The crate `mpeg2ts` writes them, except for packets with 184 bytes of
//! payload and nothing else: nearly all are such, and they are written in place.

use mpeg2ts::ts::{
    AdaptationField, ContinuityCounter, TransportScramblingControl, TsHeader, TsPacket, TsPacketWriter,
    TsPayload, WriteTsPacket,
};

/// Size of a packet.
pub const PACKET_BYTES: usize = TsPacket::SIZE;
/// Payload of a packet that has no adaptation field.
pub(super) const PAYLOAD_BYTES: usize = PACKET_BYTES - 4;

/// A ready-made packet.
pub(super) type Packet = [u8; PACKET_BYTES];

/// Makes PIDs from our constants.
pub(super) struct Pid;

impl Pid {
    pub(super) fn of(pid: u16) -> mpeg2ts::ts::Pid {
        mpeg2ts::ts::Pid::new(pid).expect("our PIDs have 13 bits")
    }
}

/// Appends one packet. An adaptation field fills it up if the payload does not.
pub(super) fn render(
    pid: u16,
    continuity: u8,
    adaptation_field: Option<AdaptationField>,
    payload: Option<TsPayload>,
    out: &mut Vec<u8>,
) {
    let start = out.len();
    let has_pcr = adaptation_field.as_ref().is_some_and(|field| field.pcr.is_some());
    let packet = TsPacket {
        header: TsHeader {
            transport_error_indicator: false,
            transport_priority: false,
            pid: Pid::of(pid),
            transport_scrambling_control: TransportScramblingControl::NotScrambled,
            continuity_counter: ContinuityCounter::from_u8(continuity & 0x0f).expect("4 bits"),
        },
        adaptation_field,
        payload,
    };
    TsPacketWriter::new(&mut *out).write_ts_packet(&packet).expect("the caller keeps to the packet's size");
    if has_pcr {
        out[start + 10] |= 0b0111_1110; // reserved bits of the PCR are ones (§2.4.3.5); the crate writes zeros
    }
}

/// Appends a packet's four header bytes; 184 bytes of payload follow that do not begin a PES packet.
pub(super) fn push_full_header(pid: u16, continuity: u8, out: &mut Vec<u8>) {
    let [high, low] = pid.to_be_bytes();
    out.extend_from_slice(&[TsPacket::SYNC_BYTE, high, low, 0x10 | (continuity & 0x0f)]);
}
