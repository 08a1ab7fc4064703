//! People: accounts, what they may write, chat, notifications, pictures, backups, and the appliance that the site runs on.
//!
//! Must not be here: HTTP and JSON of the API, how media is made.
#![forbid(unsafe_code)]
#![allow(
    unreachable_pub,
    reason = "`pub` here says that another module uses it; what other crates use is named below"
)]

pub mod accounts;
pub mod appliance;
pub mod backups;
pub mod chat;
pub mod notices;
pub mod picture;
pub mod text;
