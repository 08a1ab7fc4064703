//! Who follows whom. Counts are computed when asked for, so they cannot drift.

use crate::failure::Outcome;
use crate::reads::Reads;
use crate::relation::{Pairs, newest};
use crate::tables::{FOLLOWERS, FOLLOWING, FOLLOWS};
use crate::{
    Delivery, NotificationKind, Refusal, Store, StoreError, Timestamp, User, UserId, notifications, user,
};

/// How many accounts an account follows, and how many follow it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FollowCounts {
    /// Accounts that follow it.
    pub followers: u64,
    /// Accounts that it follows.
    pub following: u64,
}

impl Store {
    /// Makes `who` follow `whom`; returns the notification for `whom`, or `None` if it did so already.
    pub fn follow(&self, who: UserId, whom: UserId, now: Timestamp) -> Result<Option<Delivery>, StoreError> {
        self.write(|tx| {
            if who == whom {
                return Err(Refusal::OwnAccount.into());
            }
            user::get(tx, who)?;
            user::get(tx, whom)?;
            if FOLLOWS.value(tx, who.number(), whom.number())?.is_some() {
                return Ok(None);
            }
            FOLLOWS.tie(tx, who.number(), whom.number(), now.unix_millis())?;
            notifications::notify(tx, whom, NotificationKind::Followed { by: who }, now).map(Some)
        })
    }

    /// Stops following; true if it did follow.
    pub fn unfollow(&self, who: UserId, whom: UserId) -> Result<bool, StoreError> {
        self.write(|tx| Ok(FOLLOWS.untie(tx, who.number(), whom.number())?.is_some()))
    }

    /// True if `who` follows `whom`.
    pub fn is_following(&self, who: UserId, whom: UserId) -> Result<bool, StoreError> {
        self.read(|tx| Ok(FOLLOWS.value(tx, who.number(), whom.number())?.is_some()))
    }

    /// An account's followers, newest accounts first, at most `limit`, older than `before`.
    pub fn followers(
        &self,
        user: UserId,
        before: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<User>, StoreError> {
        self.read(|tx| others(tx, FOLLOWERS, user, before, limit))
    }

    /// Accounts that an account follows, newest accounts first, at most `limit`, older than `before`.
    pub fn following(
        &self,
        user: UserId,
        before: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<User>, StoreError> {
        self.read(|tx| others(tx, FOLLOWING, user, before, limit))
    }

    /// How many accounts an account follows, and how many follow it.
    pub fn follow_counts(&self, user: UserId) -> Result<FollowCounts, StoreError> {
        self.read(|tx| {
            Ok(FollowCounts {
                followers: FOLLOWS.count_lefts(tx, user.number())?,
                following: FOLLOWS.count_rights(tx, user.number())?,
            })
        })
    }
}

fn others(
    tx: &impl Reads,
    table: Pairs,
    user: UserId,
    before: Option<UserId>,
    limit: usize,
) -> Outcome<Vec<User>> {
    let others = newest(&tx.reading(table)?, user.number(), before.map(UserId::number), limit)?;
    others.into_iter().map(|(other, _)| user::get(tx, UserId::from_number(other))).collect()
}
