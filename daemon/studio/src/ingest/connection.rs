//! One connection of a program: its socket, its session, and what it holds of the process's memory.

use super::session::{Event, Session, SessionError};
use super::slots::Slot;
use crate::memory_budget::{Held, MemoryBudget, Part};
use std::future::pending;
use std::io;
use std::net::IpAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

/// Bytes that are read at once of a stranger, and of a publisher.
const READ_OF_STRANGER: usize = 4 << 10;
const READ: usize = 32 << 10;
/// A program that takes no answers is not listened to while this much waits for it.
const UNSENT_MOST: usize = 16 << 10;
/// To send what is left, and for the program to close the connection.
const FAREWELL: Duration = Duration::from_secs(1);

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// The program closed it.
    #[error("it closed the connection")]
    Closed,
    /// The network or the kernel did.
    #[error("the connection broke off: {0}")]
    Io(#[from] io::Error),
    /// A player has stopped.
    #[error("it takes nothing")]
    Stuck,
    /// What it sent cannot be used.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// Publishers together hold what they may.
    #[error("there is not enough memory for what the programs send")]
    Memory,
}

/// A socket's two directions.
pub(super) type Halves = (Box<dyn AsyncRead + Send + Unpin>, Box<dyn AsyncWrite + Send + Unpin>);

/// One connection.
pub(super) struct Connection {
    peer: IpAddr,
    receiver: Box<dyn AsyncRead + Send + Unpin>,
    sender: Box<dyn AsyncWrite + Send + Unpin>,
    session: Session,
    input: Vec<u8>,
    output: Vec<u8>,
    /// Bytes of `output` that were sent.
    sent: usize,
    /// TLS keeps back nothing of what was sent.
    is_flushed: bool,
    memory: MemoryBudget,
    held: Held,
    _slot: Slot,
}

impl Connection {
    /// A connection that was just accepted from `peer`.
    pub(super) fn new(peer: IpAddr, halves: Halves, memory: &MemoryBudget, slot: Slot) -> Self {
        let (receiver, sender) = halves;
        Self {
            peer,
            receiver,
            sender,
            session: Session::new(),
            input: vec![0; READ_OF_STRANGER],
            output: Vec::new(),
            sent: 0,
            is_flushed: true,
            memory: memory.clone(),
            held: memory.hold(Part::Publishers, 0),
            _slot: slot,
        }
    }

    /// Where it comes from.
    pub(super) const fn peer(&self) -> IpAddr {
        self.peer
    }

    /// Waits until bytes came or went; true if some came. Reads nothing unless it `may_read`. Safe to cancel.
    pub(super) async fn progress(&mut self, may_read: bool) -> Result<bool, Broken> {
        if self.sent == self.output.len() {
            self.output.clear();
            self.sent = 0;
            std::mem::swap(&mut self.output, self.session.out());
        }
        let unsent = &self.output[self.sent..];
        let may_read = may_read && unsent.len() < UNSENT_MOST;
        let sends = !unsent.is_empty() || !self.is_flushed;
        let sender = &mut self.sender;
        let sending = async move {
            if unsent.is_empty() { sender.flush().await.map(|()| 0) } else { sender.write(unsent).await }
        };
        tokio::select! {
            came = self.receiver.read(&mut self.input), if may_read => {
                let came = came?;
                if came == 0 {
                    return Err(Broken::Closed);
                }
                self.session.receive(&self.input[..came])?;
                self.note_memory()?;
                Ok(true)
            }
            sent = sending, if sends => {
                let sent = sent?;
                self.is_flushed = sent == 0;
                self.sent += sent;
                Ok(false)
            }
            else => pending().await,
        }
    }

    /// The next thing that the program has said.
    pub(super) fn next(&mut self) -> Result<Option<Event>, SessionError> {
        self.session.next()
    }

    /// Lets the program publish.
    pub(super) fn accept(&mut self) -> Result<(), SessionError> {
        self.input.resize(READ, 0);
        self.session.accept()
    }

    /// Lets the program watch.
    pub(super) fn play(&mut self) -> Result<(), SessionError> {
        self.session.play()
    }

    /// Takes a message for the program; [`Self::progress`] sends it.
    pub(super) fn send(&mut self, type_id: u8, timestamp: u32, body: Vec<u8>) -> Result<(), SessionError> {
        self.session.send(type_id, timestamp, body)
    }

    /// Bytes that wait to be sent.
    pub(super) const fn unsent(&mut self) -> usize {
        self.output.len() - self.sent + self.session.out().len()
    }

    /// Tells the program why it may not publish, or no longer, and closes the connection.
    pub(super) async fn refuse(mut self, why: &str) {
        // Closing it says the same to a program that cannot be told.
        let _ = self.session.refuse(why);
        self.close().await;
    }

    /// Sends what is left, and closes the connection once the program has done so, or a second later. What it still sends is read and thrown away: a reset
    /// would overtake our last words, and `rtmp2sink` calls it an error if its own last words are not taken.
    pub(super) async fn close(mut self) {
        let Self { receiver, sender, session, output, sent, input, .. } = &mut self;
        let farewell = async {
            sender.write_all(&output[*sent..]).await?;
            sender.write_all(session.out()).await?;
            sender.flush().await?;
            while receiver.read(input).await? > 0 {}
            io::Result::Ok(())
        };
        // A connection that is gone needs no farewell.
        let _ = timeout(FAREWELL, farewell).await;
    }

    fn note_memory(&mut self) -> Result<(), Broken> {
        let bytes = self.session.held() + self.input.capacity() + self.output.capacity();
        self.held.set(bytes as u64);
        let is_too_much = self.memory.used(Part::Publishers) > self.memory.publishers_most();
        if is_too_much { Err(Broken::Memory) } else { Ok(()) }
    }
}
