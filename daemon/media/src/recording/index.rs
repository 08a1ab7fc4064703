//! The index of a part describes its fragments in few bytes, so that a playlist or the header of an MP4 file can be made without reading the part
//! itself. It can be rebuilt from the part.
//!
//! After a header it has one record for each fragment: its length (varint), its bytes, and their CRC-32. Records are appended; a record that a power
//! cut tore ends the index.
//!
//! All numbers in a record are varints: the distance from the previous fragment's end, the fragment's length, the mark, then for each track the first
//! decoding time, the offset of its data, the number of samples, and for each sample `bytes << 3 | is_key << 2 | has_composition << 1 | has_duration`,
//! followed by its duration if it differs from the previous sample's, and by its composition offset if that is not 0.

use super::{Break, Fragment, Mark, Run, SampleEntry, varint};
use std::io::{self, Read, Seek, SeekFrom};

/// The first bytes of an index; the last of them is the version of the format.
const MAGIC: [u8; 8] = *b"perchix\x01";
/// Length of the header.
const HEADER_BYTES: usize = 8 + 16 + 4 + 4 + 4;
/// Longest record in bytes; more are damage. A fragment is about a second long, and a sample takes at most 24 bytes.
const LONGEST_RECORD: u64 = 1 << 20;
/// Length of the CRC after a record.
const CRC_BYTES: usize = 4;

/// The header of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The stream's id, big-endian.
    pub stream: [u8; 16],
    /// The part's number, from 1.
    pub part: u32,
    /// Length of the part's `ftyp` and `moov`, and position of its first fragment.
    pub init_bytes: u32,
}

/// Why an index cannot be read, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// It is no index, or one of a later version.
    #[error("it is not an index of this version of Perch")]
    NotAnIndex,
    /// A record is cut off, or its check sum is wrong.
    #[error("the record at byte {at} is cut off or damaged")]
    Torn {
        /// First byte of the record in the index.
        at: u64,
    },
    /// It could not be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
}

impl Header {
    /// The header's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_BYTES);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&self.stream);
        out.extend_from_slice(&self.part.to_be_bytes());
        out.extend_from_slice(&self.init_bytes.to_be_bytes());
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_be_bytes());
        out
    }
}

/// Makes the records of an index, in order.
#[derive(Clone, Debug)]
pub struct Encoder {
    order: Order,
    record: Vec<u8>,
}

/// State of the previous record, from which the next one may omit values.
#[derive(Clone, Copy, Debug)]
struct Order {
    /// End of the previous fragment in the part's file.
    end: u64,
    video_duration: u32,
    audio_duration: u32,
}

impl Order {
    const fn new(header: &Header) -> Self {
        Self { end: header.init_bytes as u64, video_duration: 0, audio_duration: 0 }
    }
}

impl Encoder {
    /// An encoder for the records after this header.
    pub const fn new(header: &Header) -> Self {
        Self { order: Order::new(header), record: Vec::new() }
    }

    /// Appends the fragment's record. Fragments must come in the order of the file.
    pub fn push(&mut self, fragment: &Fragment, out: &mut Vec<u8>) {
        let record = &mut self.record;
        record.clear();
        varint::put(fragment.at.saturating_sub(self.order.end), record);
        varint::put(fragment.bytes.into(), record);
        let Mark { begins_segment, is_independent, before, stream_offset_ms, wall_ms } = fragment.mark;
        let (is_seam, is_gap) = (before == Break::Seam, before == Break::Gap);
        let flags = [begins_segment, is_independent, is_seam, is_gap, fragment.audio.is_some()];
        varint::put(flags.iter().enumerate().map(|(bit, flag)| u64::from(*flag) << bit).sum(), record);
        varint::put(stream_offset_ms, record);
        varint::put_signed(wall_ms, record);
        put_run(&fragment.video, &mut self.order.video_duration, record);
        if let Some(audio) = &fragment.audio {
            put_run(audio, &mut self.order.audio_duration, record);
        }
        self.order.end = fragment.at + u64::from(fragment.bytes);
        varint::put(record.len() as u64, out);
        out.extend_from_slice(record);
        out.extend_from_slice(&crc32fast::hash(record).to_be_bytes());
    }
}

fn put_run(run: &Run, duration: &mut u32, record: &mut Vec<u8>) {
    varint::put(run.decode_time, record);
    varint::put(run.data_at.into(), record);
    varint::put(run.samples.len() as u64, record);
    for sample in &run.samples {
        let has_duration = sample.duration != *duration;
        let has_composition = sample.composition_offset != 0;
        let flags = u64::from(sample.is_key) << 2 | u64::from(has_composition) << 1 | u64::from(has_duration);
        varint::put(u64::from(sample.bytes) << 3 | flags, record);
        if has_duration {
            varint::put(sample.duration.into(), record);
            *duration = sample.duration;
        }
        if has_composition {
            varint::put_signed(sample.composition_offset.into(), record);
        }
    }
}

/// Reads an index's fragments in order. It ends after an error.
#[derive(Clone, Debug)]
pub struct Reader<R> {
    from: R,
    header: Header,
    order: Order,
    /// Position of the next record in the index.
    at: u64,
    record: Vec<u8>,
    has_ended: bool,
}

impl<R: Read> Reader<R> {
    /// Reads the header. `from` should be buffered.
    pub fn new(mut from: R) -> Result<Self, IndexError> {
        let mut bytes = [0; HEADER_BYTES];
        let read = fill(&mut from, &mut bytes)?;
        let (said, crc) = bytes.split_at(HEADER_BYTES - CRC_BYTES);
        if read < HEADER_BYTES || said[..8] != MAGIC || crc32fast::hash(said).to_be_bytes() != *crc {
            return Err(IndexError::NotAnIndex);
        }
        let number = |at: usize| u32::from_be_bytes([said[at], said[at + 1], said[at + 2], said[at + 3]]);
        let mut stream = [0; 16];
        stream.copy_from_slice(&said[8..24]);
        let header = Header { stream, part: number(24), init_bytes: number(28) };
        let at = HEADER_BYTES as u64;
        Ok(Self { from, header, order: Order::new(&header), at, record: Vec::new(), has_ended: false })
    }

    /// The header.
    pub const fn header(&self) -> Header {
        self.header
    }

    /// End of the records read so far, in the index.
    pub const fn index_bytes(&self) -> u64 {
        self.at
    }

    /// End of the fragments read so far, in the part's file.
    pub const fn part_bytes(&self) -> u64 {
        self.order.end
    }

    /// An encoder that continues after the records read so far.
    pub const fn encoder(&self) -> Encoder {
        Encoder { order: self.order, record: Vec::new() }
    }

    fn read(&mut self) -> Result<Option<Fragment>, IndexError> {
        let torn = IndexError::Torn { at: self.at };
        let mut length = Vec::new();
        loop {
            let mut byte = [0];
            if fill(&mut self.from, &mut byte)? == 0 {
                return if length.is_empty() { Ok(None) } else { Err(torn) };
            }
            length.push(byte[0]);
            if byte[0] & 0x80 == 0 {
                break;
            }
            if length.len() > 3 {
                return Err(torn);
            }
        }
        let Some(bytes) = varint::take(&mut length.as_slice()).filter(|bytes| *bytes <= LONGEST_RECORD)
        else {
            return Err(torn);
        };
        let bytes = bytes as usize;
        self.record.resize(bytes + CRC_BYTES, 0);
        if fill(&mut self.from, &mut self.record)? < bytes + CRC_BYTES {
            return Err(torn);
        }
        let (record, crc) = self.record.split_at(bytes);
        if crc32fast::hash(record).to_be_bytes() != *crc {
            return Err(torn);
        }
        let Some(fragment) = take_fragment(record, &mut self.order) else { return Err(torn) };
        self.at += (length.len() + bytes + CRC_BYTES) as u64;
        Ok(Some(fragment))
    }
}

impl<R> Reader<R> {
    /// The same position without the file; [`Self::go_on_in`] continues there.
    pub const fn place(&self) -> Reader<io::Empty> {
        let Self { header, order, at, .. } = *self;
        Reader { from: io::empty(), header, order, at, record: Vec::new(), has_ended: false }
    }

    /// Continues after an end: a record that was incomplete may be whole now, because the part is still being written. `from` is the same index, opened
    /// again; with [`io::empty`] instead, the reader holds no file open while nobody reads.
    pub fn go_on_in<S: Seek>(self, mut from: S) -> io::Result<Reader<S>> {
        let Self { header, order, at, record, .. } = self;
        from.seek(SeekFrom::Start(at))?;
        Ok(Reader { from, header, order, at, record, has_ended: false })
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Fragment, IndexError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let next = self.read().transpose();
        self.has_ended = !matches!(next, Some(Ok(_)));
        next
    }
}

/// Reads until `into` is full or the input ends; returns the number of bytes read.
fn fill(from: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        match from.read(&mut into[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn take_fragment(mut record: &[u8], order: &mut Order) -> Option<Fragment> {
    let rest = &mut record;
    let mut after = *order;
    let at = after.end.checked_add(varint::take(rest)?)?;
    let bytes = u32::try_from(varint::take(rest)?).ok()?;
    let flags = varint::take(rest)?;
    let flag = |bit: u32| flags >> bit & 1 == 1;
    let mark = Mark {
        begins_segment: flag(0),
        is_independent: flag(1),
        before: match (flag(2), flag(3)) {
            (false, false) => Break::None,
            (true, false) => Break::Seam,
            (_, true) => Break::Gap,
        },
        stream_offset_ms: varint::take(rest)?,
        wall_ms: varint::take_signed(rest)?,
    };
    let video = take_run(rest, &mut after.video_duration)?;
    let audio = if flag(4) { Some(take_run(rest, &mut after.audio_duration)?) } else { None };
    after.end = at.checked_add(bytes.into())?;
    let fragment = Fragment { at, bytes, mark, video, audio };
    if !rest.is_empty() || !fragment.is_plausible() {
        return None;
    }
    *order = after;
    Some(fragment)
}

fn take_run(rest: &mut &[u8], duration: &mut u32) -> Option<Run> {
    let decode_time = varint::take(rest)?;
    let data_at = u32::try_from(varint::take(rest)?).ok()?;
    let count = usize::try_from(varint::take(rest)?).ok()?;
    // A sample takes at least one byte.
    let mut samples = Vec::with_capacity(count.min(rest.len()));
    for _ in 0..count {
        let word = varint::take(rest)?;
        if word & 1 == 1 {
            *duration = u32::try_from(varint::take(rest)?).ok()?;
        }
        let composition_offset =
            if word & 2 == 2 { i32::try_from(varint::take_signed(rest)?).ok()? } else { 0 };
        let bytes = u32::try_from(word >> 3).ok()?;
        samples.push(SampleEntry { bytes, duration: *duration, composition_offset, is_key: word & 4 == 4 });
    }
    Some(Run { decode_time, data_at, samples })
}

#[cfg(test)]
mod tests {
    use super::super::FARTHEST;
    use super::*;
    use proptest::prelude::*;

    fn sample() -> impl Strategy<Value = SampleEntry> {
        let duration = prop_oneof![Just(3000_u32), any::<u32>()];
        (0..100_000_u32, duration, prop_oneof![Just(0), any::<i32>()], any::<bool>()).prop_map(
            |(bytes, duration, composition_offset, is_key)| SampleEntry {
                bytes,
                duration,
                composition_offset,
                is_key,
            },
        )
    }

    fn run() -> impl Strategy<Value = Run> {
        (0..=FARTHEST, 0..100_000_u32, prop::collection::vec(sample(), 0..40))
            .prop_map(|(decode_time, data_at, samples)| Run { decode_time, data_at, samples })
    }

    fn mark() -> impl Strategy<Value = Mark> {
        let before = prop_oneof![Just(Break::None), Just(Break::Seam), Just(Break::Gap)];
        let far = FARTHEST.cast_signed();
        (any::<bool>(), any::<bool>(), before, 0..=FARTHEST, -far..=far).prop_map(
            |(begins_segment, is_independent, before, stream_offset_ms, wall_ms)| Mark {
                begins_segment,
                is_independent,
                before,
                stream_offset_ms,
                wall_ms,
            },
        )
    }

    /// Consecutive fragments of a file, with foreign bytes between some of them.
    fn fragments() -> impl Strategy<Value = Vec<Fragment>> {
        let fragment = (0_u64..3, 0..1000_u32, mark(), run(), prop::option::of(run()));
        prop::collection::vec(fragment, 0..12).prop_map(|fragments| {
            let mut end = u64::from(HEADER.init_bytes);
            let follow = |(skipped, behind, mark, video, audio): (_, u32, _, Run, Option<Run>)| {
                let at = end + skipped;
                let ends = |run: &Run| run.data_at + run.bytes() as u32;
                let bytes = behind + ends(&video).max(audio.as_ref().map_or(0, ends));
                end = at + u64::from(bytes);
                Fragment { at, bytes, mark, video, audio }
            };
            fragments.into_iter().map(follow).collect()
        })
    }

    const HEADER: Header = Header { stream: [7; 16], part: 2, init_bytes: 812 };

    fn written(fragments: &[Fragment]) -> Vec<u8> {
        let mut out = HEADER.encode();
        let mut encoder = Encoder::new(&HEADER);
        for fragment in fragments {
            encoder.push(fragment, &mut out);
        }
        out
    }

    fn read(bytes: &[u8]) -> (Vec<Fragment>, bool) {
        let Ok(mut reader) = Reader::new(bytes) else { return (Vec::new(), true) };
        let mut all = Vec::new();
        let ended_well = loop {
            match reader.next() {
                Some(Ok(fragment)) => all.push(fragment),
                Some(Err(error)) => {
                    assert!(
                        matches!(error, IndexError::Torn { at } if at == reader.index_bytes()),
                        "{error}"
                    );
                    break false;
                }
                None => break true,
            }
        };
        assert!(reader.next().is_none());
        (all, !ended_well)
    }

    proptest! {
        #[test]
        fn fragments_come_back(fragments in fragments()) {
            let bytes = written(&fragments);
            prop_assert_eq!(Reader::new(bytes.as_slice()).unwrap().header(), HEADER);
            prop_assert_eq!(read(&bytes), (fragments, false));
        }

        #[test]
        fn a_torn_index_gives_what_is_whole_and_goes_on_from_there(fragments in fragments(), part in 0.0..1.0) {
            let bytes = written(&fragments);
            let (whole, _) = read(&bytes[..(bytes.len() as f64 * part) as usize]);
            prop_assert_eq!(&whole[..], &fragments[..whole.len()]);
            let mut again = written(&whole);
            let mut reader = Reader::new(again.as_slice()).unwrap();
            prop_assert!(reader.by_ref().all(|fragment| fragment.is_ok()));
            let mut encoder = reader.encoder();
            for fragment in &fragments[whole.len()..] {
                encoder.push(fragment, &mut again);
            }
            prop_assert_eq!(again, bytes);
        }

        #[test]
        fn an_index_that_grows_is_read_on(fragments in fragments(), cut in 0.0..1.0) {
            let bytes = written(&fragments);
            let cut = HEADER_BYTES + ((bytes.len() - HEADER_BYTES) as f64 * cut) as usize;
            // A file that first ends at `cut` and is whole later.
            let mut reader = Reader::new(io::Cursor::new(bytes[..cut].to_vec())).unwrap();
            let mut all: Vec<_> = reader.by_ref().map_while(Result::ok).collect();
            let paused = reader.go_on_in(io::empty()).unwrap();
            all.extend(paused.go_on_in(io::Cursor::new(bytes)).unwrap().map(Result::unwrap));
            prop_assert_eq!(all, fragments);
        }

        #[test]
        fn a_flipped_bit_is_noticed(fragments in fragments(), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
            let mut bytes = written(&fragments);
            let at = at.index(bytes.len());
            bytes[at] ^= 1_u8 << bit;
            let (whole, is_torn) = read(&bytes);
            prop_assert!(is_torn);
            prop_assert_eq!(&whole[..], &fragments[..whole.len()]);
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut all = HEADER.encode();
            all.extend(bytes);
            read(&all);
        }
    }

    #[test]
    fn a_lying_record_ends_the_index_and_counts_for_nothing() {
        let sample = SampleEntry { bytes: 9, duration: 3000, composition_offset: 0, is_key: true };
        let video = Run { decode_time: 0, data_at: 90, samples: vec![sample] };
        let honest = Fragment { at: 812, bytes: 99, mark: Mark::default(), video, audio: None };
        let lying = |lie: fn(&mut Fragment)| {
            let mut fragment = Fragment { at: 911, ..honest.clone() };
            lie(&mut fragment);
            written(&[honest.clone(), fragment])
        };
        let mut longer = written(&[honest.clone(), Fragment { at: 911, ..honest.clone() }]);
        // An extra byte at the end of the last record, with a correct check sum.
        let record = written(std::slice::from_ref(&honest)).len();
        longer.truncate(longer.len() - CRC_BYTES);
        longer[record] += 1;
        longer.push(0);
        let crc = crc32fast::hash(&longer[record + 1..]);
        longer.extend(crc.to_be_bytes());
        for index in [
            lying(|fragment| fragment.at = FARTHEST + 1),
            lying(|fragment| fragment.video.decode_time = u64::MAX),
            lying(|fragment| fragment.video.data_at += 1),
            lying(|fragment| fragment.bytes -= 1),
            lying(|fragment| fragment.audio = Some(Run { data_at: 100, ..Run::default() })),
            lying(|fragment| fragment.mark.stream_offset_ms = u64::MAX),
            lying(|fragment| fragment.mark.wall_ms = i64::MIN),
            lying(|fragment| fragment.audio = Some(Run { decode_time: u64::MAX, ..Run::default() })),
            longer,
        ] {
            let mut reader = Reader::new(index.as_slice()).unwrap();
            assert_eq!(reader.next().unwrap().unwrap(), honest);
            assert!(matches!(reader.next(), Some(Err(IndexError::Torn { at })) if at == record as u64));
            assert_eq!((reader.index_bytes(), reader.part_bytes()), (record as u64, 911));
        }
    }

    #[test]
    fn a_minute_takes_some_kilobytes() {
        let sample = SampleEntry { bytes: 16_000, duration: 3000, composition_offset: 0, is_key: false };
        let second = |number: u32| Fragment {
            at: 812 + u64::from(number) * 500_000,
            bytes: 500_000,
            mark: Mark {
                wall_ms: 1_795_000_000_000,
                stream_offset_ms: u64::from(number) * 1000,
                ..Mark::default()
            },
            video: Run { decode_time: u64::from(number) * 90_000, data_at: 400, samples: vec![sample; 30] },
            audio: None,
        };
        let minute: Vec<_> = (0..60).map(second).collect();
        assert!(written(&minute).len() < 8000, "{}", written(&minute).len());
    }
}
