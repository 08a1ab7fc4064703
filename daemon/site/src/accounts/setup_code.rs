//! The setup code, which allows creating the first owner: people who can read the board's console, journal or disk may do so, and
//! nobody else on the LAN. It is in `setup-code` of the data directory, readable only by its owner, until setup is done.

use crate::removal::remove;
use rustix::fs::OFlags;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use subtle::ConstantTimeEq as _;

/// The file's name in the data directory.
pub const FILE: &str = "setup-code";
/// Crockford's base 32, whose letters cannot be confused with digits.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters of 5 bits: 50 bits suffice, since few attempts are possible.
const LENGTH: usize = 10;
/// Characters of a code that a person put there before the first start (`setup-code` of the card's wifi.txt), at most.
const LONGEST: usize = 64;
/// Bytes read of the file: a code with its separators.
const FILE_BYTES: u64 = 256;

/// Why there is no setup code.
#[derive(Debug, thiserror::Error)]
pub enum SetupCodeError {
    /// The file cannot be written.
    #[error("cannot write the setup code to {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The file system's error.
        source: std::io::Error,
    },
    /// The kernel has no random numbers.
    #[error("no random numbers for the setup code: {0}")]
    Randomness(getrandom::Error),
}

/// The code while it is valid.
pub struct SetupCode {
    path: PathBuf,
    code: Mutex<Option<String>>,
}

impl SetupCode {
    /// Reads the existing code, creates a missing one, removes it if there is an owner.
    pub fn keep(data_dir: &Path, has_owner: bool) -> Result<Self, SetupCodeError> {
        let path = data_dir.join(FILE);
        let code = if has_owner {
            None
        } else {
            let code = match read(&path) {
                Some(code) => code,
                None => write_new(&path)?,
            };
            tracing::info!("set Perch up with the code {code} (also in {})", path.display());
            Some(code)
        };
        let kept = Self { path, code: Mutex::new(code) };
        if has_owner {
            kept.forget();
        }
        Ok(kept)
    }

    /// True if this is the code, in any letter case and with or without dashes and spaces. Takes the same time for any
    /// text.
    pub fn is(&self, shown: &str) -> bool {
        let code = self.code.lock().expect("nothing panics while it holds the lock");
        let Some(code) = code.as_deref() else { return false };
        bool::from(plain(code).as_bytes().ct_eq(plain(shown).as_bytes()))
    }

    /// The code, for people who may have it; `None` once setup is done.
    pub fn shown(&self) -> Option<String> {
        self.code.lock().expect("nothing panics while it holds the lock").clone()
    }

    /// Invalidates the code, because setup is done.
    pub fn forget(&self) {
        *self.code.lock().expect("nothing panics while it holds the lock") = None;
        if let Err(error) = remove(&self.path) {
            tracing::warn!(%error, "cannot remove the used setup code {}", self.path.display());
        }
    }
}

/// The code in the data directory. Root reads it, too, to show it on the board's screen, and the folder is perchd's: so a link is not followed,
/// a pipe is not waited for, and no more is read than a code has. `None` if the file is invalid, setup has been done, or no daemon has run yet.
pub fn read(path: &Path) -> Option<String> {
    let opened = fs::OpenOptions::new()
        .read(true)
        .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
        .open(path);
    let mut text = String::new();
    opened.ok()?.take(FILE_BYTES).read_to_string(&mut text).ok()?;
    let code = text.trim();
    (LENGTH..=LONGEST).contains(&plain(code).len()).then(|| code.to_owned())
}

fn write_new(path: &Path) -> Result<String, SetupCodeError> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).map_err(SetupCodeError::Randomness)?;
    let mut code: String = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect();
    code.insert(LENGTH / 2, '-');
    let write = || {
        // It may be left from an interrupted run, with unknown permissions.
        remove(path)?;
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        writeln!(file, "{code}")?;
        file.sync_all()
    };
    write().map_err(|source| SetupCodeError::Write { path: path.to_owned(), source })?;
    Ok(code)
}

/// Normalises typed text: Crockford's mapping of letters that look like digits.
fn plain(code: &str) -> String {
    code.chars()
        .filter(char::is_ascii_alphanumeric)
        .take(LONGEST + 1)
        .map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            upper => upper,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_code_lies_in_a_file_for_its_owner_alone_until_it_is_used() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let kept = SetupCode::keep(dir.path(), false).unwrap();
        let code = read(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(kept.is(&code) && kept.is(&code.to_lowercase().replace('-', " ")));
        assert!(!kept.is("") && !kept.is(&code[1..]) && !kept.is(&format!("{code}0")));
        // A restart before setup keeps it.
        assert!(SetupCode::keep(dir.path(), false).unwrap().is(&code));
        kept.forget();
        assert!(!kept.is(&code) && !path.exists());
    }

    #[test]
    fn a_link_is_no_code() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        fs::write(dir.path().join("theirs"), "somebody's secret").unwrap();
        std::os::unix::fs::symlink("theirs", &path).unwrap();
        assert_eq!(read(&path), None);
    }

    #[test]
    fn a_code_of_ones_own_is_taken_when_it_is_long_enough() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), "Hens lay-eggs 4 me\n").unwrap();
        let kept = SetupCode::keep(dir.path(), false).unwrap();
        assert!(kept.is("hens lay eggs 4 me") && kept.is("HENSLAYEGGS4ME"));
        assert!(!kept.is("hens lay eggs 5 me") && !kept.is("hens lay eggs 4 me too"));
        for weak in ["short", "------------", &"x".repeat(65)] {
            fs::write(dir.path().join(FILE), weak).unwrap();
            assert!(!SetupCode::keep(dir.path(), false).unwrap().is(weak), "{weak}");
        }
    }

    #[test]
    fn with_an_owner_no_code_is_good() {
        let dir = tempfile::tempdir().unwrap();
        drop(SetupCode::keep(dir.path(), false).unwrap());
        let code = read(&dir.path().join(FILE)).unwrap();
        assert!(!SetupCode::keep(dir.path(), true).unwrap().is(&code));
        assert_eq!(read(&dir.path().join(FILE)), None);
    }
}
