//! Hashes passwords with Argon2id (RFC 9106): 19 MiB of memory, two passes, one lane, as OWASP advises for small servers. One
//! thread does this at low priority, so that a login never costs the stream a frame.

use super::secret::Password;
use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use perch_store::PasswordHash;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use tokio::sync::oneshot;

/// Waiting hashes: at 50 ms to 500 ms each, as long as a person waits.
const QUEUE: usize = 16;
/// The most memory that a hash of ours may ask for, KiB. Ours ask for 19 MiB; a hash comes from a backup that anybody may have made.
const MEMORY_MOST: u32 = 64 << 10;
/// The most work: memory in KiB times passes. Four times that of ours, which is two seconds on the slowest board.
const WORK_MOST: u64 = 4 * 19 * 1024 * 2;
/// The most lanes, each of which needs four blocks of memory.
const LANES_MOST: u32 = 4;

/// Niceness of the hashing thread: everything else goes first.
const NICE: i32 = 15;

/// More people log in at once than can be served in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many people are logging in at once")]
pub struct Busy;

enum Job {
    Hash(Password, oneshot::Sender<PasswordHash>),
    Check(Password, Option<PasswordHash>, oneshot::Sender<bool>),
    Derive(Password, [u8; 16], oneshot::Sender<[u8; 32]>),
}

/// A handle of the hashing thread, which ends when the handle is dropped.
pub struct Passwords(SyncSender<Job>);

impl Passwords {
    /// Starts the thread.
    pub fn start() -> std::io::Result<Self> {
        let (jobs, waiting) = sync_channel(QUEUE);
        std::thread::Builder::new().name("passwords".to_owned()).spawn(move || work(&waiting))?;
        Ok(Self(jobs))
    }

    /// Hashes a password for storage.
    pub async fn hash(&self, password: Password) -> Result<PasswordHash, Busy> {
        let (reply, hashed) = oneshot::channel();
        self.0.try_send(Job::Hash(password, reply)).map_err(|_| Busy)?;
        hashed.await.map_err(|_| Busy)
    }

    /// True if the hash belongs to the password. For `None` (an unknown name) it is false, after the same time.
    pub async fn check(&self, password: Password, hash: Option<PasswordHash>) -> Result<bool, Busy> {
        let (reply, checked) = oneshot::channel();
        self.0.try_send(Job::Check(password, hash, reply)).map_err(|_| Busy)?;
        checked.await.map_err(|_| Busy)
    }

    /// A key for encryption, out of a password and a salt.
    pub async fn derive(&self, password: Password, salt: [u8; 16]) -> Result<[u8; 32], Busy> {
        let (reply, derived) = oneshot::channel();
        self.0.try_send(Job::Derive(password, salt, reply)).map_err(|_| Busy)?;
        derived.await.map_err(|_| Busy)
    }
}

fn work(waiting: &Receiver<Job>) {
    // On Linux this affects only the calling thread. If it is forbidden, hashing runs at normal priority.
    let _ = rustix::process::setpriority_process(None, NICE);
    let argon2 = argon2();
    // A hash that costs too much is of no password, after the time that any other takes.
    let dummy = hash(&argon2, "");
    while let Ok(job) = waiting.recv() {
        match job {
            // The request was cancelled.
            Job::Hash(_, reply) if reply.is_closed() => {}
            Job::Derive(password, salt, reply) => {
                // The request may have been cancelled.
                let _ = reply.send(derive(&password, &salt));
            }
            Job::Check(_, _, reply) if reply.is_closed() => {}
            Job::Hash(password, reply) => {
                let _ = hash(&argon2, password.expose()).map(|hash| reply.send(hash));
            }
            Job::Check(password, kept, reply) => {
                let usable = kept.as_ref().filter(|kept| !costs_too_much(kept));
                if usable.is_none() && kept.is_some() {
                    tracing::warn!(
                        "a password hash costs too much to check; `perchd user passwd` replaces it"
                    );
                }
                let matches =
                    usable.or(dummy.as_ref()).is_some_and(|against| is_of(&argon2, against, &password));
                let _ = reply.send(matches && usable.is_some());
            }
        }
    }
}

/// A key for encryption, out of a password and a salt. Blocks for as long as checking a password.
pub(crate) fn derive(password: &Password, salt: &[u8; 16]) -> [u8; 32] {
    let mut key = [0; 32];
    argon2()
        .hash_password_into(password.expose().as_bytes(), salt, &mut key)
        .expect("the lengths of key and salt are in Argon2's ranges");
    key
}

/// True for a hash whose check would take much more time or memory than one that this code makes. A text that is no hash costs nothing.
pub fn costs_too_much(hash: &PasswordHash) -> bool {
    let Ok(hash) = phc::PasswordHash::new(hash.expose()) else { return false };
    let Ok(params) = Params::try_from(&hash) else { return false };
    let work = u64::from(params.m_cost()) * u64::from(params.t_cost());
    params.m_cost() > MEMORY_MOST || work > WORK_MOST || params.p_cost() > LANES_MOST
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(19 * 1024, 2, 1, None).expect("these parameters are in Argon2's ranges");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// `None` if the kernel has no random numbers; then no account can be created.
fn hash(argon2: &Argon2<'_>, password: &str) -> Option<PasswordHash> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).inspect_err(|error| tracing::error!(%error, "no salt for a password")).ok()?;
    let hash: phc::PasswordHash = argon2
        .hash_password_with_salt(password.as_bytes(), &salt)
        .inspect_err(|error| tracing::error!(%error, "cannot hash a password"))
        .ok()?;
    Some(PasswordHash::new(hash.to_string()))
}

fn is_of(argon2: &Argon2<'_>, hash: &PasswordHash, password: &Password) -> bool {
    let Ok(hash) = phc::PasswordHash::new(hash.expose()) else { return false };
    argon2.verify_password(password.expose().as_bytes(), &hash).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text.to_owned())
    }

    #[tokio::test]
    async fn a_hash_is_of_its_password_alone() {
        let passwords = Passwords::start().unwrap();
        let hash = passwords.hash(password("correct horse")).await.unwrap();
        assert!(hash.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.expose());
        assert_eq!(passwords.check(password("correct horse"), Some(hash.clone())).await, Ok(true));
        assert_eq!(passwords.check(password("correct house"), Some(hash.clone())).await, Ok(false));
        assert_ne!(passwords.hash(password("correct horse")).await.unwrap(), hash);
    }

    #[tokio::test]
    async fn a_hash_that_takes_hours_stops_nobody_else() {
        let passwords = Passwords::start().unwrap();
        let made = passwords.hash(password("correct horse")).await.unwrap();
        let with = |parameters: &str| PasswordHash::new(made.expose().replace("m=19456,t=2,p=1", parameters));
        for parameters in
            ["m=19456,t=4000000000,p=1", "m=4000000000,t=1,p=1", "m=65537,t=1,p=1", "m=8,t=4294967295,p=1"]
        {
            let costly = with(parameters);
            assert!(costs_too_much(&costly), "{parameters}");
            assert_eq!(passwords.check(password("correct horse"), Some(costly)).await, Ok(false));
        }
        assert!(!costs_too_much(&made) && !costs_too_much(&with("m=65536,t=2,p=4")));
        assert!(!costs_too_much(&PasswordHash::new("damaged")));
        assert_eq!(passwords.check(password("correct horse"), Some(made)).await, Ok(true));
    }

    #[tokio::test]
    async fn nobody_has_no_password() {
        let passwords = Passwords::start().unwrap();
        assert_eq!(passwords.check(password(""), None).await, Ok(false));
        assert_eq!(passwords.check(password(""), Some(PasswordHash::new("damaged"))).await, Ok(false));
    }

    #[tokio::test]
    async fn who_comes_to_a_full_queue_is_sent_away() {
        // A queue without a thread.
        let (jobs, _waiting) = sync_channel(1);
        let passwords = Passwords(jobs);
        let first = passwords.check(password("a"), None);
        tokio::select! {
            biased;
            _ = first => panic!("nobody answers"),
            () = std::future::ready(()) => {}
        }
        assert_eq!(passwords.hash(password("b")).await, Err(Busy));
    }
}
