//! The site: what goes over HTTP, and who may ask for it.
//!
//! `server`, `connection`, `patient_stream` and `places` are about connections; `live` is the hot path; everything else goes through
//! `router`. All of it sees handles of the rest of the daemon, never a reader's or a camera's insides.

mod body;
mod caching;
mod cameras;
mod connection;
mod health;
mod json;
mod live;
mod metrics;
mod page;
mod patient_stream;
mod places;
mod problem;
mod range;
mod router;
mod send_pages;
mod server;
mod system;
mod traffic;

pub use router::{CameraInfo, Site};
pub use server::Server;
