//! The folder `tls` in the data directory: the authority with its key, and the site's certificate with its key, a file each, so that the two halves
//! always fit together. Only perchd's user can read them. A power cut leaves the old file or the new one. Backups do not hold them.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

const AUTHORITY: &str = "authority.pem";
const CERTIFICATE: &str = "certificate.pem";

/// The folder; created with the first file.
#[derive(Clone, Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn of(data_dir: &Path) -> Self {
        Self(data_dir.join("tls"))
    }

    pub(super) fn authority(&self) -> io::Result<Option<String>> {
        self.read(AUTHORITY)
    }

    pub(super) fn certificate(&self) -> io::Result<Option<String>> {
        self.read(CERTIFICATE)
    }

    pub(super) fn keep_authority(&self, text: &str) -> io::Result<()> {
        self.write(AUTHORITY, text)
    }

    pub(super) fn keep_certificate(&self, text: &str) -> io::Result<()> {
        self.write(CERTIFICATE, text)
    }

    /// The folder's path, for people.
    pub(super) fn shown(&self) -> String {
        self.0.display().to_string()
    }

    fn read(&self, name: &str) -> io::Result<Option<String>> {
        match fs::read_to_string(self.0.join(name)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        let new = self.0.join(format!("{name}.new"));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        // It may be left of a power cut, or come from elsewhere.
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, self.0.join(name))?;
        File::open(&self.0)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_for_perchd_alone_whatever_was_there_before() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::of(dir.path());
        assert_eq!(folder.authority().unwrap(), None);
        folder.keep_authority("one").unwrap();
        fs::write(dir.path().join("tls/authority.pem.new"), "half").unwrap();
        fs::set_permissions(dir.path().join("tls/authority.pem.new"), fs::Permissions::from_mode(0o644))
            .unwrap();
        assert_eq!(folder.authority().unwrap().as_deref(), Some("one"));
        folder.keep_authority("two").unwrap();
        folder.keep_certificate("three").unwrap();
        assert_eq!(folder.authority().unwrap().as_deref(), Some("two"));
        let mode = |path: &str| fs::metadata(dir.path().join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (mode("tls"), mode("tls/authority.pem"), mode("tls/certificate.pem")),
            (0o700, 0o600, 0o600)
        );
    }
}
