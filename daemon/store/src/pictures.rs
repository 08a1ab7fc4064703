//! Avatars and thumbnails, as the bytes that are served. The caller decodes, crops and re-encodes them.

use crate::failure::Outcome;
use crate::reads::Reads;
use crate::tables::{AVATARS, STREAM_DETAILS, THUMBNAILS};
use crate::writing::WriteTransaction;
use crate::{Refusal, Store, StoreError, StreamDetails, StreamId, UserId, new_id, record, streams, user};
use redb::ReadableTable as _;

/// Bytes of one picture at most.
pub const PICTURE_BYTES: usize = 512 << 10;

impl Store {
    /// Sets or removes an avatar; returns its version, 0 for none.
    pub fn set_avatar(&self, user: UserId, picture: Option<&[u8]>) -> Result<u32, StoreError> {
        self.write(|tx| {
            let mut account = user::get(tx, user)?;
            if let Some(picture) = picture {
                tx.open_table(AVATARS)?.insert(user.number(), bounded(picture)?)?;
                account.avatar_version = version(account.avatar_version, |chance| chance)?;
            } else {
                tx.open_table(AVATARS)?.remove(user.number())?;
                account.avatar_version = 0;
            }
            user::put(tx, &account)?;
            Ok(account.avatar_version)
        })
    }

    /// An avatar's bytes.
    pub fn avatar(&self, user: UserId) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|tx| Ok(tx.reading(AVATARS)?.get(user.number())?.map(|picture| picture.value().to_vec())))
    }

    /// Sets a stream's thumbnail to one that a person chose; returns its version.
    pub fn set_thumbnail(&self, stream: StreamId, picture: &[u8]) -> Result<u32, StoreError> {
        self.write(|tx| put_thumbnail(tx, stream, picture, CHOSEN))
    }

    /// Sets a stream's thumbnail to a camera picture; returns its version, or `None` if a person has chosen one, which is kept.
    pub fn refresh_thumbnail(&self, stream: StreamId, picture: &[u8]) -> Result<Option<u32>, StoreError> {
        // Checked before writing, too: a write transaction costs the card a sync.
        if self.read(|tx| is_chosen(tx, stream))? {
            return Ok(None);
        }
        self.write(|tx| {
            if is_chosen(tx, stream)? {
                return Ok(None);
            }
            put_thumbnail(tx, stream, picture, TAKEN).map(Some)
        })
    }

    /// True if a person chose the stream's thumbnail.
    pub fn has_chosen_thumbnail(&self, stream: StreamId) -> Result<bool, StoreError> {
        self.read(|tx| is_chosen(tx, stream))
    }

    /// A thumbnail's bytes.
    pub fn thumbnail(&self, stream: StreamId) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|tx| {
            Ok(tx.reading(THUMBNAILS)?.get(stream.number())?.map(|picture| picture.value().to_vec()))
        })
    }
}

/// The lowest bit of a thumbnail's version is 0 for a camera picture.
const TAKEN: u32 = 0;
/// It is 1 for a picture that a person chose.
const CHOSEN: u32 = 1;

impl StreamDetails {
    /// Whether a person chose the stream's thumbnail.
    pub const fn has_chosen_thumbnail(&self) -> bool {
        self.thumbnail_version & 1 == CHOSEN
    }
}

fn is_chosen(tx: &impl Reads, stream: StreamId) -> Outcome<bool> {
    Ok(streams::details(tx, stream)?.has_chosen_thumbnail())
}

fn put_thumbnail(tx: &WriteTransaction, stream: StreamId, picture: &[u8], origin: u32) -> Outcome<u32> {
    let mut details = streams::details(tx, stream)?;
    tx.open_table(THUMBNAILS)?.insert(stream.number(), bounded(picture)?)?;
    let before = details.thumbnail_version;
    details.thumbnail_version = version(before, |chance| (chance & !1) | origin)?;
    record::put(tx, STREAM_DETAILS, stream.number(), &details)?;
    Ok(details.thumbnail_version)
}

fn bounded(picture: &[u8]) -> Outcome<&[u8]> {
    if picture.len() > PICTURE_BYTES {
        return Err(Refusal::TooMany { what: "bytes in a picture", most: PICTURE_BYTES }.into());
    }
    Ok(picture)
}

/// Random: a counter would start again after a picture is removed or a backup restored, and its numbers would match cached
/// pictures.
fn version(before: u32, made_of: impl Fn(u32) -> u32) -> Outcome<u32> {
    loop {
        let version = made_of(new_id::random()? as u32);
        if version != 0 && version != before {
            return Ok(version);
        }
    }
}
