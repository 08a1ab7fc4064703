//! Avatars and thumbnails, as the bytes that are served. Decoding, cropping and re-encoding is the caller's.

use crate::tables::{AVATARS, STREAM_DETAILS, THUMBNAILS};
use crate::transaction::{Outcome, Reads};
use crate::{Refusal, Store, StoreError, StreamId, UserId, id, record, streams, users};
use redb::ReadableTable as _;

/// Bytes of one picture at most.
pub const PICTURE_BYTES: usize = 512 << 10;

impl Store {
    /// Sets or takes away an avatar; gives its version, 0 for none.
    pub fn set_avatar(&self, user: UserId, picture: Option<&[u8]>) -> Result<u32, StoreError> {
        self.write(|tx| {
            let mut account = users::get(tx, user)?;
            if let Some(picture) = picture {
                tx.open_table(AVATARS)?.insert(user.number(), bounded(picture)?)?;
                account.avatar_version = next_version(account.avatar_version)?;
            } else {
                tx.open_table(AVATARS)?.remove(user.number())?;
                account.avatar_version = 0;
            }
            users::put(tx, &account)?;
            Ok(account.avatar_version)
        })
    }

    /// An avatar's bytes.
    pub fn avatar(&self, user: UserId) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|tx| Ok(tx.reading(AVATARS)?.get(user.number())?.map(|picture| picture.value().to_vec())))
    }

    /// Sets a stream's thumbnail; gives its version.
    pub fn set_thumbnail(&self, stream: StreamId, picture: &[u8]) -> Result<u32, StoreError> {
        self.write(|tx| {
            let mut details = streams::details(tx, stream)?;
            tx.open_table(THUMBNAILS)?.insert(stream.number(), bounded(picture)?)?;
            details.thumbnail_version = next_version(details.thumbnail_version)?;
            record::put(tx, STREAM_DETAILS, stream.number(), &details)?;
            Ok(details.thumbnail_version)
        })
    }

    /// A thumbnail's bytes.
    pub fn thumbnail(&self, stream: StreamId) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|tx| {
            Ok(tx.reading(THUMBNAILS)?.get(stream.number())?.map(|picture| picture.value().to_vec()))
        })
    }
}

fn bounded(picture: &[u8]) -> Outcome<&[u8]> {
    if picture.len() > PICTURE_BYTES {
        return Err(Refusal::TooMany { what: "bytes in a picture", most: PICTURE_BYTES }.into());
    }
    Ok(picture)
}

/// Of chance: a count would begin anew when a picture is taken away, or a backup restored, and meet what is cached.
fn next_version(before: u32) -> Outcome<u32> {
    loop {
        let version = id::random()? as u32;
        if version != 0 && version != before {
            return Ok(version);
        }
    }
}
