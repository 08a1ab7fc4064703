//! Views: one for each viewer of a stream, however often they return.

use crate::failure::Failure;
use crate::tables::VIEWS;
use crate::{Refusal, Store, StoreError, StreamId, UserId, streams};

/// A viewer: an account, or an anonymous token, which the caller has hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Viewer(u128);

impl Viewer {
    /// Without an account: 128 bits of the token's digest.
    pub const fn anonymous(digest: u128) -> Self {
        Self(digest)
    }

    pub(crate) const fn number(self) -> u128 {
        self.0
    }
}

impl From<UserId> for Viewer {
    fn from(user: UserId) -> Self {
        Self(user.number())
    }
}

impl Store {
    /// Counts viewers, in one commit. Repeated viewers do not count again, and deleted streams are skipped. Returns the number of
    /// new views.
    pub fn count_views(&self, views: &[(StreamId, Viewer)]) -> Result<u64, StoreError> {
        self.write(|tx| {
            let mut new = 0;
            for &(stream, viewer) in views {
                let mut facts = match streams::facts(tx, stream) {
                    Err(Failure::Refused(Refusal::NotFound { .. })) => continue,
                    facts => facts?,
                };
                if tx.open_table(VIEWS)?.insert((stream.number(), viewer.number()), ())?.is_none() {
                    facts.views += 1;
                    new += 1;
                    streams::put_facts(tx, &facts)?;
                }
            }
            Ok(new)
        })
    }
}
