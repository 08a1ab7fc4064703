//! The watch list: streams that a person saved for later. Listed by the search (`saved`).

use crate::tables::WATCH_LIST;
use crate::{Store, StoreError, StreamId, Timestamp, UserId, streams, user};

impl Store {
    /// Puts a stream on a person's watch list.
    pub fn save_stream(&self, user: UserId, stream: StreamId, now: Timestamp) -> Result<(), StoreError> {
        self.write(|tx| {
            user::get(tx, user)?;
            streams::facts(tx, stream)?;
            if WATCH_LIST.value(tx, user.number(), stream.number())?.is_none() {
                WATCH_LIST.tie(tx, user.number(), stream.number(), now.unix_millis())?;
            }
            Ok(())
        })
    }

    /// Takes a stream off a person's watch list; true if it was on it.
    pub fn unsave_stream(&self, user: UserId, stream: StreamId) -> Result<bool, StoreError> {
        self.write(|tx| Ok(WATCH_LIST.untie(tx, user.number(), stream.number())?.is_some()))
    }

    /// True if the stream is on the person's watch list.
    pub fn is_saved(&self, user: UserId, stream: StreamId) -> Result<bool, StoreError> {
        self.read(|tx| Ok(WATCH_LIST.value(tx, user.number(), stream.number())?.is_some()))
    }
}
