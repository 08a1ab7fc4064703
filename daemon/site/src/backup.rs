//! Making a backup of everything that is remembered, and restoring one; for owners. A restore has two steps: a file is taken in and looked at, which
//! changes nothing; then the owner, who has seen what is in it, puts it in the place of what there is. The files are [`backups`](crate::backups)'.

use crate::accounts::secret::Password;
use crate::actor::Actor;
use crate::backups::{BackupError, Turn};
use crate::error::SiteError;
use crate::password;
use crate::site::Site;
use perch_store::BackupContents;
use std::fs::File;

/// A backup on its way out.
pub struct Outgoing {
    /// It has no name any more, and is gone when it is closed.
    pub file: File,
    /// Bytes.
    pub length: u64,
    /// To be held until the file is closed: there is one backup at a time.
    pub turn: Turn,
}

/// Makes a backup. Passwords are in it as hashes, logins are not.
///
/// # Errors
///
/// Those of [`password::confirm`], `Forbidden` for everybody but owners, `Busy` while another one is made or taken in, and `Backup`.
pub async fn make(site: &Site, actor: &Actor, own: Password) -> Result<Outgoing, SiteError> {
    actor.owner()?;
    password::confirm(site, actor, own).await?;
    let (backups, now) = (site.backups.clone(), site.now());
    let turn = backups.turn()?;
    let (file, length) = site.store(move |store| backups.make(store, now)).await?;
    tracing::info!("{actor} downloads a backup");
    Ok(Outgoing { file, length, turn })
}

/// A backup on its way in.
pub struct Incoming {
    /// Takes its bytes.
    pub file: File,
    /// To be held until [`look`] or [`give_up`].
    pub turn: Turn,
}

/// Makes room for a backup that is sent. What was taken in before is thrown away.
///
/// # Errors
///
/// `Unauthenticated`, `Forbidden`, `Busy` while another one is made or taken in, and `Backup`.
pub async fn begin(site: &Site, actor: &Actor) -> Result<Incoming, SiteError> {
    actor.owner()?;
    let backups = site.backups.clone();
    let turn = backups.turn()?;
    let file = site.store(move |_| backups.begin()).await?;
    Ok(Incoming { file, turn })
}

/// Looks at what has come as a whole; changes nothing else. Gives the id to restore it by, and what is in it. What cannot be restored is thrown away.
///
/// # Errors
///
/// `Backup`, also for a file that is none.
pub async fn look(site: &Site, turn: Turn) -> Result<(String, BackupContents), SiteError> {
    let (backups, now) = (site.backups.clone(), site.now());
    site.store(move |_| {
        // The request may be given up; its turn lasts until the file is looked at.
        let _turn = turn;
        backups.look(now)
    })
    .await
}

/// Throws away what has come of a backup that did not come whole.
///
/// # Errors
///
/// `Backup`.
pub async fn give_up(site: &Site, turn: Turn) -> Result<(), SiteError> {
    let backups = site.backups.clone();
    site.store(move |_| {
        let _turn = turn;
        backups.discard()
    })
    .await
}

/// Throws away the backup that was taken in, if one was.
///
/// # Errors
///
/// `Unauthenticated`, `Forbidden`, `Busy` while another one is made or taken in, and `Backup`.
pub async fn discard(site: &Site, actor: &Actor) -> Result<(), SiteError> {
    actor.owner()?;
    give_up(site, site.backups.turn()?).await
}

/// Puts the backup that was taken in in the place of all that is remembered. Everybody has to log in again, with the password of the backup.
///
/// # Errors
///
/// Those of [`password::confirm`]; `Refused` while a stream is on the air, so that nobody's stream ends by surprise; `Refused` with `NotFound` where
/// no backup has this id; `Busy` and `Backup`.
pub async fn restore(site: &Site, actor: &Actor, id: String, own: Password) -> Result<(), SiteError> {
    actor.owner()?;
    password::confirm(site, actor, own).await?;
    let (backups, cameras, controls) = (site.backups.clone(), site.cameras.clone(), site.controls.clone());
    let (turn, actor, now) = (backups.turn()?, actor.clone(), site.now());
    let restored = site.change_accounts(move |store| {
        let _turn = turn;
        backups.restore(store, &id, now)?;
        tracing::info!("{actor} has restored a backup");
        for camera in cameras.iter() {
            controls.keep(&camera.config.name, store.camera_controls(&camera.config.name)?);
        }
        Ok::<_, BackupError>(())
    });
    restored.await?;
    site.chat.look_again(None);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backups::read_on;
    use crate::testing::{PASSWORD, TestSite, password};
    use perch_store::{EndReason, Refusal, Role, StoreError};
    use std::io::Write as _;

    async fn bytes(site: &TestSite, owner: &Actor) -> Vec<u8> {
        let Outgoing { mut file, length, turn: _turn } = make(site, owner, password(PASSWORD)).await.unwrap();
        let mut bytes = Vec::new();
        loop {
            let (chunk, rest) = read_on(file).unwrap();
            file = rest;
            if chunk.is_empty() {
                assert_eq!(bytes.len() as u64, length);
                return bytes;
            }
            bytes.extend(chunk);
        }
    }

    async fn take_in(site: &TestSite, owner: &Actor, bytes: &[u8]) -> Result<String, SiteError> {
        let Incoming { mut file, turn } = begin(site, owner).await?;
        file.write_all(bytes).unwrap();
        look(site, turn).await.map(|(id, _)| id)
    }

    fn is_refused<T>(done: Result<T, SiteError>, why: impl Fn(&Refusal) -> bool) -> bool {
        match done {
            Err(
                SiteError::Refused(refusal)
                | SiteError::Backup(BackupError::Store(StoreError::Refused(refusal))),
            ) => why(&refusal),
            _ => false,
        }
    }

    #[tokio::test]
    async fn a_restore_brings_back_what_was_and_closes_every_login() {
        let site = TestSite::new();
        let olga = site.account("olga", Role::Owner).await;
        let ann = site.account("ann", Role::Streamer).await;
        let kept = bytes(&site, &olga).await;
        site.account("ben", Role::Viewer).await;
        let id = take_in(&site, &olga, &kept).await.unwrap();
        assert!(site.store.user_by_name("ben").is_ok(), "looking changes nothing");
        let other = restore(&site, &olga, "other".to_owned(), password(PASSWORD)).await;
        assert!(is_refused(other, |refusal| matches!(refusal, Refusal::NotFound { .. })));
        restore(&site, &olga, id, password(PASSWORD)).await.unwrap();
        assert!(site.store.user_by_name("ann").is_ok());
        assert!(site.store.user_by_name("ben").is_err());
        assert!(!site.is_open(&olga).await && !site.is_open(&ann).await);
    }

    #[tokio::test]
    async fn nothing_is_restored_while_a_stream_is_on_the_air() {
        let site = TestSite::new();
        let olga = site.account("olga", Role::Owner).await;
        let kept = bytes(&site, &olga).await;
        let id = take_in(&site, &olga, &kept).await.unwrap();
        let stream = site.stream(&olga, "front");
        let refused = restore(&site, &olga, id.clone(), password(PASSWORD)).await;
        assert!(is_refused(refused, |refusal| matches!(refusal, Refusal::NotEnded { .. })));
        assert!(site.is_open(&olga).await);
        site.store.end_stream(stream, EndReason::User, site.now()).unwrap();
        restore(&site, &olga, id, password(PASSWORD)).await.unwrap();
    }

    #[tokio::test]
    async fn owners_alone_make_and_restore_backups_one_at_a_time_and_with_their_password() {
        let site = TestSite::new();
        let olga = site.account("olga", Role::Owner).await;
        let ann = site.account("ann", Role::Streamer).await;
        assert!(matches!(make(&site, &ann, password(PASSWORD)).await, Err(SiteError::Forbidden)));
        assert!(matches!(begin(&site, &ann).await, Err(SiteError::Forbidden)));
        assert!(matches!(discard(&site, &site.nobody).await, Err(SiteError::Unauthenticated)));
        let restored = restore(&site, &ann, "x".to_owned(), password(PASSWORD)).await;
        assert!(matches!(restored, Err(SiteError::Forbidden)), "{restored:?}");
        assert!(matches!(make(&site, &olga, password("wrong one")).await, Err(SiteError::WrongPassword)));
        let on_its_way = begin(&site, &olga).await.unwrap();
        assert!(matches!(begin(&site, &olga).await, Err(SiteError::Busy(_))));
        assert!(matches!(discard(&site, &olga).await, Err(SiteError::Busy(_))));
        give_up(&site, on_its_way.turn).await.unwrap();
        let refused = take_in(&site, &olga, b"not a backup").await;
        assert!(matches!(refused, Err(SiteError::Backup(BackupError::Unusable(_)))), "{refused:?}");
        discard(&site, &olga).await.unwrap();
    }
}
