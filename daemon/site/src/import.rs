//! Restores a backup into a store without accounts, for `perchd import`. No daemon runs meanwhile, so it blocks.

use crate::accounts::passwords;
use crate::accounts::secret::Password;
use crate::backups;
use crate::sealing;
use perch_store::{Backup, Store, StoreError, Timestamp};
use std::io;
use std::path::Path;

/// What became of the stream keys in the backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealedKeys {
    /// It had none.
    None,
    /// They are restored.
    Opened,
    /// No password was given.
    LeftOut,
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The backup cannot be restored, or not into this store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A password in the backup would stop all logins.
    #[error("{0}")]
    Unusable(String),
    /// The password of the stream keys could not be read.
    #[error("the password of the stream keys")]
    Password(#[source] io::Error),
}

/// Restores the backup in `file` as the store at `path`. If it has sealed stream keys, `ask` gives their password, `None` to leave them
/// out; it gets how often it was asked before and gave a wrong one. Blocks.
///
/// # Errors
///
/// Nothing was changed then.
pub fn import(
    file: &Path,
    path: &Path,
    now: Timestamp,
    ask: impl Fn(u32) -> io::Result<Option<Password>>,
) -> Result<(Store, SealedKeys), ImportError> {
    let mut keys = SealedKeys::None;
    let store = Store::restore_prepared(file, path, now, |backup| {
        if let Some(why) = backups::excessive_hash(backup)? {
            return Err(ImportError::Unusable(why));
        }
        keys = open_keys(backup, ask)?;
        Ok(())
    })?;
    Ok((store, keys))
}

fn open_keys(
    backup: &Backup,
    ask: impl Fn(u32) -> io::Result<Option<Password>>,
) -> Result<SealedKeys, ImportError> {
    let Some(sealed) = backup.sealed_keys()? else { return Ok(SealedKeys::None) };
    for wrong in 0.. {
        let Some(password) = ask(wrong).map_err(ImportError::Password)? else { break };
        let derive = |salt| passwords::derive(&password, &salt);
        if let Some(keys) = sealing::opened(&sealed, derive) {
            backup.put_stream_keys(&keys)?;
            return Ok(SealedKeys::Opened);
        }
    }
    backup.put_stream_keys(&perch_store::StreamKeys::default())?;
    Ok(SealedKeys::LeftOut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::passwords::Passwords;
    use perch_store::{NewUser, PasswordHash, RelayKey, StoredRelay};
    use std::cell::Cell;

    const NOW: Timestamp = Timestamp::from_unix_millis(1_795_000_000_000);

    fn password(text: &str) -> Password {
        Password::new(text.to_owned())
    }

    fn store(dir: &Path, hash: &str) -> Store {
        let store = Store::open(&dir.join("old.redb")).unwrap();
        let new = NewUser {
            username: "ann".to_owned(),
            full_name: String::new(),
            email: String::new(),
            password: PasswordHash::new(hash),
        };
        store.create_owner(&new, NOW).unwrap();
        let relay = StoredRelay {
            name: "a".to_owned(),
            url: "rtmp://a/live".to_owned(),
            key: Some(RelayKey::new("KEY")),
            cameras: Vec::new(),
        };
        store.add_relay(&relay).unwrap();
        store
    }

    #[tokio::test]
    async fn sealed_keys_come_back_with_their_password_or_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let old = store(dir.path(), "x");
        let passwords = Passwords::start().unwrap();
        let sealed = sealing::seal(&passwords, password("horse"), &old.stream_keys().unwrap()).await.unwrap();
        let file = dir.path().join("backup");
        old.back_up_sealing(&file, &sealed, NOW).unwrap();
        let asked = Cell::new(0);
        let (right, none) = (Some(password("horse")), None);
        for (name, given, then) in [("one", right, SealedKeys::Opened), ("two", none, SealedKeys::LeftOut)] {
            let ask = |wrong| {
                asked.set(asked.get() + 1);
                Ok(if wrong == 0 { Some(password("cow")) } else { given.clone() })
            };
            let (restored, keys) = import(&file, &dir.path().join(name), NOW, ask).unwrap();
            assert_eq!(keys, then);
            let key = restored.relays().unwrap()[0].key.clone();
            assert_eq!(key.is_some(), then == SealedKeys::Opened);
        }
        assert_eq!(asked.get(), 4);
        let cannot = |_| Err(io::Error::other("no terminal"));
        let path = dir.path().join("three");
        assert!(matches!(import(&file, &path, NOW, cannot), Err(ImportError::Password(_))));
        assert!(!path.exists());
    }

    #[test]
    fn a_backup_with_a_hash_that_takes_hours_is_refused_and_names_the_account() {
        let dir = tempfile::tempdir().unwrap();
        let hash = "$argon2id$v=19$m=19456,t=4000000000,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g";
        let file = dir.path().join("backup");
        store(dir.path(), hash).back_up(&file, NOW).unwrap();
        let path = dir.path().join("new");
        let refused = import(&file, &path, NOW, |_| unreachable!()).unwrap_err();
        assert!(matches!(&refused, ImportError::Unusable(why) if why.contains("ann")), "{refused}");
        assert!(!path.exists());
    }
}
