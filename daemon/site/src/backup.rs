//! Backups of the whole site, made and restored for owners. A restore has two steps: the file is uploaded and checked,
//! which changes nothing; then the owner, who has seen its summary, replaces the site with it.
//! [`backups`](crate::backups) handles the files.

use crate::accounts::secret::Password;
use crate::actor::Actor;
use crate::backups::{BackupError, Turn};
use crate::error::SiteError;
use crate::microphones;
use crate::password;
use crate::relays;
use crate::sealing;
use crate::site::Site;
use perch_store::{BackupContents, Store, StreamKeys};
use std::fs::File;

/// A backup to download.
pub struct Outgoing {
    /// Its name is already removed, so it disappears when closed.
    pub file: File,
    /// Length of the file, in bytes.
    pub length: u64,
    /// Hold it until the file is closed: only one backup may exist at a time.
    pub turn: Turn,
}

/// Makes a backup. It contains passwords as hashes, and no logins; stream keys sealed with the actor's password, or not at all. The
/// console has no password to repeat: it could read the store itself.
///
/// # Errors
///
/// Those of [`password::confirm`], `Forbidden` unless the actor is an owner, `Busy` during another backup or restore, and
/// `Backup`.
pub async fn make(
    site: &Site,
    actor: &Actor,
    own: Password,
    seals_keys: bool,
) -> Result<Outgoing, SiteError> {
    actor.owner()?;
    if *actor != Actor::Console {
        password::confirm(site, actor, own.clone()).await?;
    }
    let (backups, now) = (site.backups.clone(), site.now());
    let turn = backups.turn()?;
    let sealed = if seals_keys {
        let keys = site.store(Store::stream_keys).await?;
        Some(sealing::seal(&site.accounts.passwords, own, &keys).await?)
    } else {
        None
    };
    let made = site.store(move |store| backups.make(store, sealed.as_deref(), now));
    let (file, length) = made.await?;
    tracing::info!("{actor} downloads a backup");
    Ok(Outgoing { file, length, turn })
}

/// A backup being uploaded.
pub struct Incoming {
    /// Receives its bytes.
    pub file: File,
    /// Hold it until [`look`] or [`give_up`].
    pub turn: Turn,
}

/// Prepares the upload of a backup. An earlier upload is discarded.
///
/// # Errors
///
/// `Unauthenticated`, `Forbidden`, `Busy` during another backup or restore, and `Backup`.
pub async fn begin(site: &Site, actor: &Actor) -> Result<Incoming, SiteError> {
    actor.owner()?;
    let backups = site.backups.clone();
    let turn = backups.turn()?;
    let file = site.store(move |_| backups.begin()).await?;
    Ok(Incoming { file, turn })
}

/// Checks the uploaded file as a whole; changes nothing else. Returns an id for the restore, a summary, and whether it has sealed stream keys. A file that cannot be
/// restored is deleted.
///
/// # Errors
///
/// `Backup`, also for a file that is not a backup.
pub async fn look(site: &Site, turn: Turn) -> Result<(String, BackupContents, bool), SiteError> {
    let (backups, now) = (site.backups.clone(), site.now());
    site.store(move |_| {
        // The request may be cancelled; the turn is held until the check has finished.
        let _turn = turn;
        let (id, contents) = backups.look(now)?;
        let has_keys = backups.sealed_keys(&id).is_some();
        Ok::<_, BackupError>((id, contents, has_keys))
    })
    .await
}

/// Discards an incomplete upload.
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

/// Discards the uploaded backup, if any.
///
/// # Errors
///
/// `Unauthenticated`, `Forbidden`, `Busy` during another backup or restore, and `Backup`.
pub async fn discard(site: &Site, actor: &Actor) -> Result<(), SiteError> {
    actor.owner()?;
    give_up(site, site.backups.turn()?).await
}

/// Replaces the whole site with the uploaded backup. Everyone has to log in again, with the password from the backup. Its stream keys come
/// back with the password that they were sealed with; without it they are left out.
///
/// # Errors
///
/// Those of [`password::confirm`]; `Field` for a wrong `keys_password`; `Refused` while a stream is on the air, because it would end; `Refused` with `NotFound` if no
/// backup has this id; `Busy` and `Backup`.
pub async fn restore(
    site: &Site,
    actor: &Actor,
    id: String,
    own: Password,
    keys_password: Option<Password>,
) -> Result<(), SiteError> {
    actor.owner()?;
    password::confirm(site, actor, own).await?;
    let keys = match (site.backups.sealed_keys(&id), keys_password) {
        (Some(sealed), Some(password)) => sealing::open(&site.accounts.passwords, password, &sealed).await?,
        _ => StreamKeys::default(),
    };
    let (backups, cameras, controls) = (site.backups.clone(), site.cameras.clone(), site.controls.clone());
    let (destinations, shared, ingest) = (site.relays.clone(), site.microphones.clone(), site.ingest.clone());
    let webhooks = site.webhooks.clone();
    let other_sites = site.other_sites.clone();
    let (turn, actor, now) = (backups.turn()?, actor.clone(), site.now());
    let restored = site.change_accounts(move |store| {
        let _turn = turn;
        backups.restore(store, &id, &keys, now)?;
        tracing::info!("{actor} has restored a backup");
        for camera in cameras.iter() {
            controls.keep(&camera.config.name, store.camera_controls(&camera.config.name)?);
        }
        microphones::load(store, cameras.iter().map(|camera| &*camera.config), &shared)?;
        relays::load(store, &destinations)?;
        ingest.load(store)?;
        webhooks.load(store)?;
        other_sites.load(store)?;
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
    use crate::ingest;
    use crate::testing::{PASSWORD, TestSite, password};
    use perch_store::{EndReason, Refusal, Role, StoreError};
    use std::io::Write as _;

    async fn bytes(site: &TestSite, owner: &Actor) -> Vec<u8> {
        let Outgoing { mut file, length, turn: _turn } =
            make(site, owner, password(PASSWORD), false).await.unwrap();
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
        look(site, turn).await.map(|(id, ..)| id)
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
        let other = restore(&site, &olga, "other".to_owned(), password(PASSWORD), None).await;
        assert!(is_refused(other, |refusal| matches!(refusal, Refusal::NotFound { .. })));
        restore(&site, &olga, id, password(PASSWORD), None).await.unwrap();
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
        let refused = restore(&site, &olga, id.clone(), password(PASSWORD), None).await;
        assert!(is_refused(refused, |refusal| matches!(refusal, Refusal::NotEnded { .. })));
        assert!(site.is_open(&olga).await);
        site.store.end_stream(stream, EndReason::User, site.now()).unwrap();
        restore(&site, &olga, id, password(PASSWORD), None).await.unwrap();
    }

    #[tokio::test]
    async fn owners_alone_make_and_restore_backups_one_at_a_time_and_with_their_password() {
        let site = TestSite::new();
        let olga = site.account("olga", Role::Owner).await;
        let ann = site.account("ann", Role::Streamer).await;
        assert!(matches!(make(&site, &ann, password(PASSWORD), false).await, Err(SiteError::Forbidden)));
        assert!(matches!(begin(&site, &ann).await, Err(SiteError::Forbidden)));
        assert!(matches!(discard(&site, &site.nobody).await, Err(SiteError::Unauthenticated)));
        let restored = restore(&site, &ann, "x".to_owned(), password(PASSWORD), None).await;
        assert!(matches!(restored, Err(SiteError::Forbidden)), "{restored:?}");
        assert!(matches!(
            make(&site, &olga, password("wrong one"), false).await,
            Err(SiteError::WrongPassword)
        ));
        let on_its_way = begin(&site, &olga).await.unwrap();
        assert!(matches!(begin(&site, &olga).await, Err(SiteError::Busy(_))));
        assert!(matches!(discard(&site, &olga).await, Err(SiteError::Busy(_))));
        give_up(&site, on_its_way.turn).await.unwrap();
        let refused = take_in(&site, &olga, b"not a backup").await;
        assert!(matches!(refused, Err(SiteError::Backup(BackupError::Unusable(_)))), "{refused:?}");
        discard(&site, &olga).await.unwrap();
    }

    #[tokio::test]
    async fn stream_keys_come_back_with_their_password_if_the_owner_wants_them() {
        let site = TestSite::new();
        let olga = site.account("olga", Role::Owner).await;
        let key = ingest::renew_key(&site, &olga).await.unwrap().key.unwrap();
        let outgoing = make(&site, &olga, password(PASSWORD), true).await.unwrap();
        let (mut file, mut bytes) = (outgoing.file, Vec::new());
        std::io::Read::read_to_end(&mut file, &mut bytes).unwrap();
        drop(outgoing.turn);
        let shown = key.expose().as_bytes();
        assert!(!bytes.windows(shown.len()).any(|window| window == shown));
        for (typed, expected) in [(Some(PASSWORD), Some(&key)), (None, None)] {
            let Incoming { mut file, turn } = begin(&site, &site.log_in("olga").await).await.unwrap();
            file.write_all(&bytes).unwrap();
            let (id, _, has_keys) = look(&site, turn).await.unwrap();
            assert!(has_keys);
            let olga = site.log_in("olga").await;
            let wrong = restore(&site, &olga, id.clone(), password(PASSWORD), Some(password("wrong"))).await;
            assert!(
                matches!(&wrong, Err(SiteError::Field(error)) if error.field == "keys_password"),
                "{wrong:?}"
            );
            restore(&site, &olga, id, password(PASSWORD), typed.map(password)).await.unwrap();
            let olga = site.log_in("olga").await;
            assert_eq!(ingest::show(&site, &olga).await.unwrap().key.as_ref(), expected);
        }
    }
}
