//! Accounts' doors: passwords, access and refresh tokens, who is logged in, attempts, the setup code. HTTP is not here (`http/auth`),
//! nor what is remembered of accounts (perch-store).

pub mod attempts;
pub mod logins;
pub mod passwords;
pub mod secret;
pub mod setup_code;
pub mod tokens;
pub mod upkeep;
pub mod wall_clock;

use attempts::Attempts;
use logins::Logins;
use passwords::Passwords;
use perch_store::{Store, StoreError};
use perch_studio::clock::Clock;
use setup_code::SetupCode;
use std::path::Path;
use std::sync::Arc;
use tokens::Tokens;
use wall_clock::WallClock;

/// Why nobody can log in.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    /// The signing key or the owner cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The setup code cannot be kept.
    #[error(transparent)]
    SetupCode(#[from] setup_code::SetupCodeError),
    /// No thread for hashing.
    #[error("cannot start the thread that checks passwords: {0}")]
    Thread(#[source] std::io::Error),
}

/// What guards the doors; one for the daemon.
pub struct Accounts {
    /// Hashes and checks passwords, one at a time.
    pub passwords: Passwords,
    /// Makes and reads access tokens.
    pub tokens: Tokens,
    /// Who is logged in.
    pub logins: Logins,
    /// Slows guessing down.
    pub attempts: Attempts,
    /// Notices when somebody sets the clock.
    pub wall_clock: WallClock,
    /// What makes the first owner.
    pub setup_code: SetupCode,
}

impl Accounts {
    /// Puts the guards up; makes the setup code where there is no owner yet.
    pub fn open(store: &Store, data_dir: &Path, clock: &Arc<dyn Clock>) -> Result<Self, AccountsError> {
        let setup_code = SetupCode::keep(data_dir, store.has_owner()?)?;
        Ok(Self {
            passwords: Passwords::start().map_err(AccountsError::Thread)?,
            tokens: Tokens::new(store.signing_key()?),
            logins: Logins::default(),
            attempts: Attempts::new(clock.clone()),
            wall_clock: WallClock::new(clock.clone()),
            setup_code,
        })
    }
}
