//! People: accounts, texts, chat, notifications, pictures, backups, and the appliance that the site runs on. Everything is
//! requested by an [`Actor`]; a refusal is a [`SiteError`].
//!
//! Not here: HTTP, the API's JSON, and the production of media.
#![forbid(unsafe_code)]

pub mod accounts;
pub mod actor;
pub mod allowed_sites;
pub mod api_tokens;
pub mod appliance;
pub mod avatars;
pub mod backup;
pub mod backups;
pub mod cameras;
pub mod certificates;
pub mod chat;
pub mod config;
pub mod controls;
pub mod error;
pub mod follows;
pub mod going_live;
pub mod https;
pub mod import;
pub mod ingest;
pub mod ingest_switch;
pub mod limits;
mod lists;
pub mod me;
pub mod messages;
pub mod microphones;
pub mod moderation;
pub mod notices;
pub mod notifications;
pub mod other_sites;
pub mod password;
pub mod picture;
pub mod preflight;
pub mod profile;
pub mod pruning;
pub mod reactions;
pub mod recordings;
pub mod registration;
pub mod relays;
mod removal;
mod sealing;
pub mod sessions;
pub mod settings;
pub mod setup;
pub mod site;
pub mod snapshots;
pub mod store_probe;
pub mod stream;
pub mod stream_text;
pub mod streams;
pub mod text;
pub mod thumbnails;
pub mod topics;
pub mod turns;
pub mod users;
pub mod watch_list;
pub mod webhook_settings;
pub mod webhooks;

#[cfg(feature = "fuzzing")]
pub mod fuzzing;
#[cfg(test)]
mod testing;

pub use actor::Actor;
pub use error::SiteError;
pub use site::Site;
