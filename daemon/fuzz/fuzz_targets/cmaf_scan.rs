//! Parts of any content, cut anywhere: the scanner gives fragments that lie behind each other within the file, a shorter file gives the first of
//! them, and an index, a playlist and an MP4 file can be made of what was found.
#![no_main]

mod readers;

use libfuzzer_sys::fuzz_target;
use perch_media::cmaf::{Description, Scanned, Scanner};
use perch_media::recording::index::Header;
use std::io::Cursor;

fuzz_target!(|input: &[u8]| {
    let Some((&[high, low], part)) = input.split_first_chunk() else { return };
    let Some((init_bytes, found)) = scan(part) else { return };
    let mut at = u64::from(init_bytes);
    for Scanned { fragment, .. } in &found {
        assert_eq!(fragment.at, at);
        at += u64::from(fragment.bytes);
        let runs = [Some(&fragment.video), fragment.audio.as_ref()];
        for run in runs.into_iter().flatten() {
            assert!(!run.samples.is_empty());
            assert!(u64::from(run.data_at) + run.bytes() <= fragment.bytes.into());
        }
    }
    assert!(at <= part.len() as u64);

    let cut = usize::from(u16::from_be_bytes([high, low])).min(part.len());
    if let Some((_, of_less)) = scan(&part[..cut]) {
        assert!(found.starts_with(&of_less));
        let next = found.get(of_less.len());
        let is_torn = |next: &Scanned| next.fragment.at + u64::from(next.fragment.bytes) > cut as u64;
        assert!(next.is_none_or(is_torn), "only what is torn is missing");
    }

    let header = Header { stream: [7; 16], part: 1, init_bytes };
    let fragments: Vec<_> = found.into_iter().map(|scanned| scanned.fragment).collect();
    readers::check(&header, Description::read(&part[..init_bytes as usize]).as_ref(), &fragments);
});

/// Length of the head, and the fragments. `None`: it does not begin as a part.
fn scan(part: &[u8]) -> Option<(u32, Vec<Scanned>)> {
    let mut scanner = Scanner::new(Cursor::new(part)).ok()?;
    let found: Vec<_> = scanner.by_ref().map(|scanned| scanned.expect("memory does not fail")).collect();
    for scanned in &found {
        scanner.is_sound(scanned).expect("its samples lie in the file");
    }
    Some((scanner.init_bytes(), found))
}
