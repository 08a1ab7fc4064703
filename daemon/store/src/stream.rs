//! A stream: its details, which change seldom, and its facts, which change while it runs and are read by every search. They are
//! two records, so that a view does not rewrite a description and a search does not read one.

use crate::record::Record;
use crate::{StreamId, StreamState, Timestamp, TopicId, UserId};
use serde::{Deserialize, Serialize};

/// The counter that numbers streams for the search index.
pub(crate) const ORDINALS: &str = "streams";

/// Why a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Its user stopped it.
    User,
    /// The site's owner stopped it.
    Owner,
    /// The requested duration is over.
    Duration,
    /// The button on the board was pressed.
    Button,
    /// The daemon was stopped.
    Shutdown,
    /// The card is full.
    Disk,
    /// The camera or the power failed, and the stream was not resumed.
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

/// The requested picture format and bit rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoMode {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Frames per second.
    pub frames_per_second: u32,
    /// Kilobits per second.
    pub bitrate_kbps: u32,
}

/// A stream to be started. The caller has checked lengths, characters and the camera's abilities.
#[derive(Clone, Debug)]
pub struct NewStream {
    /// Whose stream it is.
    pub user: UserId,
    /// Shown first in every list.
    pub title: String,
    /// May be empty.
    pub description: String,
    /// The topics it is filed under.
    pub topics: Vec<TopicId>,
    /// The name of its camera.
    pub camera: String,
    /// The requested mode.
    pub mode: VideoMode,
    /// Seconds after which it ends by itself; `None`: never.
    pub duration_seconds: Option<u32>,
    /// True if it is recorded.
    pub record: bool,
    /// Who may watch.
    pub visibility: Visibility,
    /// Names of the relays it is sent to.
    pub relays: Vec<String>,
}

/// Changes to a stream; `None` keeps the present value.
#[derive(Clone, Debug, Default)]
pub struct StreamChange {
    /// The title.
    pub title: Option<String>,
    /// The description.
    pub description: Option<String>,
    /// The topics it is filed under.
    pub topics: Option<Vec<TopicId>>,
    /// Who may watch.
    pub visibility: Option<Visibility>,
}

/// The details that its user set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamDetails {
    /// Shown first in every list.
    pub title: String,
    /// May be empty.
    pub description: String,
    /// The camera's name.
    pub camera: String,
    /// The requested mode.
    pub mode: VideoMode,
    /// Seconds after which it ends by itself; `None`: never.
    pub duration_seconds: Option<u32>,
    /// True if it is recorded.
    pub record: bool,
    /// Names of the relays it is sent to.
    pub relays: Vec<String>,
    /// A new number for every thumbnail, 0 for none: part of its address, so that it can be cached for ever.
    pub thumbnail_version: u32,
}

impl Record for StreamDetails {
    const NAME: &'static str = "stream";
    const VERSION: u8 = 1;
}

/// The facts of a stream, which change while it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamFacts {
    /// Its id.
    pub id: StreamId,
    /// Its number in the search index; never reused.
    pub(crate) ordinal: u32,
    /// The account whose stream it is.
    pub user: UserId,
    /// Who may watch.
    pub visibility: Visibility,
    /// Its state.
    pub state: StreamState,
    /// When it was started.
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

/// A stream with its details, facts and topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The facts, which change while it runs.
    pub facts: StreamFacts,
    /// The details that its user set.
    pub details: StreamDetails,
    /// The topics it is filed under.
    pub topics: Vec<TopicId>,
}
