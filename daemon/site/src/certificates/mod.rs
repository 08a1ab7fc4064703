//! HTTPS with a certificate of Perch's own: its [`authority`], which each phone and laptop is told once to trust, the [`folder`] where its key is, the
//! [`names`] of this machine, and what keeps all of it up ([`https`]).
//!
//! A certificate in files (`[tls]`) goes before it. Not here: who may switch it on (`crate::https`), listening, and how a device is told (perch-web).

mod authority;
mod folder;
mod https;
mod names;

pub(crate) use https::in_words;
pub use https::{Https, HttpsError, ListNames, PART, Report, Source, Trusted};
pub use names::{Names, Network};
