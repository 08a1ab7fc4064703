//! Messages out of RTMP's chunks (§5.3 and §5.4), read within bounds: the reader of `rml_rtmp` keeps one buffer for all chunk streams, and panics where a peer
//! interleaves them.
//!
//! A chunk's bytes are taken as they come, so a peer may set chunks of any size: only what it has sent of a message is held.

use super::message_type::{ABORT, AGGREGATE, AUDIO, SET_CHUNK_SIZE, VIDEO};

/// Chunk streams that are kept apart. Programs use three to six.
const STREAMS: usize = 16;
/// Bytes of a chunk until the peer sets another size (§5.4.1).
const CHUNK: usize = 128;
/// Stands for a time that has four bytes of its own (§5.3.1.3).
const EXTENDED: u32 = 0xff_ffff;
/// Bytes that a message's buffer has at first. It doubles with what comes, whatever length the header claims.
const FIRST_BYTES: usize = 4 << 10;
/// A step in time that is longer is none: a chunk of type 3 after one with this time repeats the time, not a step of it.
const LONGEST_STEP: u32 = 10_000;

/// The longest messages that are taken, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Of commands, control and data.
    pub(crate) command: usize,
    /// Of video and sound.
    pub(crate) media: usize,
    /// Of all messages together that have not come whole.
    pub(crate) sum: usize,
}

/// A whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) type_id: u8,
    /// Milliseconds, the lowest 32 bits.
    pub(crate) timestamp: u32,
    pub(crate) body: Vec<u8>,
}

/// Why a connection cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChunkError {
    /// More than such a message may have.
    #[error("a message of {0} bytes is too long")]
    TooLong(usize),
    /// Many messages that were begun and not ended.
    #[error("unfinished messages hold more than {0} bytes")]
    TooMuch(usize),
    /// A header that refers to one that never came.
    #[error("a chunk refers to a header that never came")]
    NoHeader,
    /// Each has a buffer.
    #[error("more than {STREAMS} chunk streams")]
    TooManyStreams,
    /// Chunks of no bytes would never end.
    #[error("a chunk size of 0")]
    NoChunkSize,
}

/// The header that a chunk stream's next chunk may refer to, and what came of its message.
#[derive(Debug, Default)]
struct ChunkStream {
    id: u32,
    type_id: u8,
    length: usize,
    timestamp: u32,
    /// The step to the next message if its header has no time.
    step: u32,
    /// The time of the last header, if it had four bytes of its own.
    extended: Option<u32>,
    body: Vec<u8>,
}

/// The chunk that is being read.
#[derive(Clone, Copy, Debug)]
struct Current {
    /// Index of its stream.
    stream: usize,
    /// Bytes of it that have not come.
    left: usize,
}

/// Reads what one peer sends after the handshake.
#[derive(Debug)]
pub(crate) struct ChunkReader {
    limits: Limits,
    input: Vec<u8>,
    /// Bytes of `input` that were read.
    at: usize,
    chunk: usize,
    streams: Vec<ChunkStream>,
    current: Option<Current>,
    /// Bytes of unfinished messages.
    held: usize,
    /// True if the peer repeats a time of four bytes in chunks without a header, false if it does not; the standard does not say. `None`: it has
    /// not been seen.
    repeats: Option<bool>,
}

impl ChunkReader {
    pub(crate) const fn new(limits: Limits) -> Self {
        Self {
            limits,
            input: Vec::new(),
            at: 0,
            chunk: CHUNK,
            streams: Vec::new(),
            current: None,
            held: 0,
            repeats: None,
        }
    }

    /// From now on these limits apply.
    pub(crate) const fn allow(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Takes what came. Call [`Self::next`] until it gives `None` before the next bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.input.drain(..self.at);
        self.at = 0;
        self.input.extend_from_slice(bytes);
    }

    /// Bytes that are held.
    pub(crate) fn held(&self) -> usize {
        let bodies: usize = self.streams.iter().map(|stream| stream.body.capacity()).sum();
        self.input.capacity() + bodies
    }

    /// The next whole message; chunk sizes and aborts are applied here.
    pub(crate) fn next(&mut self) -> Result<Option<Message>, ChunkError> {
        loop {
            let Some(current) = self.current else {
                if !self.header()? {
                    return Ok(None);
                }
                continue;
            };
            let Some(message) = self.take(current)? else {
                if self.current.is_some() {
                    return Ok(None);
                }
                continue;
            };
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
                        self.held -= stream.body.len();
                        stream.body = Vec::new();
                    }
                }
                _ => return Ok(Some(message)),
            }
        }
    }

    /// Takes bytes of the current chunk; the message if they complete it.
    fn take(&mut self, Current { stream: at, left }: Current) -> Result<Option<Message>, ChunkError> {
        let there = &self.input[self.at..];
        let data = &there[..left.min(there.len())];
        if self.held + data.len() > self.limits.sum {
            return Err(ChunkError::TooMuch(self.limits.sum));
        }
        let stream = &mut self.streams[at];
        let wanted = stream.body.len() + data.len();
        if wanted > stream.body.capacity() {
            let bytes = wanted.max(stream.body.capacity() * 2).max(FIRST_BYTES).min(stream.length);
            stream.body.reserve_exact(bytes.max(wanted) - stream.body.len());
        }
        stream.body.extend_from_slice(data);
        self.held += data.len();
        self.at += data.len();
        let left = left - data.len();
        self.current = (left > 0).then_some(Current { stream: at, left });
        if stream.body.len() < stream.length {
            return Ok(None);
        }
        self.held -= stream.body.len();
        let body = std::mem::take(&mut stream.body);
        Ok(Some(Message { type_id: stream.type_id, timestamp: stream.timestamp, body }))
    }

    /// Reads a chunk's header. False until all of it has come.
    fn header(&mut self) -> Result<bool, ChunkError> {
        let mut input = Input { bytes: &self.input, at: self.at };
        let Some(header) = read_header(&mut input) else { return Ok(false) };
        let known = self.streams.iter().position(|stream| stream.id == header.id);
        let at = match known {
            Some(at) => at,
            None if header.format != 0 => return Err(ChunkError::NoHeader),
            None if self.streams.len() == STREAMS => return Err(ChunkError::TooManyStreams),
            None => {
                self.streams.push(ChunkStream { id: header.id, ..ChunkStream::default() });
                self.streams.len() - 1
            }
        };
        let stream = &mut self.streams[at];
        let continues = header.format == 3 && !stream.body.is_empty();
        if header.format == 3 {
            let Some(is_repeated) = is_repeated(stream.extended, self.repeats, &input) else {
                return Ok(false);
            };
            if stream.extended.is_some() && continues {
                self.repeats = Some(is_repeated);
            }
            input.at += if is_repeated { 4 } else { 0 };
        }
        let (length, type_id) = header.length_and_type.unwrap_or((stream.length, stream.type_id));
        let most = match type_id {
            AUDIO | VIDEO | AGGREGATE => self.limits.media,
            _ => self.limits.command,
        };
        if length > most {
            return Err(ChunkError::TooLong(length));
        }
        if !continues {
            // A header in the middle of a message begins another one.
            self.held -= stream.body.len();
            stream.body.clear();
            (stream.length, stream.type_id) = (length, type_id);
            stream.next_time(header);
        }
        let left = (stream.length - stream.body.len()).min(self.chunk);
        self.current = Some(Current { stream: at, left });
        self.at = input.at;
        Ok(true)
    }
}

impl ChunkStream {
    /// The time of a message that begins with this header.
    fn next_time(&mut self, header: Header) {
        match header.time {
            // What follows without a time is as much later as the first is late (§5.3.1.2.4).
            Some(time) if header.format == 0 => {
                self.timestamp = time;
                self.step = if time > LONGEST_STEP { 0 } else { time };
            }
            Some(step) => {
                self.step = step;
                self.timestamp = self.timestamp.wrapping_add(step);
            }
            None => self.timestamp = self.timestamp.wrapping_add(self.step),
        }
        if header.format < 3 {
            self.extended = header.time.filter(|_| header.has_extended_time);
        }
    }
}

/// A chunk's header without what a chunk of type 3 may repeat.
#[derive(Clone, Copy)]
struct Header {
    format: u8,
    id: u32,
    /// Absolute in format 0, a step in formats 1 and 2.
    time: Option<u32>,
    has_extended_time: bool,
    length_and_type: Option<(usize, u8)>,
}

fn read_header(input: &mut Input<'_>) -> Option<Header> {
    let first = input.number(1)?;
    let format = (first >> 6) as u8;
    let id = match first & 0x3f {
        0 => input.number(1)? + 64,
        1 => u32::from((input.number(2)? as u16).swap_bytes()) + 64,
        id => id,
    };
    let mut header = Header { format, id, time: None, has_extended_time: false, length_and_type: None };
    if format < 3 {
        let mut time = input.number(3)?;
        if format < 2 {
            header.length_and_type = Some((input.number(3)? as usize, input.number(1)? as u8));
        }
        if format == 0 {
            // The id of the message stream: each peer has one stream.
            input.number(4)?;
        }
        if time == EXTENDED {
            time = input.number(4)?;
            header.has_extended_time = true;
        }
        header.time = Some(time);
    }
    Some(header)
}

/// True if the time of four bytes stands in a chunk of type 3; `None` until it can be told.
fn is_repeated(extended: Option<u32>, repeats: Option<bool>, input: &Input<'_>) -> Option<bool> {
    let Some(time) = extended else { return Some(false) };
    let next = input.bytes.get(input.at..).unwrap_or_default();
    let next = &next[..next.len().min(4)];
    match repeats {
        Some(false) => Some(false),
        None if !time.to_be_bytes().starts_with(next) => Some(false),
        _ => (next.len() == 4).then_some(true),
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
mod tests;
