//! One destination's connections, one after the other: when to connect, what to send, when to give up, and how it is doing. A value: sockets, time and randomness are
//! arguments, so that thousands of schedules of faults are tested without waiting.

use super::backoff::Backoff;
use super::health::{Health, SILENCE, Stuck};
use super::session::{Event, Session, Target};
use super::status::{RelayState, RelayStatus};
use super::tagger::{Asked, Tag, Tagger};
use crate::broadcast::{Item, Published};
use std::sync::Arc;
use std::time::Duration;

/// From the opened connection to the accepted stream.
const GREETING: Duration = Duration::from_secs(10);
/// A sample that lies in the ring for longer is not sent: the way to the server is too slow, and goes on at the next entry that is newer.
const LATE: Duration = Duration::from_secs(5);
/// So much may wait to be written before more samples are taken from the ring. A picture may be larger.
const OUT: usize = 32 << 10;
/// Bytes of answers (to pings, say) that may wait for a server that goes on asking.
const ANSWERS: usize = 64 << 10;
/// The server is asked to acknowledge four times a second.
const WINDOW: std::ops::RangeInclusive<u32> = 8 << 10..=256 << 10;

/// A server may hold on to a connection of ours that has failed, and refuse another one until it knows: nginx-rtmp pings after a minute, and waits for half of one.
const HELD: Duration = Duration::from_mins(2);

/// Where a relay stands.
enum Phase {
    /// Nothing is open until then.
    Pausing { until: Duration },
    /// A connection is being opened.
    Opening,
    /// The server is asked to take the stream.
    Greeting { session: Box<Session>, deadline: Duration },
    /// It takes the stream.
    Sending { session: Box<Session>, health: Health, since: Duration, begun_at: Option<u64> },
}

/// One relay.
pub(super) struct Uplink {
    phase: Phase,
    tagger: Tagger,
    tags: Vec<Tag>,
    /// Samples are left out, because the way to the server is too slow.
    is_late: bool,
    backoff: Backoff,
    random: Box<dyn FnMut() -> u32 + Send>,
    window: u32,
    status: RelayStatus,
    /// Taken over all connections before this one.
    taken_before: u64,
    /// Bytes of answers that were made since everything was written last.
    answers: usize,
    /// When the last connection failed that the server had accepted.
    failed_at: Option<Duration>,
}

impl Uplink {
    /// A relay that connects as soon as it is asked.
    pub(super) fn new(name: Arc<str>, asked: Asked, random: Box<dyn FnMut() -> u32 + Send>) -> Self {
        let quarter = asked.bitrate_kbps * 125 / 4;
        Self {
            phase: Phase::Pausing { until: Duration::ZERO },
            tagger: Tagger::new(asked),
            tags: Vec::new(),
            is_late: false,
            backoff: Backoff::default(),
            random,
            // What a publisher sends is not known before: as much as at 1 Mb/s.
            window: if quarter == 0 { 32 << 10 } else { quarter.clamp(*WINDOW.start(), *WINDOW.end()) },
            status: RelayStatus::new(name),
            taken_before: 0,
            answers: 0,
            failed_at: None,
        }
    }

    /// How it is doing.
    pub(super) const fn status(&self) -> &RelayStatus {
        &self.status
    }

    /// When the next connection is to be opened; `None` while there is one.
    pub(super) const fn connects_at(&self) -> Option<Duration> {
        if let Phase::Pausing { until } = &self.phase { Some(*until) } else { None }
    }

    /// A connection is being opened.
    pub(super) fn connecting(&mut self) {
        self.phase = Phase::Opening;
        let before = match &self.status.state {
            RelayState::Retrying { why, .. } | RelayState::Refused { why, .. } => Some(why.clone()),
            _ => None,
        };
        self.status.state = RelayState::Connecting { before };
    }

    /// A connection is open.
    pub(super) fn opened(&mut self, target: Target, now: Duration) {
        self.status.connections += 1;
        match Session::new(target, self.window) {
            Ok(session) => {
                let session = Box::new(session);
                self.phase = Phase::Greeting { session, deadline: now + GREETING };
            }
            Err(error) => self.failed(&error.to_string(), now),
        }
    }

    /// The connection cannot be opened, or has failed. The words follow "because".
    pub(super) fn failed(&mut self, why: &str, now: Duration) {
        let live_for = match &self.phase {
            Phase::Sending { since, .. } => {
                self.failed_at = Some(now);
                Some(now.saturating_sub(*since))
            }
            _ => None,
        };
        let at = now + self.backoff.failed(live_for, (self.random)());
        self.pause(at, RelayState::Retrying { at, why: why.to_owned() });
    }

    fn refused(&mut self, why: String, now: Duration) {
        let random = (self.random)();
        let may_be_held = self.failed_at.is_some_and(|at| now.saturating_sub(at) < HELD);
        let at = now + if may_be_held { self.backoff.failed(None, random) } else { Backoff::refused(random) };
        self.pause(at, RelayState::Refused { at, why });
    }

    fn pause(&mut self, until: Duration, state: RelayState) {
        self.taken_before = self.status.taken_bytes;
        self.phase = Phase::Pausing { until };
        self.status.state = state;
    }

    /// The server has sent these bytes.
    pub(super) fn received(&mut self, bytes: &[u8], now: Duration) {
        let (Phase::Greeting { session, .. } | Phase::Sending { session, .. }) = &mut self.phase else {
            return;
        };
        let before = session.out().len();
        let received = session.receive(bytes);
        let answered = session.out().len() - before;
        self.answers = if before == 0 { answered } else { self.answers + answered };
        match received {
            Ok(_) if self.answers > ANSWERS => {
                self.failed("the server asks for more and more answers, and takes none", now);
            }
            Ok(events) => {
                for event in events {
                    self.heed(event, now);
                }
            }
            Err(error) => self.failed(&error.to_string(), now),
        }
    }

    fn heed(&mut self, event: Event, now: Duration) {
        match event {
            Event::Accepted => {
                let phase = std::mem::replace(&mut self.phase, Phase::Opening);
                let Phase::Greeting { session, .. } = phase else { return };
                self.tagger.begin();
                let health = Health::new(self.window, now);
                self.phase = Phase::Sending { session, health, since: now, begun_at: None };
            }
            Event::Refused(why) => self.refused(format!("the server refused the stream: {why}"), now),
            Event::Ended(why) => self.failed(&format!("the server ended the stream: {why}"), now),
            Event::Acknowledged => {
                if let Phase::Sending { health, .. } = &mut self.phase {
                    health.acknowledged(now);
                }
            }
        }
    }

    /// Bytes to write; whoever writes them takes them away.
    pub(super) fn out(&mut self) -> Option<&mut Vec<u8>> {
        match &mut self.phase {
            Phase::Greeting { session, .. } | Phase::Sending { session, .. } => Some(session.out()),
            Phase::Pausing { .. } | Phase::Opening => None,
        }
    }

    /// The stream is taken: a reader of it is needed.
    pub(super) const fn sends(&self) -> bool {
        matches!(self.phase, Phase::Sending { .. })
    }

    /// It can take another sample.
    pub(super) fn wants_sample(&mut self) -> bool {
        self.sends() && self.out().is_some_and(|out| out.len() < OUT)
    }

    /// Takes what the ring has next. What it is late with is left out up to an entry that is not.
    pub(super) fn push(&mut self, item: &Item, now: Duration) {
        let Phase::Sending { session, .. } = &mut self.phase else { return };
        match item {
            Item::Lagged { dropped } => self.leave_out(*dropped, now),
            Item::Sample(Published { published_at, .. }) if now.saturating_sub(*published_at) > LATE => {
                self.leave_out(1, now);
            }
            Item::Sample(Published { sample, .. }) => {
                self.tagger.push(sample, &mut self.tags);
                if self.is_late && self.tagger.waits() {
                    return self.leave_out(1, now);
                }
                self.is_late = false;
                let mut tags = self.tags.drain(..);
                let done = tags.try_for_each(|tag| session.send(tag.kind, tag.timestamp, tag.body));
                drop(tags);
                if let Err(error) = done {
                    self.failed(&error.to_string(), now);
                }
            }
        }
    }

    fn leave_out(&mut self, samples: u64, now: Duration) {
        self.is_late = true;
        self.tagger.skip();
        self.status.slow = Some(now);
        self.status.dropped += samples;
    }

    /// Half a second or so has gone by: the kernel was given `written` bytes of this connection, and has `untaken` of them; `waits` tells of more that it has not
    /// taken from us.
    pub(super) fn look(&mut self, written: u64, untaken: u64, waits: bool, now: Duration) {
        match &mut self.phase {
            Phase::Greeting { deadline, .. } if now >= *deadline => {
                self.failed(&format!("the server does not answer within {} s", GREETING.as_secs()), now);
            }
            Phase::Sending { session, health, begun_at, .. } => {
                // That the commands were taken says nothing of the stream.
                let begun_at = *begun_at.get_or_insert(written);
                let waits = waits || !session.out().is_empty();
                let looked = health.look(written, untaken, waits, now);
                self.status.taken_bytes = self.taken_before + health.taken();
                match looked {
                    Ok(()) if health.taken() > begun_at => {
                        let (kbps, acknowledged) = (health.kbps(), health.last());
                        self.status.state = RelayState::Live { kbps, acknowledged };
                    }
                    Ok(()) => {}
                    Err(stuck) => {
                        let seconds = SILENCE.as_secs();
                        let why = match stuck {
                            Stuck::Kernel => format!("the server has taken nothing for {seconds} s"),
                            Stuck::Server => format!("the server has acknowledged nothing for {seconds} s"),
                        };
                        self.failed(&why, now);
                    }
                }
            }
            _ => {}
        }
    }

    /// Takes leave of the server. What is in [`Self::out`] is still to be written.
    pub(super) fn unpublish(&mut self) {
        if let Phase::Sending { session, .. } = &mut self.phase {
            // A command that cannot be written is not missed: the connection is closed.
            let _ = session.unpublish();
        }
    }

    /// Nothing is sent any more. It may be switched on again: it then connects at once, and its times go on.
    pub(super) fn finish(&mut self) {
        self.backoff = Backoff::default();
        self.pause(Duration::ZERO, RelayState::Ended);
    }
}
