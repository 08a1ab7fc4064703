//! A certificate in files that another program renews: acme.sh, certbot, Caddy, Tailscale. They are looked at every few seconds, which needs no
//! inotify and works over links and network file systems.

use super::x509::{Certificate, Certificates, day};
use crate::clock::{Clock, next_round};
use crate::faults::Faults;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The part named when the certificate cannot be used.
pub const PART: &str = "certificate";
/// Interval between two looks.
const ROUND: Duration = Duration::from_secs(5);
/// A chain of ten certificates has 20 kB.
const FILE_MOST: u64 = 1 << 20;
/// 2026-01-01: a clock that shows an earlier time was never set.
const CLOCK_IS_SET: Duration = Duration::from_hours(490_896);

/// Where certificate and key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The server's certificate, followed by those that signed it; PEM.
    pub certificate: PathBuf,
    /// Its private key; PEM. It may be the same file.
    pub key: PathBuf,
}

/// What tells one version of a file from the next: device, inode, size, and time of change to the nanosecond.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

fn stamp(file: &Path) -> Stamp {
    let known = std::fs::metadata(file).ok()?;
    Some((known.dev(), known.ino(), known.size(), known.mtime(), known.mtime_nsec()))
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(FILE_MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl CertificateFiles {
    /// Reads both. The error is a sentence that says what to do.
    pub fn read(&self) -> Result<Certificate, String> {
        let (chain, key) = (self.certificate.display(), self.key.display());
        let unreadable = |error: &io::Error, file: &Path, secret: bool| {
            let file = file.display();
            let way_out = match error.kind() {
                io::ErrorKind::PermissionDenied if secret => {
                    format!(
                        "; let perchd's group read it, and nobody else: chgrp perch {file}; chmod 640 {file}"
                    )
                }
                io::ErrorKind::PermissionDenied => format!("; let perchd read it: chmod 644 {file}"),
                io::ErrorKind::NotFound => "; check tls.certificate_file and tls.key_file".to_owned(),
                _ => String::new(),
            };
            format!("TLS does not work: {file} cannot be read ({error}){way_out}.")
        };
        let chain_bytes =
            read(&self.certificate).map_err(|error| unreadable(&error, &self.certificate, false))?;
        let key_bytes = read(&self.key).map_err(|error| unreadable(&error, &self.key, true))?;
        Certificate::from_pem(&chain_bytes, &key_bytes).map_err(|error| {
            format!("TLS does not work with the certificate {chain} and the key {key}: {error}.")
        })
    }

    fn stamps(&self) -> [Stamp; 2] {
        [stamp(&self.certificate), stamp(&self.key)]
    }

    /// Shows the certificate of the files, and each later one that can be used. Runs until it is dropped.
    pub async fn follow(self, certificates: Certificates, faults: Faults, clock: Arc<dyn Clock>) {
        let mut following = Following { files: self, stamps: None, is_used: false, said: None };
        loop {
            let (certificates, faults, now) = (certificates.clone(), faults.clone(), clock.wall());
            let looked = tokio::task::spawn_blocking(move || {
                following.look(&certificates, &faults, now);
                following
            });
            let Ok(next) = looked.await else { return };
            following = next;
            next_round(&*clock, ROUND).await;
        }
    }
}

/// What the last look found.
struct Following {
    files: CertificateFiles,
    stamps: Option<[Stamp; 2]>,
    /// The files of these stamps are shown.
    is_used: bool,
    /// Why they are not.
    said: Option<String>,
}

impl Following {
    /// Blocks.
    fn look(&mut self, certificates: &Certificates, faults: &Faults, now: SystemTime) {
        let stamps = self.files.stamps();
        let is_new = self.stamps != Some(stamps);
        if is_new || !self.is_used {
            self.stamps = Some(stamps);
            match self.files.read() {
                Ok(certificate) => {
                    tracing::info!(
                        "the certificate of {} is good until {}",
                        certificate.names.join(", "),
                        day(certificate.not_after)
                    );
                    certificates.show(certificate);
                    (self.is_used, self.said) = (true, None);
                }
                Err(words) => (self.is_used, self.said) = (false, Some(words)),
            }
        }
        // One file is replaced before the other: while there is a certificate to show, what is wrong counts from the second look on.
        let is_passing = is_new && certificates.now().is_some();
        match self.said.clone().or_else(|| out_of_date(certificates, now)) {
            Some(words) if !is_passing => faults.tell(PART, &words),
            Some(_) => {}
            None => faults.clear(PART),
        }
    }
}

/// What is wrong with the dates of the certificate that is shown, by a clock that was set.
fn out_of_date(certificates: &Certificates, now: SystemTime) -> Option<String> {
    let shown = certificates.now().filter(|_| now >= UNIX_EPOCH + CLOCK_IS_SET)?;
    if now > shown.not_after {
        let day = day(shown.not_after);
        return Some(format!(
            "The certificate expired on {day}, so browsers refuse it: renew it. Perch takes the new files up by itself."
        ));
    }
    (now < shown.not_before).then(|| {
        format!(
            "The certificate is not valid before {}, so browsers refuse it: is this board's clock right?",
            day(shown.not_before)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::x509::tests::made;
    use super::*;

    struct Folder {
        dir: tempfile::TempDir,
        following: Following,
        certificates: Certificates,
        faults: Faults,
    }

    impl Folder {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let files = CertificateFiles {
                certificate: dir.path().join("full.pem"),
                key: dir.path().join("key.pem"),
            };
            let following = Following { files, stamps: None, is_used: false, said: None };
            Self { dir, following, certificates: Certificates::default(), faults: Faults::default() }
        }

        /// Writes both as the programs do: a new file takes the old one's name.
        fn renew(&self, chain: Option<&str>, key: Option<&str>) {
            for (name, text) in [("full.pem", chain), ("key.pem", key)] {
                let Some(text) = text else { continue };
                let new = self.dir.path().join("new");
                std::fs::write(&new, text).unwrap();
                std::fs::rename(new, self.dir.path().join(name)).unwrap();
            }
        }

        /// Looks in that year; the fault.
        fn look(&mut self, year: u64) -> Option<String> {
            let now = UNIX_EPOCH + Duration::from_hours((year - 1970) * 8766);
            self.following.look(&self.certificates, &self.faults, now);
            self.faults.of(PART)
        }

        fn shown(&self) -> Vec<String> {
            self.certificates.now().map_or_else(Vec::new, |shown| shown.names.clone())
        }
    }

    #[test]
    fn a_renewed_certificate_is_taken_up_also_when_its_key_comes_later() {
        let mut folder = Folder::new();
        let said = folder.look(2027).unwrap();
        assert!(
            said.contains("full.pem cannot be read") && said.contains("check tls.certificate_file"),
            "{said}"
        );
        let (chain, key) = made(&["a.example.org"], [2020, 2040]);
        folder.renew(Some(&chain), Some(&key));
        assert_eq!((folder.look(2027), folder.shown()), (None, vec!["a.example.org".to_owned()]));
        let (chain, key) = made(&["b.example.org"], [2020, 2040]);
        folder.renew(Some(&chain), None);
        assert_eq!((folder.look(2027), folder.shown()), (None, vec!["a.example.org".to_owned()]));
        folder.renew(None, Some(&key));
        assert_eq!((folder.look(2027), folder.shown()), (None, vec!["b.example.org".to_owned()]));
    }

    #[test]
    fn files_that_do_not_fit_are_told_and_the_one_before_is_shown() {
        let mut folder = Folder::new();
        let (chain, key) = made(&["a.example.org"], [2020, 2040]);
        folder.renew(Some(&chain), Some(&key));
        assert_eq!(folder.look(2027), None);
        folder.renew(Some(&made(&["b.example.org"], [2020, 2040]).0), None);
        assert_eq!(folder.look(2027), None);
        let said = folder.look(2027).unwrap();
        assert!(said.contains("the key belongs to another certificate"), "{said}");
        assert_eq!(folder.shown(), ["a.example.org"]);
        folder.renew(Some(&chain), None);
        assert_eq!(folder.look(2027), None);
    }

    #[test]
    fn dates_are_judged_by_a_clock_that_was_set() {
        let mut folder = Folder::new();
        let (chain, key) = made(&["a.example.org"], [2028, 2029]);
        folder.renew(Some(&chain), Some(&key));
        assert_eq!(folder.look(1971), None);
        assert!(folder.look(2027).unwrap().contains("not valid before 2028-01-01"));
        assert_eq!(folder.look(2028), None);
        assert!(
            folder.look(2031).unwrap().contains("expired on 2029-01-01, so browsers refuse it: renew it")
        );
        let (chain, key) = made(&["a.example.org"], [2030, 2033]);
        folder.renew(Some(&chain), Some(&key));
        assert_eq!(folder.look(2031), None);
    }
}
