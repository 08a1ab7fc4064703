//! A foreign packet's header (ISO/IEC 13818-1 §2.4.3.2).

/// Says whether a packet's payload can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    Good,
    /// `transport_error_indicator`.
    Damaged,
    Scrambled,
}

/// One packet's header and payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct PacketHeader<'a> {
    pub(super) condition: Condition,
    /// `payload_unit_start_indicator`.
    pub(super) starts: bool,
    pub(super) pid: u16,
    pub(super) continuity: u8,
    /// `discontinuity_indicator` of the adaptation field.
    pub(super) is_discontinuous: bool,
    pub(super) payload: Option<&'a [u8]>,
}

impl<'a> PacketHeader<'a> {
    /// Reads a packet; `None` if the adaptation field is longer than the packet.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let [_, flags, low, control, rest @ ..] = bytes else { return None };
        let (has_adaptation_field, has_payload) = (control & 0x20 != 0, control & 0x10 != 0);
        let (field, payload) = if has_adaptation_field {
            let (length, rest) = rest.split_first()?;
            rest.split_at_checked(usize::from(*length))?
        } else {
            (&[][..], rest)
        };
        Some(Self {
            condition: match (flags & 0x80, control & 0xc0) {
                (0, 0) => Condition::Good,
                (0, _) => Condition::Scrambled,
                _ => Condition::Damaged,
            },
            starts: flags & 0x40 != 0,
            pid: u16::from_be_bytes([flags & 0x1f, *low]),
            continuity: control & 0x0f,
            is_discontinuous: field.first().is_some_and(|flags| flags & 0x80 != 0),
            payload: has_payload.then_some(payload),
        })
    }
}
