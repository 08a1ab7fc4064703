//! Chunks as programs send them, and as nobody should.

use super::*;
use proptest::prelude::*;
use rml_rtmp::chunk_io::ChunkSerializer;
use rml_rtmp::messages::MessagePayload;
use rml_rtmp::time::RtmpTimestamp;

const LIMITS: Limits = Limits { command: 1000, media: 100_000, sum: 101_000 };

fn read(reader: &mut ChunkReader, bytes: &[u8]) -> Result<Vec<Message>, ChunkError> {
    reader.push(bytes);
    let mut messages = Vec::new();
    while let Some(message) = reader.next()? {
        messages.push(message);
    }
    Ok(messages)
}

fn read_new(bytes: &[u8]) -> Result<Vec<Message>, ChunkError> {
    read(&mut ChunkReader::new(LIMITS), bytes)
}

fn message(type_id: u8, timestamp: u32, body: Vec<u8>) -> Message {
    Message { type_id, timestamp, body }
}

/// A chunk with a whole header.
fn chunk(id: u8, time: u32, length: u32, type_id: u8, data: &[u8]) -> Vec<u8> {
    let short = &time.min(EXTENDED).to_be_bytes()[1..];
    let extended = time.to_be_bytes();
    let extended = if time >= EXTENDED { &extended[..] } else { &[] };
    [&[id][..], short, &length.to_be_bytes()[1..], &[type_id, 0, 0, 0, 0], extended, data].concat()
}

#[test]
fn chunk_streams_may_be_interleaved() {
    let mut bytes = chunk(3, 0, 200, 20, &[1; 128]);
    // The size of chunks changes within a message.
    bytes.extend(chunk(2, 0, 4, SET_CHUNK_SIZE, &[0, 0, 0, 50]));
    bytes.extend(chunk(4, 7, 2, AUDIO, &[9, 9]));
    bytes.push(0xc3);
    bytes.extend([1; 50]);
    bytes.push(0xc3);
    bytes.extend([1; 22]);
    let expected = [message(AUDIO, 7, vec![9, 9]), message(20, 0, vec![1; 200])];
    assert_eq!(read_new(&bytes).unwrap(), expected);
}

#[test]
fn ids_of_two_and_three_bytes_and_aborts_are_read() {
    let mut bytes = vec![0, 6];
    bytes.extend_from_slice(&chunk(0, 0, 1, 20, &[7])[1..]);
    // 1, 2 stand for 64 + 1 + 2 * 256.
    bytes.extend([1, 1, 2]);
    bytes.extend_from_slice(&chunk(0, 0, 200, 20, &[7; 128])[1..]);
    bytes.extend(chunk(2, 0, 4, ABORT, &(64 + 1 + 512u32).to_be_bytes()));
    bytes.extend([0xc1, 1, 2]);
    bytes.extend([8; 128]);
    bytes.extend([0xc1, 1, 2]);
    bytes.extend([8; 72]);
    let expected = [message(20, 0, vec![7]), message(20, 0, vec![8; 200])];
    assert_eq!(read_new(&bytes).unwrap(), expected);
}

#[test]
fn times_are_absolute_or_steps_and_wrap() {
    let mut bytes = chunk(4, u32::MAX - 10, 1, AUDIO, &[0]);
    // Type 1: 16 later, which wraps; type 3 repeats the step, and type 2 has another one.
    bytes.extend([0x44, 0, 0, 16, 0, 0, 1, AUDIO, 1]);
    bytes.extend([0xc4, 2]);
    bytes.extend([0x84, 0, 0, 20, 3]);
    // A step of four bytes that would have had room in three, which some programs send.
    bytes.extend([0x84, 0xff, 0xff, 0xff, 0, 0, 0, 30, 4]);
    let times: Vec<_> =
        read_new(&bytes).unwrap().iter().map(|message| (message.body[0], message.timestamp)).collect();
    assert_eq!(times, [(0, u32::MAX - 10), (1, 5), (2, 21), (3, 41), (4, 71)]);
}

#[test]
fn after_an_absolute_time_the_step_is_that_time_unless_no_step_is_that_long() {
    for (first, second) in [(23, 46), (3_600_000, 3_600_000), (0x0200_0000, 0x0200_0000)] {
        let mut bytes = chunk(4, first, 1, AUDIO, &[0]);
        bytes.push(0xc4);
        if first >= EXTENDED {
            bytes.extend(first.to_be_bytes());
        }
        bytes.push(1);
        let times: Vec<_> = read_new(&bytes).unwrap().iter().map(|message| message.timestamp).collect();
        assert_eq!(times, [first, second]);
    }
}

#[test]
fn a_time_of_four_bytes_is_repeated_by_some_peers_and_not_by_others() {
    let time = 0x0102_0304_u32;
    for repeated in [true, false] {
        let mut bytes = chunk(3, time, 300, 20, &[5; 128]);
        for bytes_left in [128, 44] {
            bytes.push(0xc3);
            bytes.extend_from_slice(if repeated { &[1, 2, 3, 4] } else { &[] });
            bytes.extend(vec![5; bytes_left]);
        }
        // Nothing need come after it.
        assert_eq!(read_new(&bytes).unwrap(), [message(20, time, vec![5; 300])], "{repeated}");
    }
}

#[test]
fn the_last_bytes_of_a_message_are_not_held_back_to_look_for_a_time() {
    let mut bytes = chunk(3, 0x0102_0304, 130, 20, &[5; 128]);
    bytes.extend([0xc3, 5, 5]);
    assert_eq!(read_new(&bytes).unwrap(), [message(20, 0x0102_0304, vec![5; 130])]);
}

#[test]
fn what_would_need_memory_without_end_is_refused() {
    assert_eq!(read_new(&chunk(3, 0, 0xff_ffff, 20, &[])), Err(ChunkError::TooLong(0xff_ffff)));
    assert_eq!(read_new(&[0xc3]), Err(ChunkError::NoHeader));
    assert_eq!(read_new(&chunk(2, 0, 4, SET_CHUNK_SIZE, &[0; 4])), Err(ChunkError::NoChunkSize));
    let many: Vec<u8> = (2..40).flat_map(|id| chunk(id, 0, 1, 20, &[0])).collect();
    assert_eq!(read_new(&many), Err(ChunkError::TooManyStreams));
    // Messages that are begun and never ended.
    let size = chunk(2, 0, 4, SET_CHUNK_SIZE, &[0x7f, 0xff, 0xff, 0xff]);
    let mut reader = ChunkReader::new(LIMITS);
    read(&mut reader, &size).unwrap();
    read(&mut reader, &chunk(3, 0, 60_000, VIDEO, &vec![0; 50_000])).unwrap();
    // The chunk has not ended: what follows belongs to it.
    read(&mut reader, &[0; 10_000]).unwrap();
    let begun = [chunk(3, 0, 200, VIDEO, &[1; 128]), chunk(4, 0, 200, VIDEO, &[1; 128])].concat();
    let tight = Limits { sum: 250, ..LIMITS };
    assert_eq!(read(&mut ChunkReader::new(tight), &begun), Err(ChunkError::TooMuch(250)));
}

#[test]
fn a_message_that_is_only_announced_needs_little_memory() {
    let mut reader = ChunkReader::new(Limits { media: 16 << 20, sum: 16 << 20, ..LIMITS });
    read(&mut reader, &chunk(2, 0, 4, SET_CHUNK_SIZE, &[0x7f, 0xff, 0xff, 0xff])).unwrap();
    read(&mut reader, &chunk(3, 0, 0xff_ffff, VIDEO, &[1; 100])).unwrap();
    assert!(reader.held() <= 2 * FIRST_BYTES, "{}", reader.held());
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
            sent.push(Message { type_id, timestamp: time, body });
        }
        let (mut reader, mut found, mut rest) = (ChunkReader::new(LIMITS), Vec::new(), &bytes[..]);
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
    fn any_bytes_are_survived_within_bounds(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20)) {
        let mut reader = ChunkReader::new(LIMITS);
        for piece in pieces {
            let is_over = read(&mut reader, &piece).is_err();
            let bodies: usize = reader.streams.iter().map(|stream| stream.body.len()).sum();
            prop_assert!(is_over || bodies == reader.held && bodies <= LIMITS.sum);
            if is_over {
                break;
            }
        }
    }
}
