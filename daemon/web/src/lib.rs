//! The site over HTTP, with the rights for each address.
//!
//! `server`, `connection`, `patient_stream` and `slots` handle connections; `media` is the hot path; everything else goes
//! through `router` and `access`, which checks rights. They use handles of the rest of the daemon, never the internals of a
//! reader or a camera.
#![forbid(unsafe_code)]

mod access;
mod api;
mod api_tokens;
mod auth;
mod authentication;
mod avatar;
mod backups;
mod barred;
mod board_time;
mod body;
mod caching;
mod caller;
mod cameras;
mod chat;
mod client;
pub mod config;
mod connection;
mod console;
mod content_coding;
mod controls;
mod cookies;
mod download;
mod events;
mod file_answer;
mod file_body;
mod follows;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod health;
mod hosts;
mod ingest;
mod input;
mod jpeg;
mod json;
mod last_look;
mod list;
mod login;
mod me;
mod media;
mod media_paths;
mod messages;
mod metrics;
mod microphones;
mod moderation;
mod not_live;
mod notifications;
mod openapi;
mod page;
mod page_cache;
mod patient_stream;
mod people;
mod pictures;
mod players;
mod problem;
mod range;
mod reactions;
mod reading_on;
mod receiving;
mod recorded;
mod recording_index;
mod recordings;
mod relays;
mod rights;
mod router;
mod rules;
mod scopes;
mod seldom;
mod send_pages;
mod server;
mod sessions;
mod settings;
mod setup;
mod slots;
mod sockets;
mod state;
mod stopping;
mod storyboard;
mod stream;
mod streams;
mod system;
mod topics;
mod traffic;
mod update;
mod users;
mod wifi;

pub use chat::line as chat_line;
pub use console::{ConsoleBody, SOCKET, ask_console};
pub use router::openapi_text;
pub use server::Server;
pub use sockets::Inherited;
