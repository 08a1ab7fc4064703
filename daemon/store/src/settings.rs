//! Changing the owner's settings; settings of cameras; the key that signs access tokens.

use crate::failure::{Failure, Outcome};
use crate::record::{self, Record};
use crate::site_settings::{SITE, Settings, read};
use crate::tables::SETTINGS;
use crate::writing::WriteTransaction;
use crate::{Refusal, Store, StoreError, relays, stream_keys};
use redb::{ReadTransaction, ReadableTable as _};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

const SIGNING_KEY: &str = "signing_key";
/// Controls kept for one camera; the kernel has fewer.
const CONTROLS_MOST: usize = 256;

const CONTROLS: &str = "camera_controls/";
const MICROPHONE: &str = "camera_microphone/";

/// The key under which a camera's controls are stored.
fn controls_of(camera: &str) -> String {
    format!("{CONTROLS}{camera}")
}

/// The key under which a camera's microphone is stored.
fn microphone_of(camera: &str) -> String {
    format!("{MICROPHONE}{camera}")
}

/// A camera's control settings, by the controls' names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct CameraControls(BTreeMap<String, i32>);

impl Record for CameraControls {
    const NAME: &'static str = "camera's controls";
    const VERSION: u8 = 1;
}

/// What people set for a camera's microphone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CameraMicrophone {
    /// Its sound is silence.
    pub muted: bool,
    /// Added to its loudness, dB.
    pub gain_db: i32,
}

impl Record for CameraMicrophone {
    const NAME: &'static str = "camera's microphone";
    const VERSION: u8 = 1;
}

/// 256 random bits that sign access tokens; never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey([u8; 32]);

impl SigningKey {
    /// The key's bytes.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

impl Store {
    /// The site's settings.
    pub fn settings(&self) -> Result<Settings, StoreError> {
        self.read(read)
    }

    /// Changes the site's settings: `change` gets the present ones.
    pub fn change_settings(&self, change: impl Fn(&mut Settings)) -> Result<Settings, StoreError> {
        self.write(|tx| {
            let mut settings = read(tx)?;
            change(&mut settings);
            record::put(tx, SETTINGS, SITE, &settings)?;
            Ok(settings)
        })
    }

    /// A camera's control settings, by the controls' names. They are kept because cameras forget them without power.
    pub fn camera_controls(&self, camera: &str) -> Result<BTreeMap<String, i32>, StoreError> {
        self.read(|tx| {
            let kept: Option<CameraControls> = record::get(tx, SETTINGS, controls_of(camera).as_str())?;
            Ok(kept.unwrap_or_default().0)
        })
    }

    /// Adds the new settings to the earlier ones; returns all.
    pub fn keep_camera_controls(
        &self,
        camera: &str,
        set: &BTreeMap<String, i32>,
    ) -> Result<BTreeMap<String, i32>, StoreError> {
        self.write(|tx| {
            let key = controls_of(camera);
            let kept: Option<CameraControls> = record::get(tx, SETTINGS, key.as_str())?;
            let mut kept = kept.unwrap_or_default();
            kept.0.extend(set.iter().map(|(control, value)| (control.clone(), *value)));
            if kept.0.len() > CONTROLS_MOST {
                return Err(Refusal::TooMany { what: "controls of a camera", most: CONTROLS_MOST }.into());
            }
            record::put(tx, SETTINGS, key.as_str(), &kept)?;
            Ok(kept.0)
        })
    }

    /// What people set for a camera's microphone; `None` until they set something.
    pub fn camera_microphone(&self, camera: &str) -> Result<Option<CameraMicrophone>, StoreError> {
        self.read(|tx| record::get(tx, SETTINGS, microphone_of(camera).as_str()))
    }

    /// Keeps what people set for a camera's microphone.
    pub fn keep_camera_microphone(&self, camera: &str, set: CameraMicrophone) -> Result<(), StoreError> {
        self.write(|tx| record::put(tx, SETTINGS, microphone_of(camera).as_str(), &set))
    }

    /// The signing key: created at random on the first call, and kept from then on.
    pub fn signing_key(&self) -> Result<SigningKey, StoreError> {
        self.write(signing_key)
    }
}

pub(crate) fn signing_key(tx: &WriteTransaction) -> Outcome<SigningKey> {
    let kept = tx.open_table(SETTINGS)?.get(SIGNING_KEY)?.map(|key| key_of(key.value()));
    if let Some(kept) = kept {
        return kept;
    }
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| Failure::Randomness(error.to_string()))?;
    let key = SigningKey(key);
    put_signing_key(tx, &key)?;
    Ok(key)
}

fn key_of(bytes: &[u8]) -> Outcome<SigningKey> {
    let damaged = |_| Failure::Damaged("the signing key has a wrong length".to_owned());
    bytes.try_into().map(SigningKey).map_err(damaged)
}

pub(crate) fn put_signing_key(tx: &WriteTransaction, key: &SigningKey) -> Outcome<()> {
    tx.open_table(SETTINGS)?.insert(SIGNING_KEY, &key.0[..])?;
    Ok(())
}

pub(crate) fn forget_signing_key(tx: &WriteTransaction) -> Outcome<()> {
    tx.open_table(SETTINGS)?.remove(SIGNING_KEY)?;
    Ok(())
}

/// Settings without secrets: neither the signing key nor keys of relays.
pub(crate) fn copy_without_keys(from: &ReadTransaction, to: &WriteTransaction) -> Outcome<()> {
    let mut copy = to.open_table(SETTINGS)?;
    for row in from.open_table(SETTINGS)?.iter()? {
        let (name, value) = row?;
        let is_key = relays::is_key(name.value()) || stream_keys::is_sealed(name.value());
        if name.value() != SIGNING_KEY && !is_key {
            copy.insert(name.value(), value.value())?;
        }
    }
    Ok(())
}

/// An error if a setting cannot be read. One of a name that this code does not know is never read.
pub(crate) fn check(name: &str, value: &[u8]) -> Outcome<()> {
    if name == SITE {
        record::decode::<Settings>(value).map(drop)
    } else if name.starts_with(CONTROLS) {
        record::decode::<CameraControls>(value).map(drop)
    } else if name.starts_with(MICROPHONE) {
        record::decode::<CameraMicrophone>(value).map(drop)
    } else if name == SIGNING_KEY {
        key_of(value).map(drop)
    } else {
        relays::check(name, value)
    }
}
