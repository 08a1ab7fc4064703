//! What a stream is: its details, which are written seldom, and its facts, which change while it runs and which every search
//! reads. Two records, so that a view does not rewrite a description and a search does not read one.

use crate::record::Record;
use crate::{StreamId, StreamState, Timestamp, TopicId, UserId};
use serde::{Deserialize, Serialize};

/// Why a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Its user stopped it.
    User,
    /// The site's owner stopped it.
    Owner,
    /// The duration asked for is over.
    Duration,
    /// The button on the board.
    Button,
    /// The daemon was stopped.
    Shutdown,
    /// The card is full.
    Disk,
    /// The camera or the power was gone, and it was not to be resumed.
    Interruption,
}

/// Who may watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Everybody on the network.
    Public,
    /// Those with an account.
    Members,
}

/// What is asked of the camera and the encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoMode {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames in a second.
    pub frames_per_second: u32,
    /// Kilobits in a second.
    pub bitrate_kbps: u32,
}

/// A stream to be started. The caller has checked lengths, characters and what the camera can do.
#[derive(Clone, Debug)]
pub struct NewStream {
    /// Whose stream it is.
    pub user: UserId,
    /// What people see first.
    pub title: String,
    /// May be empty.
    pub description: String,
    /// What it is filed under.
    pub topics: Vec<TopicId>,
    /// The name of the camera it takes.
    pub camera: String,
    /// What is asked of the camera.
    pub mode: VideoMode,
    /// After which it ends by itself, if it does.
    pub duration_seconds: Option<u32>,
    /// Whether it is recorded.
    pub record: bool,
    /// Who may watch.
    pub visibility: Visibility,
    /// Names of the relays it goes to.
    pub relays: Vec<String>,
}

/// What to change of a stream; `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct StreamChange {
    /// What people see first.
    pub title: Option<String>,
    /// What it is about.
    pub description: Option<String>,
    /// What it is filed under.
    pub topics: Option<Vec<TopicId>>,
    /// Who may watch.
    pub visibility: Option<Visibility>,
}

/// What its user said of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamDetails {
    /// What people see first.
    pub title: String,
    /// May be empty.
    pub description: String,
    /// The camera's name.
    pub camera: String,
    /// What was asked of the camera.
    pub mode: VideoMode,
    /// After which it ends by itself, if it does.
    pub duration_seconds: Option<u32>,
    /// Whether it is recorded.
    pub record: bool,
    /// Names of the relays it goes to.
    pub relays: Vec<String>,
    /// Another number for every thumbnail, 0 for none: part of its address, so that it can be cached for ever.
    pub thumbnail_version: u32,
}

impl Record for StreamDetails {
    const NAME: &'static str = "stream";
    const VERSION: u8 = 1;
}

/// What happens to a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamFacts {
    /// Its id.
    pub id: StreamId,
    /// Its number in the search index; never given twice.
    pub(crate) ordinal: u32,
    /// Whose it is.
    pub user: UserId,
    /// Who may watch.
    pub visibility: Visibility,
    /// Where it is in its life.
    pub state: StreamState,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its first picture went out.
    pub live_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it ended.
    pub end_reason: Option<EndReason>,
    /// Viewers so far, each counted once.
    pub views: u64,
    /// The most viewers at one time.
    pub peak_viewers: u32,
    /// People who like it.
    pub likes: u64,
    /// People who dislike it.
    pub dislikes: u64,
}

impl Record for StreamFacts {
    const NAME: &'static str = "stream facts";
    const VERSION: u8 = 1;
}

/// A stream, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// What happens to it.
    pub facts: StreamFacts,
    /// What its user said of it.
    pub details: StreamDetails,
    /// What it is filed under.
    pub topics: Vec<TopicId>,
}
