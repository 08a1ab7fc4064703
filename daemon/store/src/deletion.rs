//! Deletes an account and everything that belongs to it in one transaction, so that nothing is left half deleted.

use crate::failure::Outcome;
use crate::tables::{
    AVATARS, FOLLOWS, NOTIFICATIONS, PASSWORDS, REACTED, RESTRICTIONS, USERNAMES, USERS, WATCH_LIST,
};
use crate::writing::WriteTransaction;
use crate::{NotificationKind, Store, StoreError, StreamId, UserId};
use crate::{
    api_tokens, ingest_keys, lists, messages, notifications, reactions, relation, search::words, sessions,
    skeletons, streams, user, users,
};

impl Store {
    /// Deletes an account with its streams, messages, reactions, follows and logins. Its views stay counted. Refused while it is
    /// live, and for the last owner. Returns the deleted streams, whose recordings the caller removes.
    pub fn delete_user(&self, user: UserId) -> Result<Vec<StreamId>, StoreError> {
        self.write(|tx| {
            let account = user::get(tx, user)?;
            users::keep_an_owner(tx, &account)?;
            let gone = lists::all_of(tx, user)?;
            for &stream in &gone {
                streams::delete(tx, stream)?;
            }
            notifications::forget(tx, |kind| match kind {
                NotificationKind::WentLive { by, .. }
                | NotificationKind::Followed { by }
                | NotificationKind::AccountWaiting { by } => *by == user,
                kind => kind.stream().is_some_and(|stream| gone.contains(&stream)),
            })?;
            untie(tx, user)?;
            messages::forget_writer(tx, user)?;
            sessions::close_all(tx, user, None)?;
            ingest_keys::forget(tx, user)?;
            api_tokens::revoke_all(tx, user)?;
            user::index_words(tx, &account, false)?;
            skeletons::index(tx, &account, false)?;
            tx.open_table(USERNAMES)?.remove(words::name_key(&account.username).as_str())?;
            tx.open_table(NOTIFICATIONS)?.retain_in(relation::of(user.number()), |_, _| false)?;
            // Restrictions on this account, and those in its own chats.
            let number = user.number();
            tx.open_table(RESTRICTIONS)?.retain(|(room, barred), _| room != number && barred != number)?;
            tx.open_table(AVATARS)?.remove(number)?;
            tx.open_table(PASSWORDS)?.remove(number)?;
            tx.open_table(USERS)?.remove(number)?;
            Ok(gone)
        })
    }
}

fn untie(tx: &WriteTransaction, user: UserId) -> Outcome<()> {
    let number = user.number();
    for (followed, _) in FOLLOWS.rights(tx, number)? {
        FOLLOWS.untie(tx, number, followed)?;
    }
    for (follower, _) in FOLLOWS.lefts(tx, number)? {
        FOLLOWS.untie(tx, follower, number)?;
    }
    for (stream, _) in REACTED.lefts(tx, number)? {
        reactions::set(tx, user, StreamId::from_number(stream), None)?;
    }
    for (stream, _) in WATCH_LIST.rights(tx, number)? {
        WATCH_LIST.untie(tx, number, stream)?;
    }
    Ok(())
}
