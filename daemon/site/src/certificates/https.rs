//! HTTPS of this daemon: the owner's decision, the authority, the certificate that is shown; made, renewed and told.

use super::authority::{self, Authority, is_due, validity};
use super::folder::Folder;
use super::names::Names;
use perch_store::{HttpsSettings, Store};
use perch_studio::certificate::{Certificate, Certificates};
use perch_studio::clock::{Clock, next_round};
use perch_studio::faults::Faults;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;

/// The part named when the own certificate cannot be made or kept.
pub const PART: &str = "HTTPS";
/// Interval at which names, addresses and dates are looked at.
const ROUND: Duration = Duration::from_secs(30);

/// Lists the names and addresses of the machine now.
pub type ListNames = Arc<dyn Fn() -> Names + Send + Sync>;

/// Why the own certificate is not there.
#[derive(Debug, thiserror::Error)]
pub enum HttpsError {
    /// The card, or the folder's rights.
    #[error("the folder {0} cannot be read or written: {1}")]
    Folder(String, io::Error),
    /// The authority was kept, and cannot be read.
    #[error(transparent)]
    Damaged(#[from] authority::Damaged),
    /// The kernel gives no random numbers.
    #[error("no certificate can be made: {0}")]
    Signing(#[from] rcgen::Error),
    /// A fault of ours.
    #[error("the certificate that was made cannot be used: {0}")]
    Unusable(#[from] perch_studio::certificate::Unusable),
}

/// Where the certificate comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// There is none.
    Off,
    /// Files of the configuration.
    Files,
    /// Perch's own authority.
    Own,
}

/// What the authority is called, and what it can sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trusted {
    /// The name that devices show.
    pub name: String,
    /// SHA-256 of its certificate, as devices show it.
    pub fingerprint: String,
    /// The first 16 bytes of the same, for a profile's identifiers.
    pub mark: [u8; 16],
    /// Its certificate in DER.
    pub certificate: Vec<u8>,
    /// Its certificate in PEM.
    pub certificate_pem: String,
    /// Names and addresses of this machine that it cannot sign, because they came later.
    pub uncovered: Vec<String>,
}

/// HTTPS as people see it.
#[derive(Clone, Debug)]
pub struct Report {
    /// Where the certificate comes from.
    pub source: Source,
    /// The port of HTTPS.
    pub port: u16,
    /// The port of HTTP.
    pub http_port: u16,
    /// The certificate that is shown to browsers.
    pub certificate: Option<Arc<Certificate>>,
    /// Perch's own authority, once there is one, also while it is switched off.
    pub authority: Option<Trusted>,
    /// Whether browsers are led from HTTP to HTTPS.
    pub redirects: bool,
}

/// HTTPS of this daemon; clones share everything.
#[derive(Clone)]
pub struct Https(Arc<Shared>);

struct Shared {
    certificates: Certificates,
    /// Files of the configuration have the certificate.
    has_files: bool,
    folder: Folder,
    names: ListNames,
    faults: Faults,
    clock: Arc<dyn Clock>,
    configured_port: u16,
    addresses: OnceLock<watch::Receiver<Vec<SocketAddr>>>,
    http_port: OnceLock<u16>,
    own: Mutex<Own>,
}

#[derive(Default)]
struct Own {
    settings: HttpsSettings,
    authority: Option<Authority>,
    certificate: Option<Arc<Certificate>>,
}

impl Https {
    /// HTTPS that shows its certificates through `certificates`, and keeps them below `data_dir`.
    pub fn new(
        certificates: Certificates,
        has_files: bool,
        data_dir: &Path,
        port: u16,
        names: ListNames,
        faults: Faults,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self(Arc::new(Shared {
            certificates,
            has_files,
            folder: Folder::of(data_dir),
            names,
            faults,
            clock,
            configured_port: port,
            addresses: OnceLock::new(),
            http_port: OnceLock::new(),
            own: Mutex::default(),
        }))
    }

    /// Learns the listener's addresses, which may differ from the configuration's (port 0 is any), and the port of HTTP.
    pub fn listens_at(&self, addresses: watch::Receiver<Vec<SocketAddr>>, http_port: Option<u16>) {
        // There is one server.
        let _ = self.0.addresses.set(addresses);
        if let Some(port) = http_port {
            let _ = self.0.http_port.set(port);
        }
    }

    /// The port that browsers are led to: 443, if it is bound.
    pub fn port(&self) -> u16 {
        let bound = self.0.addresses.get().map(|addresses| addresses.borrow().clone()).unwrap_or_default();
        let ports = || bound.iter().map(SocketAddr::port);
        ports().find(|port| *port == 443).or_else(|| ports().next()).unwrap_or(self.0.configured_port)
    }

    /// True if browsers are to be led from HTTP to HTTPS.
    pub fn redirects(&self) -> bool {
        self.own().settings.redirects && self.0.certificates.now().is_some()
    }

    /// The certificate that is shown to those who connect; also for RTMPS.
    pub fn certificates(&self) -> &Certificates {
        &self.0.certificates
    }

    /// HTTPS as people see it.
    pub fn report(&self) -> Report {
        let (certificate, wanted) = (self.0.certificates.now(), (self.0.names)());
        let own = self.own();
        let source = match (&certificate, self.0.has_files) {
            (_, true) => Source::Files,
            (Some(_), false) => Source::Own,
            (None, false) => Source::Off,
        };
        let authority = own.authority.as_ref().map(|authority| {
            let covered = authority.covered(&wanted);
            let hosts = wanted.hosts.iter().filter(|host| !covered.hosts.contains(host)).cloned();
            let addresses = wanted.addresses.difference(&covered.addresses);
            let digest = authority.digest();
            Trusted {
                name: authority.name().to_owned(),
                fingerprint: authority.fingerprint(),
                mark: digest.first_chunk().copied().unwrap_or_default(),
                certificate: authority.certificate().to_vec(),
                certificate_pem: authority.certificate_pem().to_owned(),
                uncovered: hosts.chain(addresses.map(|network| network.address.to_string())).collect(),
            }
        });
        Report {
            source,
            port: self.port(),
            http_port: self.0.http_port.get().copied().unwrap_or(80),
            certificate,
            authority,
            redirects: own.settings.redirects,
        }
    }

    /// Takes the owner's decision out of the store, and shows a certificate of our own if that says so. Blocks.
    ///
    /// # Errors
    ///
    /// Those of the store. What is wrong with the certificate is told as a fault.
    pub fn load(&self, store: &Store) -> Result<(), perch_store::StoreError> {
        let settings = store.https()?;
        self.own().settings = settings;
        self.look();
        Ok(())
    }

    /// Makes and shows the own certificate if there has to be one. Blocks.
    pub(crate) fn look(&self) {
        if self.0.has_files {
            return;
        }
        let mut own = self.own();
        // The authority is also known while HTTPS is off: devices may trust it already.
        let looked = self
            .know_authority(&mut own)
            .and_then(|()| if own.settings.is_on { self.renew(&mut own) } else { Ok(()) });
        if !own.settings.is_on && self.0.certificates.now().is_some() {
            self.0.certificates.withdraw();
        }
        match looked {
            Ok(()) => self.0.faults.clear(PART),
            Err(error) => self.0.faults.tell(PART, &in_words(&error)),
        }
    }

    /// True if files of the configuration have the certificate.
    pub fn has_files(&self) -> bool {
        self.0.has_files
    }

    /// Makes another authority, for the names and networks of now. Blocks.
    ///
    /// # Errors
    ///
    /// [`HttpsError`]; the present one stays then.
    pub fn renew_authority(&self) -> Result<(), HttpsError> {
        let mut own = self.own();
        let made = Authority::new(&(self.0.names)())?;
        self.keep(&made)?;
        (own.authority, own.certificate) = (Some(made), None);
        drop(own);
        self.look();
        Ok(())
    }

    fn keep(&self, made: &Authority) -> Result<(), HttpsError> {
        self.0.folder.keep_authority(&made.to_pem()).map_err(|error| self.folder_error(error))?;
        tracing::info!("made the authority {} for HTTPS: {}", made.name(), made.fingerprint());
        Ok(())
    }

    /// Reads the kept authority and certificate.
    fn know_authority(&self, own: &mut Own) -> Result<(), HttpsError> {
        let folder = &self.0.folder;
        if own.authority.is_some() {
            return Ok(());
        }
        let Some(text) = folder.authority().map_err(|error| self.folder_error(error))? else { return Ok(()) };
        own.authority = Some(Authority::from_pem(&text)?);
        // A damaged certificate is made anew.
        let kept = folder.certificate().map_err(|error| self.folder_error(error))?;
        own.certificate =
            kept.and_then(|text| Certificate::from_pem(text.as_bytes(), text.as_bytes()).ok()).map(Arc::new);
        Ok(())
    }

    /// Makes what is missing or due, and shows it.
    fn renew(&self, own: &mut Own) -> Result<(), HttpsError> {
        let (wanted, now) = ((self.0.names)(), self.0.clock.wall());
        let authority = if let Some(authority) = &own.authority {
            authority
        } else {
            let made = Authority::new(&wanted)?;
            self.keep(&made)?;
            own.certificate = None;
            &*own.authority.insert(made)
        };
        let wanted = authority.covered(&wanted);
        let due = own.certificate.as_ref().map(|present| is_due(present, &wanted, now));
        if due != Some(None) {
            let made = self.issue(authority, &wanted, own.certificate.as_deref(), now)?;
            own.certificate = Some(Arc::new(made));
        }
        if let Some(certificate) = own.certificate.clone() {
            self.0.certificates.show_shared(certificate);
        }
        Ok(())
    }

    fn issue(
        &self,
        authority: &Authority,
        wanted: &Names,
        present: Option<&Certificate>,
        now: SystemTime,
    ) -> Result<Certificate, HttpsError> {
        let text = authority.issue(wanted, validity(present, now))?;
        let made = Certificate::from_pem(text.as_bytes(), text.as_bytes())?;
        self.0.folder.keep_certificate(&text).map_err(|error| self.folder_error(error))?;
        tracing::info!(
            "made the certificate of HTTPS for {}, good until {}",
            made.names.join(", "),
            perch_studio::certificate::day(made.not_after)
        );
        Ok(made)
    }

    fn folder_error(&self, error: io::Error) -> HttpsError {
        HttpsError::Folder(self.0.folder.shown(), error)
    }

    fn own(&self) -> MutexGuard<'_, Own> {
        self.0.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Renews the certificate when the machine gets names, when it will expire, and when the clock was set. Runs until it is dropped.
    pub async fn keep_up(self) {
        loop {
            next_round(&*self.0.clock, ROUND).await;
            let https = self.clone();
            // It ends only with the daemon.
            let _ = tokio::task::spawn_blocking(move || https.look()).await;
        }
    }
}

/// The error as a sentence that says what to do.
pub(crate) fn in_words(error: &HttpsError) -> String {
    match error {
        HttpsError::Damaged(_) => format!(
            "HTTPS does not work: {error}. Make a new authority under Settings, HTTPS; devices then have to trust that one."
        ),
        _ => format!("HTTPS does not work: {error}."),
    }
}
