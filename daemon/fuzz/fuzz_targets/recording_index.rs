//! Indexes of any content. The input is taken twice: as it is, and as records of any content with right check sums, which a fuzzer would not
//! find. What is whole comes out, an index can be written on from there, and a playlist and an MP4 file can be made of it.
#![no_main]

mod readers;

use libfuzzer_sys::fuzz_target;
use perch_media::cmaf::Description;
use perch_media::recording::Fragment;
use perch_media::recording::index::{Header, IndexError, Reader};
use std::sync::LazyLock;

const HEADER: Header = Header { stream: [7; 16], part: 1, init_bytes: 812 };

/// Of a part with pictures and sound.
static DESCRIPTION: LazyLock<Description> = LazyLock::new(|| {
    let part = &include_bytes!("../seeds/cmaf_scan/sound")[2..];
    let scanner = perch_media::cmaf::Scanner::new(std::io::Cursor::new(part)).expect("a part");
    Description::read(&part[..scanner.init_bytes() as usize]).expect("a head of ours")
});

fuzz_target!(|input: &[u8]| {
    check(input);
    check(&[&HEADER.encode(), &records(input)[..]].concat());
});

fn check(index: &[u8]) {
    let Ok(mut reader) = Reader::new(index) else { return };
    let header = reader.header();
    let (mut fragments, mut end) = (Vec::<Fragment>::new(), u64::from(header.init_bytes));
    let mut is_torn = false;
    for found in reader.by_ref() {
        match found {
            Ok(fragment) => {
                assert!(fragment.at >= end);
                end = fragment.at + u64::from(fragment.bytes);
                fragments.push(fragment);
            }
            Err(IndexError::Torn { .. }) => is_torn = true,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(reader.next().is_none() && reader.part_bytes() == end);
    assert!(is_torn || reader.index_bytes() == index.len() as u64);
    readers::check(&header, Some(&DESCRIPTION), &fragments);

    // What recovery does: it cuts the torn record off, and writes on.
    if let Some(mut next) = fragments.last().cloned() {
        next.at = end;
        let mut again = index[..reader.index_bytes() as usize].to_vec();
        reader.encoder().push(&next, &mut again);
        fragments.push(next);
        let read: Result<Vec<_>, _> = Reader::new(again.as_slice()).expect("a header").collect();
        assert_eq!(read.expect("whole records"), fragments);
    }
}

/// Pieces of the input, each behind its length in two bytes, as records with their check sums.
fn records(mut rest: &[u8]) -> Vec<u8> {
    let mut records = Vec::new();
    while let Some((&[high, low], after)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([high, low]) & 0x3fff).min(after.len());
        let (record, after) = after.split_at(length);
        rest = after;
        // The length as a varint (LEB128) of two bytes.
        records.extend_from_slice(&[length as u8 | 0x80, (length >> 7) as u8]);
        records.extend_from_slice(record);
        records.extend_from_slice(&crc32fast::hash(record).to_be_bytes());
    }
    records
}
