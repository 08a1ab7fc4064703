//! Who may publish: the site knows it and says so through [`Doorkeeper`].

use crate::feed::Origin;
use perch_store::{NewStream, TopicId, UserId, VideoMode, Visibility};
use std::fmt;
use std::pin::Pin;

/// Decides about a publisher by its stream key.
pub trait Doorkeeper: Send + Sync + 'static {
    /// Called once for each publication, before anything of it is taken. It is given up after 5 s.
    fn admit(&self, key: StreamKey) -> Admitting;
}

/// The answer to [`Doorkeeper::admit`].
pub type Admitting = Pin<Box<dyn Future<Output = Result<Admission, Denied>> + Send>>;

/// A stream key, as a publisher sent it: up to 200 printable characters without spaces. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct StreamKey(String);

impl StreamKey {
    /// Characters of a key, at most.
    pub const LONGEST: usize = 200;

    /// Takes what a publisher sent; `None` if that cannot be a key.
    pub fn new(text: &str) -> Option<Self> {
        let is_key =
            (1..=Self::LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_key.then(|| Self(text.to_owned()))
    }

    /// The key, to be compared in constant time.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamKey(…)")
    }
}

/// A publisher that may begin a stream, with what its account has prepared. The mode follows from what it sends.
#[derive(Clone, Debug)]
pub struct Admission {
    /// The account that the key belongs to.
    pub user: UserId,
    /// Its name, for the log and for refusals.
    pub username: String,
    /// Title of the stream.
    pub title: String,
    /// May be empty.
    pub description: String,
    /// The topics it is filed under.
    pub topics: Vec<TopicId>,
    /// True if it is recorded.
    pub record: bool,
    /// Who may watch.
    pub visibility: Visibility,
    /// Names of the relays it is sent to.
    pub relays: Vec<String>,
}

impl Admission {
    /// The stream to begin, with pictures of this mode.
    pub(super) fn into_stream(self, mode: VideoMode) -> NewStream {
        NewStream {
            user: self.user,
            title: self.title,
            description: self.description,
            topics: self.topics,
            camera: Origin::Ingest(self.user).name(),
            mode,
            duration_seconds: None,
            record: self.record,
            visibility: self.visibility,
            relays: self.relays,
        }
    }
}

/// Why a publisher is not let in. The words go to its program and into the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No account has this key, or no longer.
    #[error("this stream key is not known: copy it from Perch's page again")]
    WrongKey,
    /// The account is barred or may only watch.
    #[error("the account of this stream key may not go live")]
    MayNotGoLive,
    /// The owner has switched ingest off.
    #[error("streams from other programs are switched off")]
    SwitchedOff,
    /// It cannot be found out now: the store fails. Why, in words.
    #[error("{0}")]
    Unavailable(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_printable_word_and_is_never_shown() {
        let key = StreamKey::new("abcd-1234").unwrap();
        assert_eq!((key.expose(), format!("{key:?}").as_str()), ("abcd-1234", "StreamKey(…)"));
        let long = "x".repeat(201);
        for wrong in ["", "two words", "tab\t", "schlüssel", "nul\0", &long] {
            assert!(StreamKey::new(wrong).is_none(), "{wrong}");
        }
    }
}
