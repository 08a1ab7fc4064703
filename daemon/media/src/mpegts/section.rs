//! Sections of program tables (ISO/IEC 13818-1 §2.4.4) of a foreign stream: assembled from packets, checked by their
//! CRC, and read as far as PAT and PMT are needed.

/// `section_length` is at most 1,021, counted after its own three bytes (§2.4.4.3).
const MAX_SECTION_BYTES: usize = 1024;
/// Streams kept of one program; a camera program has two or three.
const MAX_STREAMS: usize = 32;

/// `table_id` of a program association section.
const PAT: u8 = 0x00;
/// `table_id` of a program map section.
const PMT: u8 = 0x02;
/// `stream_type` of PES packets with private data (Table 2-34).
const PRIVATE_DATA: u8 = 0x06;

/// Collects one PID's sections.
#[derive(Debug, Default)]
pub(super) struct SectionReader {
    bytes: Vec<u8>,
}

impl SectionReader {
    /// Takes a packet's payload; `starts` is its `payload_unit_start_indicator`. Passes every whole section with a
    /// correct CRC to `found`.
    pub(super) fn push(&mut self, payload: &[u8], starts: bool, mut found: impl FnMut(&[u8])) {
        if !starts {
            // Without a beginning there is nothing to continue.
            if !self.bytes.is_empty() {
                self.append(payload, &mut found);
            }
            return;
        }
        // pointer_field (§2.4.4.1): this many bytes still belong to the previous section.
        let Some((&pointer, payload)) = payload.split_first() else { return };
        let Some((rest, next)) = payload.split_at_checked(usize::from(pointer)) else {
            self.bytes.clear();
            return;
        };
        if !self.bytes.is_empty() {
            self.append(rest, &mut found);
        }
        self.bytes.clear();
        self.append(next, &mut found);
    }

    /// Drops the collected bytes, because packets were lost.
    pub(super) fn discard(&mut self) {
        self.bytes.clear();
    }

    fn append(&mut self, bytes: &[u8], found: &mut impl FnMut(&[u8])) {
        self.bytes.extend_from_slice(bytes);
        let mut begin = 0;
        // A table_id of 0xFF starts the stuffing (§2.4.4.2).
        while let Some(&[table, high, low, ..]) =
            self.bytes.get(begin..).filter(|left| left.first() != Some(&0xff))
        {
            let _ = table;
            let length = 3 + usize::from(u16::from_be_bytes([high & 0x0f, low]));
            if length > MAX_SECTION_BYTES {
                self.bytes.clear();
                return;
            }
            let Some(section) = self.bytes.get(begin..begin + length) else {
                self.bytes.drain(..begin);
                return;
            };
            // The CRC over a section including its own CRC is zero (Annex A).
            if crc(section) == 0 {
                found(section);
            }
            begin += length;
        }
        let is_stuffing = self.bytes.get(begin).is_none_or(|table| *table == 0xff);
        if is_stuffing {
            self.bytes.clear();
        } else {
            self.bytes.drain(..begin);
        }
    }
}

/// The PID of the first program's map. `None` if the section is not a valid PAT that names one.
pub(super) fn program_map_pid(section: &[u8]) -> Option<u16> {
    let programs = body(section, PAT)?;
    programs.chunks_exact(4).find_map(|entry| {
        let number = u16::from_be_bytes([entry[0], entry[1]]);
        // Program 0 is the network's own table.
        (number != 0).then(|| pid(entry[2], entry[3]))
    })
}

/// A stream of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Announced {
    pub(super) stream_type: u8,
    pub(super) pid: u16,
    /// For private data (`stream_type` 6): the kind of sound that its descriptors name, in words for people.
    pub(super) private_sound: Option<&'static str>,
}

/// A program's streams. `None` if the section is not a valid PMT.
pub(super) fn streams(section: &[u8]) -> Option<Vec<Announced>> {
    let program = body(section, PMT)?;
    let info = program.get(2..4)?;
    let mut left = program.get(4 + length(info[0], info[1])..)?;
    let mut streams = Vec::new();
    while let [stream_type, high, low, info_high, info_low, rest @ ..] = left {
        if streams.len() == MAX_STREAMS {
            break;
        }
        let (descriptors, after) = rest.split_at_checked(length(*info_high, *info_low))?;
        let private_sound = (*stream_type == PRIVATE_DATA).then(|| sound_of(descriptors)).flatten();
        streams.push(Announced { stream_type: *stream_type, pid: pid(*high, *low), private_sound });
        left = after;
    }
    Some(streams)
}

/// The sound that descriptors of private data name: DVB's (ETSI EN 300 468 §6.1), or a registration (§2.6.8).
fn sound_of(mut descriptors: &[u8]) -> Option<&'static str> {
    while let [tag, length, rest @ ..] = descriptors {
        let (content, after) = rest.split_at_checked(usize::from(*length))?;
        match (tag, content) {
            (0x6a, _) => return Some("AC-3"),
            (0x7a, _) => return Some("E-AC-3"),
            (0x7b, _) => return Some("DTS"),
            (0x05, [b'O', b'p', b'u', b's', ..]) => return Some("Opus"),
            _ => descriptors = after,
        }
    }
    None
}

/// The bytes between a section's common header and its CRC, if it is this table and in force
/// (`current_next_indicator`).
fn body(section: &[u8], table: u8) -> Option<&[u8]> {
    let inner = section.get(8..section.len().checked_sub(4)?)?;
    (section[0] == table && section[5] & 1 == 1).then_some(inner)
}

fn pid(high: u8, low: u8) -> u16 {
    u16::from_be_bytes([high & 0x1f, low])
}

fn length(high: u8, low: u8) -> usize {
    usize::from(u16::from_be_bytes([high & 0x0f, low]))
}

/// CRC-32 of sections (Annex A): polynomial 0x04C11DB7, starting from ones, not reflected. A section comes about twice
/// a second.
fn crc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte) << 24, |crc, _| {
            if crc >> 31 == 1 { crc << 1 ^ 0x04c1_1db7 } else { crc << 1 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(table: u8, body: &[u8]) -> Vec<u8> {
        let length = 5 + body.len() + 4;
        let mut section = vec![table, 0xb0 | (length >> 8) as u8, length as u8, 0, 1, 0xc1, 0, 0];
        section.extend_from_slice(body);
        let crc = crc(&section);
        section.extend_from_slice(&crc.to_be_bytes());
        section
    }

    fn read(reader: &mut SectionReader, payload: &[u8], starts: bool) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        reader.push(payload, starts, |section| found.push(section.to_vec()));
        found
    }

    #[test]
    fn tables_say_where_the_program_and_its_streams_are() {
        let pat = section(PAT, &[0, 0, 0xe0, 0x10, 0, 1, 0xf0, 0x00]);
        assert_eq!(program_map_pid(&pat), Some(0x1000), "the network's table is skipped");
        assert_eq!(streams(&pat), None);
        let pmt =
            section(PMT, &[0xe1, 0, 0xf0, 2, 9, 9, 0x1b, 0xe1, 0, 0xf0, 0, 0x0f, 0xe1, 1, 0xf0, 3, 10, 1, 0]);
        let announced = |stream_type, pid| Announced { stream_type, pid, private_sound: None };
        assert_eq!(streams(&pmt), Some(vec![announced(0x1b, 0x100), announced(0x0f, 0x101)]));
        assert_eq!(program_map_pid(&pmt), None);
    }

    #[test]
    fn a_section_over_several_packets_is_put_together() {
        let long = section(PMT, &[0x55; 400]);
        let mut reader = SectionReader::default();
        let first = [&[0][..], &long[..183]].concat();
        assert!(read(&mut reader, &first, true).is_empty());
        assert!(read(&mut reader, &long[183..367], false).is_empty());
        let last = [&[(long.len() - 367) as u8][..], &long[367..], &[0xff; 50]].concat();
        assert_eq!(read(&mut reader, &last, true), [long]);
    }

    #[test]
    fn a_section_with_a_wrong_crc_is_none() {
        let mut pat = section(PAT, &[0, 1, 0xf0, 0x00]);
        pat[9] ^= 4;
        assert!(read(&mut SectionReader::default(), &[&[0][..], &pat].concat(), true).is_empty());
    }

    #[test]
    fn lengths_that_lie_are_harmless() {
        assert_eq!(streams(&section(PMT, &[0xe1, 0, 0xff, 0xff])), None);
        assert_eq!(streams(&section(PMT, &[0xe1, 0, 0xf0, 0, 0x1b, 0xe1, 0, 0xf0, 9])), None);
        assert_eq!(program_map_pid(&[]), None);
        assert_eq!(program_map_pid(&[0; 9]), None);
        assert!(read(&mut SectionReader::default(), &[200, 1, 2], true).is_empty());
        assert!(read(&mut SectionReader::default(), &[0, 2, 0xff, 0xff], true).is_empty());
    }
}
