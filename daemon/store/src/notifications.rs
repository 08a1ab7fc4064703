//! Notifications to accounts, written in the transaction of the event itself, so none is lost or sent twice.

use crate::failure::Outcome;
use crate::reads::Reads;
use crate::record::{self, Record};
use crate::relation;
use crate::tables::{NOTIFICATIONS, STREAM_FACTS};
use crate::writing::WriteTransaction;
use crate::{
    EndReason, NotificationId, Store, StoreError, StreamFacts, StreamId, Timestamp, UserId, new_id, user,
};
use redb::ReadableTable as _;
use serde::{Deserialize, Serialize};

/// Notifications kept for one account; the oldest are dropped.
pub const NOTIFICATIONS_PER_USER: usize = 200;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotificationKind {
    /// Somebody whom the account follows goes live.
    WentLive {
        /// The account that goes live.
        by: UserId,
        /// The stream.
        stream: StreamId,
    },
    /// Somebody follows the account.
    Followed {
        /// The follower.
        by: UserId,
    },
    /// The account's own stream was stopped by something other than its user.
    StreamStopped {
        /// The stream.
        stream: StreamId,
        /// The reason.
        reason: EndReason,
    },
    /// A stream that is to be recorded is not recorded for now.
    RecordingPaused {
        /// The stream.
        stream: StreamId,
        /// Why.
        trouble: RecordingTrouble,
    },
    /// It is recorded again.
    RecordingWentOn {
        /// The stream.
        stream: StreamId,
    },
    /// An account waits for the owner's approval.
    AccountWaiting {
        /// The account.
        by: UserId,
    },
}

impl NotificationKind {
    /// The stream that this is about.
    pub const fn stream(&self) -> Option<StreamId> {
        match *self {
            Self::WentLive { stream, .. }
            | Self::StreamStopped { stream, .. }
            | Self::RecordingPaused { stream, .. }
            | Self::RecordingWentOn { stream } => Some(stream),
            Self::Followed { .. } | Self::AccountWaiting { .. } => None,
        }
    }
}

/// What keeps a recording from growing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingTrouble {
    /// There is no room on the card, or none within the limits.
    NoRoom,
    /// The card can only be read.
    ReadOnly,
    /// The folder is not there: its disk was pulled.
    Missing,
    /// Perch may not write in the folder.
    NotAllowed,
    /// The card does not take what is written.
    Failing,
}

/// A notification to one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// Its id.
    pub id: NotificationId,
    /// When it happened.
    pub at: Timestamp,
    /// True if the account has seen it.
    pub read: bool,
    /// What happened.
    pub kind: NotificationKind,
}

/// A notification and its recipient, for delivery to open pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The recipient.
    pub to: UserId,
    /// The notification.
    pub notification: Notification,
}

impl Store {
    /// An account's notifications, newest first, at most `limit`, older than `before`.
    pub fn notifications(
        &self,
        user: UserId,
        before: Option<NotificationId>,
        limit: usize,
    ) -> Result<Vec<Notification>, StoreError> {
        self.read(|tx| {
            let table = tx.reading(NOTIFICATIONS)?;
            let end = before.map_or(u128::MAX, NotificationId::number);
            let rows = table.range((user.number(), u128::MIN)..(user.number(), end))?;
            rows.rev().take(limit).map(|row| record::decode(row?.1.value())).collect()
        })
    }

    /// How many notifications the account has not seen.
    pub fn unread_notifications(&self, user: UserId) -> Result<usize, StoreError> {
        self.read(|tx| Ok(of(tx, user)?.iter().filter(|notification| !notification.read).count()))
    }

    /// Marks notifications up to and including `last` as seen; `None`: all. Returns how many remain unseen.
    pub fn read_notifications(
        &self,
        user: UserId,
        last: Option<NotificationId>,
    ) -> Result<usize, StoreError> {
        self.write(|tx| {
            let mut unread = 0;
            for mut notification in of(tx, user)?.into_iter().filter(|notification| !notification.read) {
                if last.is_none_or(|last| notification.id <= last) {
                    notification.read = true;
                    put(tx, user, &notification)?;
                } else {
                    unread += 1;
                }
            }
            Ok(unread)
        })
    }

    /// Tells a stream's user and all owners that its recording does not grow for now, and why. Nobody where the stream was deleted.
    pub fn recording_paused(
        &self,
        stream: StreamId,
        trouble: RecordingTrouble,
        now: Timestamp,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.write(|tx| {
            notify_keepers(tx, stream, &NotificationKind::RecordingPaused { stream, trouble }, now)
        })
    }

    /// Tells the same people that it grows again.
    pub fn recording_went_on(&self, stream: StreamId, now: Timestamp) -> Result<Vec<Delivery>, StoreError> {
        self.write(|tx| notify_keepers(tx, stream, &NotificationKind::RecordingWentOn { stream }, now))
    }
}

/// Notifies the owners of an account that waits for their approval.
pub(crate) fn account_waiting(tx: &WriteTransaction, by: UserId, now: Timestamp) -> Outcome<Vec<Delivery>> {
    let owners = user::owners(tx)?;
    owners.into_iter().map(|owner| notify(tx, owner, NotificationKind::AccountWaiting { by }, now)).collect()
}

/// Notifies a stream's user and the owners, each once.
fn notify_keepers(
    tx: &WriteTransaction,
    stream: StreamId,
    kind: &NotificationKind,
    now: Timestamp,
) -> Outcome<Vec<Delivery>> {
    let Some(facts) = record::get::<StreamFacts, _>(tx, STREAM_FACTS, stream.number())? else {
        return Ok(Vec::new());
    };
    let mut keepers = user::owners(tx)?;
    if !keepers.contains(&facts.user) {
        keepers.push(facts.user);
    }
    keepers.into_iter().map(|keeper| notify(tx, keeper, kind.clone(), now)).collect()
}

/// The account's notifications, at most [`NOTIFICATIONS_PER_USER`].
fn of(tx: &impl Reads, user: UserId) -> Outcome<Vec<Notification>> {
    let table = tx.reading(NOTIFICATIONS)?;
    table.range(relation::of(user.number()))?.map(|row| record::decode(row?.1.value())).collect()
}

fn put(tx: &WriteTransaction, user: UserId, notification: &Notification) -> Outcome<()> {
    record::put(tx, NOTIFICATIONS, (user.number(), notification.id.number()), notification)
}

/// Notifies `to`. The same event again (somebody follows, stops and follows) replaces the earlier notification.
pub(crate) fn notify(
    tx: &WriteTransaction,
    to: UserId,
    kind: NotificationKind,
    now: Timestamp,
) -> Outcome<Delivery> {
    let before = of(tx, to)?;
    let last = before.last().map(|notification| notification.id.number());
    let surplus = (before.len() + 1).saturating_sub(NOTIFICATIONS_PER_USER);
    {
        let mut table = tx.open_table(NOTIFICATIONS)?;
        for (place, old) in before.iter().enumerate() {
            if place < surplus || old.kind == kind {
                table.remove((to.number(), old.id.number()))?;
            }
        }
    }
    let id = NotificationId::from_number(new_id::after(last, now)?);
    let notification = Notification { id, at: now, read: false, kind };
    put(tx, to, &notification)?;
    Ok(Delivery { to, notification })
}

/// Removes notifications about a deleted stream or account.
pub(crate) fn forget(tx: &WriteTransaction, gone: impl Fn(&NotificationKind) -> bool) -> Outcome<()> {
    // A record that cannot be read is kept, so that the next read reports it.
    let keep = |bytes: &[u8]| {
        record::decode::<Notification>(bytes).map_or(true, |notification| !gone(&notification.kind))
    };
    tx.open_table(NOTIFICATIONS)?.retain(|_, bytes| keep(bytes))?;
    Ok(())
}

impl Record for Notification {
    const NAME: &'static str = "notification";
    const VERSION: u8 = 1;
}
