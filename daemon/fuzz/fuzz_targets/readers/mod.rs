//! What is made of a recording's fragments, whatever they say: an index, a playlist, and one MP4 file.

use perch_media::cmaf::Description;
use perch_media::recording::Fragment;
use perch_media::recording::index::{Encoder, Header, IndexError, Reader};
use perch_media::recording::playlist::Playlist;
use perch_media::recording::progressive::{Clip, Fragments, Progressive};

struct InMemory<'a>(&'a [Fragment]);

impl Fragments for InMemory<'_> {
    type Iter = std::vec::IntoIter<Result<(usize, Fragment), IndexError>>;

    fn read(&self) -> Result<Self::Iter, IndexError> {
        let all: Vec<_> = self.0.iter().map(|fragment| Ok((0, fragment.clone()))).collect();
        Ok(all.into_iter())
    }
}

/// An index of these fragments.
fn index(header: &Header, fragments: &[Fragment]) -> Vec<u8> {
    let (mut index, mut encoder) = (header.encode(), Encoder::new(header));
    for fragment in fragments {
        encoder.push(fragment, &mut index);
    }
    index
}

/// Checks that an index gives the fragments back, and that a head is as long as it was said to be and begins what follows it.
pub fn check(header: &Header, description: Option<&Description>, fragments: &[Fragment]) {
    let again: Result<Vec<_>, _> =
        Reader::new(index(header, fragments).as_slice()).expect("a header").collect();
    assert_eq!(again.expect("whole records"), fragments);

    let mut playlist = Playlist::default();
    playlist.begin_part(header);
    for fragment in fragments {
        playlist.push(fragment);
    }
    let _ = (playlist.jumps(), playlist.bandwidth(), playlist.text(false), playlist.text(true));
    playlist.end();
    assert!(playlist.text(false).ends_with("#EXT-X-ENDLIST\n"));

    let Some(description) = description else { return };
    let length: u64 = fragments.iter().map(|fragment| fragment.video.duration()).sum();
    let clips = [
        None,
        Some(Clip { from: length / 3, to: length / 2 }),
        Some(Clip { from: length / 2, to: u64::MAX }),
    ];
    for clip in clips {
        let Ok(plan) = Progressive::plan(vec![description.clone()], &InMemory(fragments), clip) else {
            continue;
        };
        let head = plan.head(InMemory(fragments)).read(plan.head_bytes() as usize + 1).expect("memory does not fail");
        assert_eq!(head.len() as u64, plan.head_bytes());
        let mdat = u64::from_be_bytes(*head.last_chunk().expect("a length"));
        assert_eq!(plan.bytes(), head.len() as u64 - 16 + mdat);
        assert!(plan.media().iter().all(|range| range.from <= range.to));
    }
}
