//! Switches the board off. perchd has no right to do so: it writes a file into its runtime directory, and systemd's
//! `perch-poweroff.path` acts on it.

use std::path::PathBuf;

/// The file's name in the runtime directory; `perch-poweroff.path` watches for it.
const WORD: &str = "poweroff";

pub(super) const NOBODY_HEEDS: &str = "The button was held to switch the board off, but nothing happened: \
    enable perch-poweroff.path (sudo systemctl enable --now perch-poweroff.path).";

/// Asks for the board to be switched off.
#[derive(Clone, Debug)]
pub struct PowerSwitch {
    /// systemd's `RuntimeDirectory=`; `None` without a service manager.
    directory: Option<PathBuf>,
}

/// Why the board stays on.
#[derive(Debug, thiserror::Error)]
pub(super) enum PowerError {
    #[error(
        "The button was held to switch the board off, but that works only if Perch runs as a systemd service."
    )]
    NoService,
    #[error("The button was held to switch the board off, but {} cannot be written: {source}.", path.display())]
    Word { path: PathBuf, source: std::io::Error },
}

impl PowerSwitch {
    /// `directories` is systemd's `RUNTIME_DIRECTORY`: absolute paths, separated by colons.
    pub fn new(directories: Option<&str>) -> Self {
        let first = directories.and_then(|all| all.split(':').next());
        Self { directory: first.filter(|directory| directory.starts_with('/')).map(PathBuf::from) }
    }

    fn word(&self) -> Option<PathBuf> {
        self.directory.as_ref().map(|directory| directory.join(WORD))
    }

    pub(super) fn switch_off(&self) -> Result<(), PowerError> {
        let path = self.word().ok_or(PowerError::NoService)?;
        std::fs::write(&path, "the button was held\n").map_err(|source| PowerError::Word { path, source })
    }

    /// Removes the file that nothing acted on.
    pub(super) fn take_back(&self) {
        if let Some(path) = self.word()
            && let Err(error) = std::fs::remove_file(&path)
        {
            tracing::warn!("cannot remove {}: {error}", path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_where_the_unit_looks_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let named = format!("{}:/run/other", dir.path().display());
        PowerSwitch::new(Some(&named)).switch_off().unwrap();
        assert!(dir.path().join("poweroff").exists());
        let unit = include_str!("../../../../systemd/perch-poweroff.path");
        assert!(unit.lines().any(|line| line == "PathExists=/run/perch/poweroff"));
        let service = include_str!("../../../../systemd/perchd.service");
        assert!(service.lines().any(|line| line == "RuntimeDirectory=perch"));
    }

    #[test]
    fn without_a_service_manager_it_is_said() {
        for none in [None, Some(""), Some("relative")] {
            let why = PowerSwitch::new(none).switch_off().unwrap_err().to_string();
            assert!(why.contains("systemd service"), "{why}");
        }
        let why = PowerSwitch::new(Some("/nowhere/at/all")).switch_off().unwrap_err().to_string();
        assert!(why.contains("/nowhere/at/all/poweroff cannot be written"), "{why}");
    }
}
