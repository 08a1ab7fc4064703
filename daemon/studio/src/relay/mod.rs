//! Relays: readers of a broadcast that send it on to RTMP servers, each destination in a task of its own.
//!
//! The ring of the broadcast is the queue before the network: nothing is taken out of it that cannot be written, and what lies there too long is left out up to the next
//! entry. Nothing of that reaches the feed or the other readers.
//!
//! Must not be here: bodies of FLV tags (`perch-media`), who may relay what, HTTP.

mod backoff;
mod connection;
mod destinations;
#[cfg(feature = "testing")]
pub mod fuzzing;
mod health;
mod log;
mod relays;
#[cfg(test)]
mod server;
mod session;
mod silence;
mod status;
mod tagger;
mod task;
#[cfg(test)]
mod tests;
pub mod tls;
mod uplink;

pub use destinations::Destinations;
pub(crate) use relays::Relays;
pub use relays::RelaysHandle;
pub(crate) use session::Kind;
pub use status::{RelayState, RelayStatus};
pub(crate) use tagger::{Asked, Tagger};
