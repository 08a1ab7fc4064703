//! Receives an uploaded file into one of ours: within limits of size and time, with at most one chunk in memory.
//!
//! Not here: the kind of file, and its use.

use super::problem::Problem;
use axum::body::Body;
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use perch_site::backups::CHUNK_BYTES;
use std::fs::File;
use std::io::Write as _;
use std::time::Duration;

/// How fast a file must arrive.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    /// Time for the next piece.
    stall: Duration,
    /// Time for the whole file.
    arrival: Duration,
    /// Bytes a second on average, once it has had `start`.
    least: u64,
    /// Time before the average counts: a telephone may be out of reach for a while.
    start: Duration,
}

impl Pace {
    /// A large file on the card, over a weak wireless network.
    pub(super) const FILE: Self = Self {
        stall: Duration::from_secs(20),
        arrival: Duration::from_hours(1),
        least: 0,
        start: Duration::ZERO,
    };
    /// A picture, which holds one of few slots in memory: 8 MiB at 70 kB/s. Whoever trickles keeps a slot for 10 s.
    pub(super) const PICTURE: Self = Self {
        stall: Duration::from_secs(10),
        arrival: Duration::from_mins(2),
        least: 16 << 10,
        start: Duration::from_secs(10),
    };
}

/// Limits and checks of an upload.
pub(super) struct Terms {
    /// Maximum size, bytes.
    pub(super) most: usize,
    /// Bytes that are checked before the rest is received; a shorter file has fewer.
    pub(super) head: usize,
    /// Checks the beginning; an error ends the upload.
    pub(super) look: fn(&[u8]) -> Result<(), Problem>,
    pub(super) pace: Pace,
}

/// Writes the received bytes into `file`; returns the file when complete.
pub(super) async fn receive(body: Body, file: File, terms: &Terms) -> Result<File, Problem> {
    if body.size_hint().lower() > terms.most as u64 {
        return Err(Problem::TooLarge { most: terms.most });
    }
    tokio::time::timeout(terms.pace.arrival, write_all_of(body, file, terms))
        .await
        .unwrap_or(Err(Problem::TooSlow))
}

async fn write_all_of(mut body: Body, mut file: File, terms: &Terms) -> Result<File, Problem> {
    let (mut chunk, mut length, mut is_looked_at) = (Vec::with_capacity(CHUNK_BYTES), 0, false);
    let pace = terms.pace;
    let began = tokio::time::Instant::now();
    loop {
        let frame = tokio::time::timeout(pace.stall, body.frame()).await.map_err(|_| Problem::TooSlow)?;
        let took = began.elapsed();
        if took > pace.start && (length as u64) < pace.least * took.as_secs() {
            return Err(Problem::TooSlow);
        }
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|_| Problem::InvalidBody("the body is incomplete".to_owned()))?;
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        if length > terms.most {
            return Err(Problem::TooLarge { most: terms.most });
        }
        chunk.extend_from_slice(&data);
        if !is_looked_at && length >= terms.head {
            (terms.look)(&chunk[..terms.head])?;
            is_looked_at = true;
        }
        if is_looked_at && chunk.len() >= CHUNK_BYTES {
            let full = std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK_BYTES));
            file = write(file, full).await?;
        }
    }
    if !is_looked_at {
        (terms.look)(&chunk)?;
    }
    write(file, chunk).await
}

async fn write(mut file: File, chunk: Vec<u8>) -> Result<File, Problem> {
    let written = tokio::task::spawn_blocking(move || file.write_all(&chunk).map(|()| file)).await;
    written.map_err(|error| Problem::internal(&error))?.map_err(|error| Problem::unwritten(&error, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures_util::StreamExt as _;
    use futures_util::stream;
    use std::convert::Infallible;
    use std::io::{Read as _, Seek as _};

    const TERMS: Terms = Terms {
        most: 100,
        head: 4,
        look: |head| match head {
            b"good" => Ok(()),
            _ => Err(Problem::field("file", "is bad")),
        },
        pace: Pace::FILE,
    };

    /// A body of these pieces, which then ends or stalls.
    fn pieces(pieces: &[&[u8]], ends: bool) -> Body {
        let pieces: Vec<_> =
            pieces.iter().map(|piece| Ok::<_, Infallible>(Bytes::copy_from_slice(piece))).collect();
        let pieces = stream::iter(pieces);
        if ends { Body::from_stream(pieces) } else { Body::from_stream(pieces.chain(stream::pending())) }
    }

    async fn received(body: Body) -> Result<Vec<u8>, Problem> {
        let mut file = receive(body, tempfile::tempfile().unwrap(), &TERMS).await?;
        let mut all = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut all).unwrap();
        Ok(all)
    }

    #[tokio::test(start_paused = true)]
    async fn all_of_it_is_written_however_it_comes() {
        assert_eq!(
            received(pieces(&[b"g", b"oo", b"d", b"", b" and more"], true)).await.unwrap(),
            b"good and more"
        );
        assert_eq!(received(Body::from([b"good".as_slice(), &[7; 96]].concat())).await.unwrap().len(), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn what_begins_badly_is_refused_before_the_rest_is_waited_for() {
        let bad = Problem::field("file", "is bad");
        for body in [pieces(&[b"ba", b"d!"], false), pieces(&[b"goo"], true), Body::empty()] {
            assert_eq!(received(body).await.unwrap_err(), bad);
        }
    }

    #[tokio::test]
    async fn a_full_card_is_told() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        assert_eq!(receive(Body::from("good"), full, &TERMS).await.unwrap_err(), Problem::StoreFull);
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_have_bounds_of_size_and_time() {
        let too_large = Problem::TooLarge { most: 100 };
        assert_eq!(received(Body::from(vec![0; 101])).await.unwrap_err(), too_large, "the declared length");
        let more = [b"good".as_slice(), &[7; 60], &[7; 37]];
        assert_eq!(received(pieces(&more, false)).await.unwrap_err(), too_large, "the received length");
        assert_eq!(received(pieces(&[b"good"], false)).await.unwrap_err(), Problem::TooSlow, "it stalls");
        // A few bytes each time, just within the deadline, for ever.
        let trickle = Body::from_stream(stream::unfold((), async |()| {
            tokio::time::sleep(Pace::FILE.stall / 2).await;
            Some((Ok::<_, Infallible>(Bytes::from_static(b"good")), ()))
        }));
        let terms = Terms { most: 1 << 20, ..TERMS };
        let kept_waiting = receive(trickle, tempfile::tempfile().unwrap(), &terms).await;
        assert_eq!(kept_waiting.unwrap_err(), Problem::TooSlow);
    }

    #[tokio::test(start_paused = true)]
    async fn a_picture_that_trickles_loses_its_slot_soon_and_a_slow_one_does_not() {
        let every_second = |bytes: usize| {
            Body::from_stream(stream::unfold(0, move |sent| async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let piece = if sent == 0 { b"good".to_vec() } else { vec![7; bytes] };
                (sent < 60).then(|| (Ok::<_, Infallible>(Bytes::from(piece)), sent + 1))
            }))
        };
        let terms = Terms { most: 8 << 20, pace: Pace::PICTURE, ..TERMS };
        let began = tokio::time::Instant::now();
        let trickled = receive(every_second(1000), tempfile::tempfile().unwrap(), &terms).await;
        assert_eq!(trickled.unwrap_err(), Problem::TooSlow);
        assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
        assert!(receive(every_second(40 << 10), tempfile::tempfile().unwrap(), &terms).await.is_ok());
    }
}
