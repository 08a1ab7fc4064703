//! What a server reaches behind the socket, for `daemon/fuzz`: the session, fed with bytes of any content.

use super::session::{Session, Target};
use crate::config::Secret;
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};

/// Bytes that one connection may hold of what has not come whole.
const HELD_MOST: usize = 256 << 10;

/// Takes what a server sends after its handshake, in pieces of `piece` bytes. Returns what came of it, a line for each event, and the error that ended it.
///
/// # Panics
///
/// If memory is not bounded, or the key is in what the server is said to have said.
pub fn behind_the_socket(input: &[u8], piece: usize) -> (Vec<String>, Option<String>) {
    let mut session = greeted();
    let mut said = Vec::new();
    for piece in input.chunks(piece.max(1)) {
        match session.receive(piece) {
            Ok(events) => said.extend(events.iter().map(|event| format!("{event:?}"))),
            Err(error) => return (said, Some(error.to_string())),
        }
        assert!(session.held() < HELD_MOST, "{} bytes are held", session.held());
        // What is answered is no more than what was asked, and the commands that follow the server's.
        assert!(session.out().len() <= 16 * piece.len() + 1024, "{} bytes of answers", session.out().len());
        session.out().clear();
    }
    assert!(said.iter().all(|line| !line.contains("SECRET")), "{said:?}");
    (said, None)
}

/// A connection whose handshake is done.
fn greeted() -> Session {
    let target = Target {
        application: "live".to_owned(),
        tc_url: "rtmp://example.org/live".to_owned(),
        key: Secret::new("SECRET"),
    };
    let mut session = Session::new(target, 1 << 20).expect("random numbers");
    let mut server = Handshake::new(PeerType::Server);
    loop {
        let sent = std::mem::take(session.out());
        let answer = match server.process_bytes(&sent).expect("a handshake of ours") {
            HandshakeProcessResult::InProgress { response_bytes } => response_bytes,
            HandshakeProcessResult::Completed { .. } => return session,
        };
        session.receive(&answer).expect("a handshake of theirs");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_accepts_and_ends_the_stream_is_understood_however_its_bytes_are_cut() {
        let sent = &include_bytes!("../../../fuzz/seeds/relay_session/accepted")[1..];
        let (said, why) = behind_the_socket(sent, usize::MAX);
        assert_eq!((said.len(), &said[0], why), (3, &"Accepted".to_owned(), None), "{said:?}");
        for piece in 1..200 {
            assert_eq!(behind_the_socket(sent, piece).0, said, "{piece}");
        }
    }
}
