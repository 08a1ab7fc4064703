//! The life of streams: started on a camera, on the air, interrupted, ended, edited, deleted. A camera carries at most one stream
//! that has not ended; the claim is taken and released in the transaction of the event.

use crate::failure::{Failure, Outcome};
use crate::reads::Reads;
use crate::record;
use crate::relation;
use crate::search::index;
use crate::stream::{
    EndReason, NewStream, ORDINALS, Stream, StreamChange, StreamDetails, StreamFacts, VideoMode,
};
use crate::tables::{
    self, CAMERA_CLAIMS, CHAT_RULES, FILED, FOLLOWS, MESSAGE_OFFSETS, MESSAGES, REACTED, RESTRICTIONS,
    STREAM_DETAILS, STREAM_FACTS, THUMBNAILS, VIEWS, WATCH_LIST,
};
use crate::writing::WriteTransaction;
use crate::{
    Delivery, NotificationKind, Refusal, Store, StoreError, StreamId, StreamState, Timestamp, TopicId, UserId,
};
use crate::{lists, new_id, notifications, recordings, topic, user};
use redb::ReadableTable as _;

/// Topics of one stream at most.
pub const TOPICS_PER_STREAM: usize = 8;

impl Store {
    /// Starts a stream and claims its camera. If two callers ask at once, one gets it and the other learns who has it.
    pub fn start_stream(&self, new: &NewStream, now: Timestamp) -> Result<Stream, StoreError> {
        self.write(|tx| {
            user::get(tx, new.user)?;
            let id = StreamId::from_number(new_id::at(now)?);
            let before =
                tx.open_table(CAMERA_CLAIMS)?.insert(new.camera.as_str(), id.number())?.map(|id| id.value());
            if let Some(stream) = before {
                let holder = facts(tx, StreamId::from_number(stream))?;
                let camera = new.camera.clone();
                return Err(Refusal::CameraTaken { camera, stream: holder.id, user: holder.user }.into());
            }
            let ordinal = tables::take_number(tx, ORDINALS, 1)?;
            let facts = StreamFacts {
                id,
                ordinal: u32::try_from(ordinal).map_err(|_| Failure::Exhausted { counter: ORDINALS })?,
                user: new.user,
                visibility: new.visibility,
                state: StreamState::Starting,
                created_at: now,
                live_at: None,
                ended_at: None,
                end_reason: None,
                views: 0,
                peak_viewers: 0,
                likes: 0,
                dislikes: 0,
            };
            let details = StreamDetails {
                title: new.title.clone(),
                description: new.description.clone(),
                camera: new.camera.clone(),
                mode: new.mode,
                duration_seconds: new.duration_seconds,
                record: new.record,
                relays: new.relays.clone(),
                thumbnail_version: 0,
            };
            put_facts(tx, &facts)?;
            record::put(tx, STREAM_DETAILS, id.number(), &details)?;
            file_under(tx, id, &new.topics)?;
            index::reindex(tx, facts.ordinal, None, Some(&details))?;
            whole(tx, facts)
        })
    }

    /// The stream with this id.
    pub fn stream(&self, stream: StreamId) -> Result<Stream, StoreError> {
        self.read(|tx| whole(tx, facts(tx, stream)?))
    }

    /// Number of an account's streams, as lists show them; with `members`, members-only streams count too.
    pub fn count_streams(&self, user: UserId, members: bool) -> Result<usize, StoreError> {
        self.read(|tx| lists::count(tx, user, members))
    }

    /// When the newest stream was started.
    pub fn newest_stream_date(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read(|tx| {
            let table = tx.reading(STREAM_FACTS)?;
            let newest = table.last()?.map(|row| record::decode::<StreamFacts>(row.1.value())).transpose()?;
            Ok(newest.map(|newest| newest.created_at))
        })
    }

    /// The stream that has the camera, if any.
    pub fn stream_on_camera(&self, camera: &str) -> Result<Option<Stream>, StoreError> {
        self.read(|tx| {
            let holder = tx.reading(CAMERA_CLAIMS)?.get(camera)?.map(|id| StreamId::from_number(id.value()));
            holder.map(|holder| whole(tx, facts(tx, holder)?)).transpose()
        })
    }

    /// The streams that have not ended: at startup, those that the previous run left.
    pub fn unfinished_streams(&self) -> Result<Vec<Stream>, StoreError> {
        self.read(|tx| {
            let claims = tx.reading(CAMERA_CLAIMS)?;
            claims.iter()?.map(|row| whole(tx, facts(tx, StreamId::from_number(row?.1.value()))?)).collect()
        })
    }

    /// Marks a stream as live: its pictures go out. The first time, followers are notified.
    pub fn stream_live(&self, stream: StreamId, now: Timestamp) -> Result<Vec<Delivery>, StoreError> {
        self.write(|tx| {
            let mut facts = become_state(tx, stream, StreamState::Live)?;
            if facts.live_at.is_some() {
                put_facts(tx, &facts)?;
                return Ok(Vec::new());
            }
            facts.live_at = Some(now);
            put_facts(tx, &facts)?;
            let mut told = Vec::new();
            for (follower, _) in FOLLOWS.lefts(tx, facts.user.number())? {
                let kind = NotificationKind::WentLive { by: facts.user, stream };
                told.push(notifications::notify(tx, UserId::from_number(follower), kind, now)?);
            }
            Ok(told)
        })
    }

    /// Marks a stream as interrupted: no pictures go out for now.
    pub fn stream_interrupted(&self, stream: StreamId) -> Result<(), StoreError> {
        self.write(|tx| put_facts(tx, &become_state(tx, stream, StreamState::Interrupted)?))
    }

    /// Ends the stream and releases its camera. Its user is notified if something else stopped it. A stream that has ended keeps
    /// its first end.
    pub fn end_stream(
        &self,
        stream: StreamId,
        reason: EndReason,
        now: Timestamp,
    ) -> Result<Option<Delivery>, StoreError> {
        self.write(|tx| end(tx, stream, reason, now))
    }

    /// Changes a stream's details.
    pub fn change_stream(&self, stream: StreamId, change: &StreamChange) -> Result<Stream, StoreError> {
        self.write(|tx| {
            let mut facts = facts(tx, stream)?;
            let before = details(tx, stream)?;
            let mut after = before.clone();
            after.title.clone_from(change.title.as_ref().unwrap_or(&before.title));
            after.description.clone_from(change.description.as_ref().unwrap_or(&before.description));
            facts.visibility = change.visibility.unwrap_or(facts.visibility);
            put_facts(tx, &facts)?;
            if let Some(topics) = &change.topics {
                unfile(tx, stream)?;
                file_under(tx, stream, topics)?;
            }
            record::put(tx, STREAM_DETAILS, stream.number(), &after)?;
            index::reindex(tx, facts.ordinal, Some(&before), Some(&after))?;
            whole(tx, facts)
        })
    }

    /// Records the mode that the pictures turned out to have.
    pub fn set_stream_mode(&self, stream: StreamId, mode: VideoMode) -> Result<(), StoreError> {
        self.write(|tx| {
            let details = StreamDetails { mode, ..details(tx, stream)? };
            record::put(tx, STREAM_DETAILS, stream.number(), &details)
        })
    }

    /// Records the relays that the stream is sent to from now on.
    pub fn set_stream_relays(&self, stream: StreamId, relays: &[String]) -> Result<(), StoreError> {
        self.write(|tx| {
            let details = StreamDetails { relays: relays.to_vec(), ..details(tx, stream)? };
            record::put(tx, STREAM_DETAILS, stream.number(), &details)
        })
    }

    /// Records `viewers` if it is a new peak.
    pub fn raise_peak_viewers(&self, stream: StreamId, viewers: u32) -> Result<(), StoreError> {
        self.write(|tx| {
            let mut facts = facts(tx, stream)?;
            if facts.peak_viewers < viewers {
                facts.peak_viewers = viewers;
                put_facts(tx, &facts)?;
            }
            Ok(())
        })
    }

    /// Deletes an ended stream with its messages, reactions, views and everything that refers to it. The caller removes
    /// its recording's files.
    pub fn delete_stream(&self, stream: StreamId) -> Result<(), StoreError> {
        self.write(|tx| {
            delete(tx, stream)?;
            notifications::forget(tx, |kind| kind.stream() == Some(stream))
        })
    }
}

pub(crate) fn facts(tx: &impl Reads, stream: StreamId) -> Outcome<StreamFacts> {
    record::get(tx, STREAM_FACTS, stream.number())?.ok_or_else(|| Refusal::NotFound { what: "stream" }.into())
}

pub(crate) fn put_facts(tx: &WriteTransaction, facts: &StreamFacts) -> Outcome<()> {
    let before = record::get(tx, STREAM_FACTS, facts.id.number())?;
    lists::update(tx, before.as_ref(), Some(facts))?;
    record::put(tx, STREAM_FACTS, facts.id.number(), facts)
}

pub(crate) fn details(tx: &impl Reads, stream: StreamId) -> Outcome<StreamDetails> {
    record::get(tx, STREAM_DETAILS, stream.number())?
        .ok_or_else(|| Refusal::NotFound { what: "stream" }.into())
}

pub(crate) fn whole(tx: &impl Reads, facts: StreamFacts) -> Outcome<Stream> {
    let details = details(tx, facts.id)?;
    let topics = FILED.rights(tx, facts.id.number())?;
    Ok(Stream {
        topics: topics.into_iter().map(|(topic, _)| TopicId::from_number(topic)).collect(),
        details,
        facts,
    })
}

fn end(
    tx: &WriteTransaction,
    stream: StreamId,
    reason: EndReason,
    now: Timestamp,
) -> Outcome<Option<Delivery>> {
    let mut facts = become_state(tx, stream, StreamState::Ended)?;
    if facts.ended_at.is_some() {
        return Ok(None);
    }
    facts.ended_at = Some(now);
    facts.end_reason = Some(reason);
    put_facts(tx, &facts)?;
    tx.open_table(CAMERA_CLAIMS)?.remove(details(tx, stream)?.camera.as_str())?;
    match reason {
        EndReason::Owner | EndReason::Button | EndReason::Disk => {
            let kind = NotificationKind::StreamStopped { stream, reason };
            notifications::notify(tx, facts.user, kind, now).map(Some)
        }
        _ => Ok(None),
    }
}

/// Ends all unfinished streams as a power cut would.
pub(crate) fn break_off_all(tx: &WriteTransaction, now: Timestamp) -> Outcome<()> {
    let claims = tx.open_table(CAMERA_CLAIMS)?;
    let unfinished: Vec<u128> = claims.iter()?.map(|row| Ok(row?.1.value())).collect::<Outcome<_>>()?;
    drop(claims);
    for stream in unfinished {
        end(tx, StreamId::from_number(stream), EndReason::Interruption, now)?;
    }
    recordings::end_all(tx)
}

/// The facts with the new state, not yet written.
fn become_state(tx: &impl Reads, stream: StreamId, to: StreamState) -> Outcome<StreamFacts> {
    let mut facts = facts(tx, stream)?;
    if !facts.state.may_become(to) {
        return Err(Refusal::WrongState { from: facts.state, to }.into());
    }
    facts.state = to;
    Ok(facts)
}

fn file_under(tx: &WriteTransaction, stream: StreamId, under: &[TopicId]) -> Outcome<()> {
    if under.len() > TOPICS_PER_STREAM {
        return Err(Refusal::TooMany { what: "topics of a stream", most: TOPICS_PER_STREAM }.into());
    }
    let facts = facts(tx, stream)?;
    for &topic in under {
        topic::get(tx, topic)?;
        FILED.tie(tx, stream.number(), topic.number(), 0)?;
        lists::file(tx, &facts, topic, true)?;
    }
    Ok(())
}

fn unfile(tx: &WriteTransaction, stream: StreamId) -> Outcome<()> {
    let facts = facts(tx, stream)?;
    for (topic, _) in FILED.rights(tx, stream.number())? {
        FILED.untie(tx, stream.number(), topic)?;
        lists::file(tx, &facts, TopicId::from_number(topic), false)?;
    }
    Ok(())
}

/// Deletes everything about the stream except notifications.
pub(crate) fn delete(tx: &WriteTransaction, stream: StreamId) -> Outcome<()> {
    let facts = facts(tx, stream)?;
    if facts.state != StreamState::Ended {
        return Err(Refusal::NotEnded { stream }.into());
    }
    let number = stream.number();
    index::reindex(tx, facts.ordinal, Some(&details(tx, stream)?), None)?;
    unfile(tx, stream)?;
    for (user, _) in REACTED.rights(tx, number)? {
        REACTED.untie(tx, number, user)?;
    }
    for (user, _) in WATCH_LIST.lefts(tx, number)? {
        WATCH_LIST.untie(tx, user, number)?;
    }
    tx.open_table(VIEWS)?.retain_in(relation::of(number), |_, ()| false)?;
    tx.open_table(MESSAGES)?.retain_in(relation::of(number), |_, _| false)?;
    let offsets = (number, u64::MIN, u128::MIN)..=(number, u64::MAX, u128::MAX);
    tx.open_table(MESSAGE_OFFSETS)?.retain_in(offsets, |_, ()| false)?;
    recordings::delete(tx, stream)?;
    tx.open_table(THUMBNAILS)?.remove(number)?;
    tx.open_table(CHAT_RULES)?.remove(number)?;
    // Those for this chat alone.
    tx.open_table(RESTRICTIONS)?.retain_in(relation::of(number), |_, _| false)?;
    tx.open_table(STREAM_DETAILS)?.remove(number)?;
    lists::update(tx, Some(&facts), None)?;
    tx.open_table(STREAM_FACTS)?.remove(number)?;
    Ok(())
}
