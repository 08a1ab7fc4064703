//! Going live: the one place that starts and stops streams, whoever asks (page, API, button, the daemon's own start).
//!
//! [`studio`] owns the list of streams on the air, and waits for nothing that may be slow: the preparation of a stream
//! ([`starting`]) and the stream itself ([`running`]) are tasks. A stream's task owns its feed and its hls reader, and
//! writes the stream's events into the store. Everybody else has a [`LiveHandle`] and watches [`OnAir`]. Every stream
//! gets an end in the store: by its user, the owner, its duration, the button, or at the next start of a daemon that
//! was stopped for longer than `live.resume_seconds`. An end that the card does not take is written later ([`ends`]).
//!
//! Must not be here: the opening of cameras (`capture`), HTTP, chat.

mod camera;
mod ends;
mod error;
mod featured;
mod handle;
mod on_air;
mod running;
mod shared;
mod starting;
mod studio;
#[cfg(test)]
mod tests;
mod viewers;

pub use camera::{BoardHardware, Hardware, LiveCamera};
pub use error::LiveError;
pub use featured::featured;
pub use handle::{LiveHandle, Pressed};
pub use on_air::OnAir;
pub use shared::LiveSettings;
pub use studio::Studio;
pub use viewers::{AtOneAddress, Viewers, viewer_of_address, viewer_of_cookie};
