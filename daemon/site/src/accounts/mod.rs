//! Authentication: passwords, access and refresh tokens, open logins, failed attempts, the setup code. Not here: HTTP
//! (perch-web), and stored accounts (perch-store).

pub mod attempts;
pub mod logins;
pub mod passwords;
pub mod secret;
pub mod setup_code;
pub mod token_uses;
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
use token_uses::TokenUses;
use tokens::Tokens;
use wall_clock::WallClock;

/// Why authentication cannot start.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    /// The signing key or the owner cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The setup code cannot be written.
    #[error(transparent)]
    SetupCode(#[from] setup_code::SetupCodeError),
    /// The hashing thread cannot be started.
    #[error("cannot start the thread that checks passwords: {0}")]
    Thread(#[source] std::io::Error),
}

/// The parts of authentication; one set for the daemon.
pub struct Accounts {
    /// Hashes and checks passwords, one at a time.
    pub passwords: Passwords,
    /// Issues and checks access tokens.
    pub tokens: Tokens,
    /// Open logins, and API tokens in use.
    pub logins: Logins,
    /// When API tokens were last used.
    pub token_uses: TokenUses,
    /// Slows down guessing.
    pub attempts: Attempts,
    /// Notices when the clock is set.
    pub wall_clock: WallClock,
    /// Allows creating the first owner.
    pub setup_code: SetupCode,
}

impl Accounts {
    /// Starts authentication; creates the setup code if there is no owner yet.
    pub fn open(store: &Store, data_dir: &Path, clock: &Arc<dyn Clock>) -> Result<Self, AccountsError> {
        let setup_code = SetupCode::keep(data_dir, store.has_owner()?)?;
        Ok(Self {
            passwords: Passwords::start().map_err(AccountsError::Thread)?,
            tokens: Tokens::new(store.signing_key()?),
            logins: Logins::default(),
            token_uses: TokenUses::default(),
            attempts: Attempts::new(clock.clone()),
            wall_clock: WallClock::new(clock.clone()),
            setup_code,
        })
    }
}
