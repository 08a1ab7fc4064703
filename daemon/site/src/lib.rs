//! People: accounts, what they may write, chat, notifications, pictures, backups, and the appliance that the site runs on. Everything is asked for
//! by an [`Actor`] and refused with a [`SiteError`].
//!
//! Must not be here: HTTP and JSON of the API, how media is made.
#![forbid(unsafe_code)]
#![allow(
    unreachable_pub,
    reason = "`pub` here says that another module uses it; what other crates use is named below"
)]

pub mod accounts;
pub mod actor;
pub mod appliance;
pub mod avatars;
pub mod backups;
pub mod chat;
pub mod config;
pub mod error;
pub mod follows;
pub mod limits;
pub mod me;
pub mod notices;
pub mod notifications;
pub mod password;
pub mod picture;
pub mod profile;
pub mod registration;
pub mod sessions;
pub mod settings;
pub mod setup;
pub mod site;
pub mod store_probe;
pub mod text;
pub mod topics;
pub mod turns;
pub mod users;

#[cfg(test)]
mod testing;

pub use actor::Actor;
pub use error::SiteError;
pub use site::Site;
