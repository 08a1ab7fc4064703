//! Messages out of RTMP's chunks ("Real Time Messaging Protocol", version 1.0, §5.3 and §5.4). What the server sends is read within bounds: the reader of `rml_rtmp` keeps one
//! buffer for all chunk streams, and panics where a server interleaves them.

/// The longest message that is taken: answers to commands have some hundred bytes.
const LONGEST: usize = 64 << 10;
/// Chunk streams that are kept apart. Servers use three or four.
const STREAMS: usize = 16;
/// Of a chunk, until the server says otherwise (§5.4.1).
const CHUNK: usize = 128;
/// Stands for a time that has four bytes of its own (§5.3.1.3).
const EXTENDED: u32 = 0xff_ffff;

const SET_CHUNK_SIZE: u8 = 1;
const ABORT: u8 = 2;

/// A whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) type_id: u8,
    pub(super) body: Vec<u8>,
}

/// Why a connection cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChunkError {
    /// More than a server has to say.
    #[error("the server sends a message of {0} bytes")]
    TooLong(usize),
    /// A header that refers to one that never came.
    #[error("the server sends RTMP that cannot be read: a chunk without a header before it")]
    NoHeader,
    /// Each has a buffer.
    #[error("the server uses more than {STREAMS} chunk streams")]
    TooManyStreams,
    /// Chunks of no bytes would never end.
    #[error("the server sets a chunk size of 0")]
    NoChunkSize,
}

/// The header that a chunk stream's next chunk may refer to, and what came of its message.
#[derive(Debug)]
struct ChunkStream {
    id: u32,
    type_id: u8,
    length: usize,
    /// Of the last header that had one; it is repeated where it has four bytes of its own.
    extended: Option<u32>,
    body: Vec<u8>,
}

/// Reads what one server sends after the handshake.
#[derive(Debug)]
pub(super) struct ChunkReader {
    input: Vec<u8>,
    chunk: usize,
    streams: Vec<ChunkStream>,
}

impl ChunkReader {
    pub(super) const fn new() -> Self {
        Self { input: Vec::new(), chunk: CHUNK, streams: Vec::new() }
    }

    /// Takes what came. Call [`Self::next`] until it gives `None` before the next bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// The next whole message; chunk sizes and aborts are heeded here.
    pub(super) fn next(&mut self) -> Result<Option<Message>, ChunkError> {
        loop {
            let Some((taken, message)) = self.chunk()? else { return Ok(None) };
            self.input.drain(..taken);
            let Some(message) = message else { continue };
            let number = message.body.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
            match (message.type_id, number) {
                (SET_CHUNK_SIZE, Some(size)) => {
                    // The highest bit is not of the size (§5.4.1).
                    self.chunk = (size & 0x7fff_ffff) as usize;
                    if self.chunk == 0 {
                        return Err(ChunkError::NoChunkSize);
                    }
                }
                (ABORT, Some(id)) => {
                    if let Some(stream) = self.streams.iter_mut().find(|stream| stream.id == id) {
                        stream.body.clear();
                    }
                }
                _ => return Ok(Some(message)),
            }
        }
    }

    /// One chunk: how many bytes it has, and the message that it completes. `None` until all of it has come.
    fn chunk(&mut self) -> Result<Option<(usize, Option<Message>)>, ChunkError> {
        let mut input = Input { bytes: &self.input, at: 0 };
        let Some(first) = input.number(1) else { return Ok(None) };
        let (format, short_id) = (first >> 6, first & 0x3f);
        let id = match short_id {
            0 => input.number(1).map(|id| id + 64),
            1 => input.number(2).map(|id| u32::from((id as u16).swap_bytes()) + 64),
            id => Some(id),
        };
        let Some(id) = id else { return Ok(None) };
        let known = self.streams.iter().position(|stream| stream.id == id);
        let at = match known {
            Some(at) => at,
            None if format != 0 => return Err(ChunkError::NoHeader),
            None if self.streams.len() == STREAMS => return Err(ChunkError::TooManyStreams),
            None => {
                self.streams.push(ChunkStream {
                    id,
                    type_id: 0,
                    length: 0,
                    extended: None,
                    body: Vec::new(),
                });
                self.streams.len() - 1
            }
        };
        let stream = &mut self.streams[at];
        let (mut length, mut type_id, mut extended) = (stream.length, stream.type_id, stream.extended);
        if format < 3 {
            let Some(time) = input.number(3) else { return Ok(None) };
            if format < 2 {
                let Some((of_length, of_type)) = input.number(3).zip(input.number(1)) else {
                    return Ok(None);
                };
                (length, type_id) = (of_length as usize, of_type as u8);
            }
            // The message stream's id tells a client nothing: it has one stream.
            if format == 0 && input.number(4).is_none() {
                return Ok(None);
            }
            extended = None;
            if time == EXTENDED {
                let Some(time) = input.number(4) else { return Ok(None) };
                extended = Some(time);
            }
        } else if let Some(time) = extended {
            // Most servers repeat the time here, and some do not.
            let mut ahead = Input { bytes: input.bytes, at: input.at };
            let Some(next) = ahead.number(4) else { return Ok(None) };
            if next == time {
                input = ahead;
            }
        }
        if length > LONGEST {
            return Err(ChunkError::TooLong(length));
        }
        // A header in the middle of a message begins another one.
        let had = if format < 3 { 0 } else { stream.body.len() };
        let wanted = length.saturating_sub(had).min(self.chunk);
        let Some(data) = input.bytes.get(input.at..input.at + wanted) else { return Ok(None) };
        let taken = input.at + wanted;
        stream.body.truncate(had);
        stream.body.extend_from_slice(data);
        (stream.length, stream.type_id, stream.extended) = (length, type_id, extended);
        let is_whole = stream.body.len() >= length;
        let message = is_whole.then(|| Message { type_id, body: std::mem::take(&mut stream.body) });
        Ok(Some((taken, message)))
    }
}

/// Reads numbers, and says when not enough has come.
struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Input<'_> {
    /// A big-endian number of up to 4 bytes.
    fn number(&mut self, bytes: usize) -> Option<u32> {
        let taken = self.bytes.get(self.at..self.at + bytes)?;
        self.at += bytes;
        Some(taken.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rml_rtmp::chunk_io::ChunkSerializer;
    use rml_rtmp::messages::MessagePayload;
    use rml_rtmp::time::RtmpTimestamp;

    fn read(reader: &mut ChunkReader, bytes: &[u8]) -> Result<Vec<Message>, ChunkError> {
        reader.push(bytes);
        let mut messages = Vec::new();
        while let Some(message) = reader.next()? {
            messages.push(message);
        }
        Ok(messages)
    }

    /// A chunk with a whole header.
    fn chunk(id: u8, length: u32, type_id: u8, data: &[u8]) -> Vec<u8> {
        [&[id, 0, 0, 0][..], &length.to_be_bytes()[1..], &[type_id, 0, 0, 0, 0], data].concat()
    }

    #[test]
    fn chunk_streams_may_be_interleaved() {
        let mut bytes = chunk(3, 200, 20, &[1; 128]);
        // The size of chunks changes within a message.
        bytes.extend(chunk(2, 4, SET_CHUNK_SIZE, &[0, 0, 0, 50]));
        bytes.extend(chunk(4, 2, 8, &[9, 9]));
        bytes.push(0xc3);
        bytes.extend([1; 50]);
        bytes.push(0xc3);
        bytes.extend([1; 22]);
        let messages = read(&mut ChunkReader::new(), &bytes).unwrap();
        assert_eq!(
            messages,
            [Message { type_id: 8, body: vec![9, 9] }, Message { type_id: 20, body: vec![1; 200] }]
        );
    }

    #[test]
    fn ids_of_two_and_three_bytes_and_aborts_are_read() {
        let mut bytes = vec![0, 6];
        bytes.extend_from_slice(&chunk(0, 1, 20, &[7])[1..]);
        // 1, 2 stand for 64 + 1 + 2 * 256.
        bytes.extend([1, 1, 2]);
        bytes.extend_from_slice(&chunk(0, 200, 20, &[7; 128])[1..]);
        bytes.extend(chunk(2, 4, ABORT, &(64 + 1 + 512u32).to_be_bytes()));
        bytes.extend([0xc1, 1, 2]);
        bytes.extend([8; 128]);
        bytes.extend([0xc1, 1, 2]);
        bytes.extend([8; 72]);
        let messages = read(&mut ChunkReader::new(), &bytes).unwrap();
        assert_eq!(
            messages,
            [Message { type_id: 20, body: vec![7] }, Message { type_id: 20, body: vec![8; 200] }]
        );
    }

    #[test]
    fn a_late_time_is_repeated_by_some_servers_and_not_by_others() {
        for repeated in [true, false] {
            let mut bytes = vec![3, 0xff, 0xff, 0xff, 0, 0, 130, 20, 0, 0, 0, 0, 1, 2, 3, 4];
            bytes.extend([5; 128]);
            bytes.push(0xc3);
            bytes.extend_from_slice(if repeated { &[1, 2, 3, 4] } else { &[] });
            bytes.extend([5; 2]);
            // What is looked at to tell has to come.
            bytes.extend(chunk(4, 1, 8, &[9]));
            let messages = read(&mut ChunkReader::new(), &bytes).unwrap();
            assert_eq!(messages[0], Message { type_id: 20, body: vec![5; 130] });
            assert_eq!(messages.len(), 2);
        }
    }

    #[test]
    fn what_would_need_memory_without_end_is_refused() {
        assert_eq!(
            read(&mut ChunkReader::new(), &chunk(3, 0xff_ffff, 20, &[])),
            Err(ChunkError::TooLong(0xff_ffff))
        );
        assert_eq!(read(&mut ChunkReader::new(), &[0xc3]), Err(ChunkError::NoHeader));
        let zero = chunk(2, 4, SET_CHUNK_SIZE, &[0; 4]);
        assert_eq!(read(&mut ChunkReader::new(), &zero), Err(ChunkError::NoChunkSize));
        let many: Vec<u8> = (2..40).flat_map(|id| chunk(id, 1, 20, &[0])).collect();
        assert_eq!(read(&mut ChunkReader::new(), &many), Err(ChunkError::TooManyStreams));
    }

    proptest! {
        #[test]
        fn what_rml_rtmp_writes_is_read_in_pieces_of_any_size(
            messages in prop::collection::vec((1usize..500, prop_oneof![Just(8u8), Just(9), Just(20)], 0u32..0x200_0000), 1..8),
            pieces in prop::collection::vec(1usize..300, 1..20),
        ) {
            let mut serializer = ChunkSerializer::new();
            let (mut bytes, mut sent) = (Vec::new(), Vec::new());
            for (length, type_id, time) in messages {
                // Not like the bytes of a time, of which a reader cannot tell whether it is repeated.
                let body = vec![0xee; length];
                let payload = MessagePayload {
                    timestamp: RtmpTimestamp::new(time),
                    type_id,
                    message_stream_id: 1,
                    data: body.clone().into(),
                };
                bytes.extend(serializer.serialize(&payload, false, false).unwrap().bytes);
                sent.push(Message { type_id, body });
            }
            let (mut reader, mut found, mut rest) = (ChunkReader::new(), Vec::new(), &bytes[..]);
            for piece in pieces.iter().cycle() {
                let (now, later) = rest.split_at((*piece).min(rest.len()));
                found.extend(read(&mut reader, now).unwrap());
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(found, sent);
        }

        #[test]
        fn any_bytes_are_survived_within_bounds(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let mut reader = ChunkReader::new();
            let _ = read(&mut reader, &bytes);
            let held: usize = reader.streams.iter().map(|stream| stream.body.len()).sum();
            prop_assert!(held <= STREAMS * LONGEST);
        }
    }
}
