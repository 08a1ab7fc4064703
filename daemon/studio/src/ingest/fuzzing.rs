//! What a stranger reaches behind the socket, for `daemon/fuzz`: session and intake, fed with bytes of any content.

use super::intake::Intake;
use super::pace::Most;
use super::session::{Event, Session, SessionError};
use perch_media::sample::Sample;
use std::sync::Arc;
use std::time::Duration;

/// A handshake of the first kind: version, time and random bytes, an echo.
const HANDSHAKE: [u8; 1 + 2 * 1536] = {
    let mut bytes = [0; 1 + 2 * 1536];
    bytes[0] = 3;
    bytes
};
/// Bytes that one connection may hold, whatever comes: a picture, and what else is unfinished.
const HELD_MOST: usize = 10 << 20;

/// Takes what a program sends after its handshake, in pieces of `piece` bytes that come 10 ms apart. Every key is let in. Returns what was said: the events up to the
/// first error, a line each.
///
/// # Panics
///
/// If memory is not bounded, or the times of a track go back.
pub fn behind_the_socket(input: &[u8], piece: usize) -> Vec<String> {
    let mut session = Session::new();
    let mut said = Vec::new();
    let mut now = Duration::from_secs(1000);
    let mut intake = Intake::new(Most { kbps: 10_000 }, Arc::default(), now);
    let mut last = [None; 2];
    let pieces = [&HANDSHAKE[..]].into_iter().chain(input.chunks(piece.max(1)));
    for piece in pieces {
        now += Duration::from_millis(10);
        let result = take(&mut session, &mut intake, piece, now, &mut said);
        assert!(session.held() < HELD_MOST, "{} bytes are held", session.held());
        for sample in intake.take() {
            let track = usize::from(matches!(sample, Sample::Audio(_)));
            let times = sample.times();
            assert!(last[track] < Some(times.dts) && times.dts <= times.pts, "{last:?} {times:?}");
            last[track] = Some(times.dts);
        }
        // Whoever sends takes what was answered.
        session.out().clear();
        if result.is_err() {
            break;
        }
    }
    said
}

fn take(
    session: &mut Session,
    intake: &mut Intake,
    piece: &[u8],
    now: Duration,
    said: &mut Vec<String>,
) -> Result<(), SessionError> {
    session.receive(piece)?;
    while let Some(event) = session.next()? {
        said.push(format!("{event:?}"));
        let refused = match event {
            Event::Publish(_) => {
                session.accept()?;
                Ok(())
            }
            Event::Facts(facts) => intake.take_facts(facts),
            Event::Video(timestamp, body) => intake.video(timestamp, body, now),
            Event::Sound(timestamp, body) => intake.sound(timestamp, body, now),
            Event::Play(_) => {
                session.play()?;
                Ok(())
            }
            Event::Unpublished | Event::Refused(_) => Ok(()),
        };
        // A publication that is refused is not looked at any further; here more may come of it.
        drop(refused);
    }
    Ok(())
}
