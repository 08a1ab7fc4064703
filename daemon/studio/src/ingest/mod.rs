//! Ingest: streams that programs such as OBS, ffmpeg or a phone send by RTMP.
//!
//! A program connects to the [`listener`] (or, with TLS, [`encrypted`]), names its stream key at the [`door`], and a [`Doorkeeper`] says whose it is. From then on the connection belongs to the
//! [`publication`] of that account, a task: its [`session`] speaks RTMP, its [`intake`] makes samples, and the stream that it begins in the studio has
//! the publication as its feed. A program that is ahead of real time is not read from, so it holds no more memory.
//!
//! Must not be here: whose key it is and who may go live, HTTP, sending on to other servers (`relay`).

mod connection;
mod desk;
mod door;
mod doorkeeper;
mod encrypted;
mod facts;
mod feed;
#[cfg(feature = "testing")]
pub mod fuzzing;
mod intake;
mod listener;
mod pace;
mod paced;
mod playing;
mod publication;
mod session;
mod slots;
#[cfg(test)]
mod tests;
mod times;

pub use doorkeeper::{Admission, Admitting, Denied, Doorkeeper, StreamKey};
pub use listener::Ingest;
