//! The task of one account's publication: owns the connection on which it comes now, and the stream's feed. It outlives a connection that breaks off, for as long as
//! a program may take to return.

use super::connection::{Broken, Connection};
use super::desk::{Arrival, Desk};
use super::doorkeeper::Admission;
use super::feed::{self, OnAir};
use super::intake::{Intake, Refusal};
use super::session::Event;
use crate::capture::source::SourceDescription;
use crate::capture::status::CaptureCounters;
use crate::feed::Origin;
use crate::live;
use perch_store::{EndReason, StreamId, UserId, VideoMode};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// Time without picture and sound after which a publication ends.
const SILENCE: Duration = Duration::from_secs(10);
/// Silence that viewers are told of.
const INTERRUPTION: Duration = Duration::from_secs(2);
/// A second connection with the same key waits this long: if the first one says nothing meanwhile it is half open, and the second takes its place. Programs send ten times
/// a second at least.
const CHALLENGE: Duration = Duration::from_secs(2);
/// How far a publisher may be ahead of real time. Less than the timeline puts up with (`perch_media::timeline`).
const LEAD: Duration = Duration::from_secs(2);
/// The studio's answer to a start: the card may be slow.
const START: Duration = Duration::from_secs(15);
/// How often deadlines are looked at.
const LOOK: Duration = Duration::from_millis(200);
/// For the studio to end a stream.
const ENDING: Duration = Duration::from_secs(10);
/// The key is refused for this long after its stream was stopped or refused: programs connect again by themselves, and stop when they are refused then.
const REFUSED_FOR: Duration = Duration::from_secs(10);

/// How a publication ended.
enum End {
    /// The program ended it.
    Unpublished,
    /// Nothing came for too long.
    Silent,
    /// It was stopped: on the page, by its duration, with the daemon.
    Stopped,
    /// Ingest was switched off.
    SwitchedOff,
    /// It cannot be shown, or may not go on. Why, in words.
    Refused(String),
}

impl End {
    /// Why, for the program and the log; `None` if the program knows.
    fn in_words(&self) -> Option<String> {
        match self {
            Self::Unpublished => None,
            Self::Silent => Some(format!("nothing came for {} s", SILENCE.as_secs())),
            Self::Stopped => Some("the stream was stopped".to_owned()),
            Self::SwitchedOff => Some("streams from other programs were switched off".to_owned()),
            Self::Refused(why) => Some(why.clone()),
        }
    }

    /// Why, for the store; `None` if its user or the studio has ended it.
    const fn reason(&self) -> Option<EndReason> {
        match self {
            Self::Unpublished | Self::Stopped => None,
            Self::Silent | Self::Refused(_) => Some(EndReason::Interruption),
            Self::SwitchedOff => Some(EndReason::Owner),
        }
    }
}

impl From<Refusal> for End {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal.to_string())
    }
}

/// One account's publication.
pub(super) struct Publication {
    desk: Arc<Desk>,
    user: UserId,
    username: String,
    /// Taken when the stream begins.
    admission: Option<Admission>,
    intake: Intake,
    counters: Arc<CaptureCounters>,
    current: Option<Connection>,
    /// Another connection with the same key, and until when it waits.
    challenger: Option<(Connection, Duration)>,
    /// When bytes last came on the current connection.
    heard_at: Duration,
    /// When picture or sound last came.
    media_at: Duration,
    on_air: Option<OnAir>,
    /// The stream, once it has begun.
    stream: Option<StreamId>,
    arrivals: mpsc::Receiver<Arrival>,
}

impl Publication {
    /// Begins with a program that was let in.
    pub(super) fn new(desk: Arc<Desk>, first: Arrival, arrivals: mpsc::Receiver<Arrival>) -> Self {
        let now = desk.clock.monotonic();
        let Arrival { connection, admission } = first;
        let counters = Arc::<CaptureCounters>::default();
        Self {
            user: admission.user,
            username: admission.username.clone(),
            admission: Some(admission),
            intake: Intake::new(desk.most, counters.clone(), now),
            counters,
            desk,
            current: None,
            challenger: Some((connection, now)),
            heard_at: now,
            media_at: now,
            on_air: None,
            stream: None,
            arrivals,
        }
    }

    /// Runs to the end of the stream, and of those that follow it at once.
    pub(super) async fn run(mut self) {
        loop {
            let end = self.carry().await;
            let why = end.in_words();
            let user = &*self.username;
            match &why {
                None => tracing::info!(user, "the program has ended its stream"),
                Some(why) => tracing::warn!(user, "the stream from a program is ended: {why}"),
            }
            if let (End::Stopped | End::Refused(_), Some(why)) = (&end, &why) {
                self.desk.refuse_for(self.user, why, self.desk.clock.monotonic() + REFUSED_FOR);
            }
            let connections = [self.current.take(), self.challenger.take().map(|(connection, _)| connection)];
            for connection in connections.into_iter().flatten() {
                let why = why.clone();
                tokio::spawn(async move {
                    match why {
                        Some(why) => connection.refuse(&why).await,
                        None => connection.close().await,
                    }
                });
            }
            self.finish(&end).await;
            let Some(next) = self.desk.leave(self.user, &mut self.arrivals) else { return };
            self = Self::new(self.desk, next, self.arrivals);
        }
    }

    /// Ends the stream, and waits until it has ended: another one may follow.
    async fn finish(&mut self, end: &End) {
        let now = self.desk.clock.monotonic();
        self.intake.finish(now);
        let (Some(mut on_air), Some(stream)) = (self.on_air.take(), self.stream) else { return };
        on_air.publish(self.intake.take(), now);
        let mut all = self.desk.live.on_air();
        if let Some(reason) = end.reason() {
            let live = self.desk.live.clone();
            tokio::spawn(async move { live.stop(stream, reason).await });
            let _ = timeout(ENDING, &mut on_air.stop).await;
        }
        drop(on_air);
        let is_over = |all: &Arc<[live::OnAir]>| {
            !all.iter().any(|on_air| on_air.stream == stream && on_air.ended.is_none())
        };
        if timeout(ENDING, all.wait_for(is_over)).await.is_err() {
            tracing::warn!(%stream, "the stream takes long to end");
        }
    }

    async fn carry(&mut self) -> End {
        let mut enabled = self.desk.enabled.clone();
        loop {
            if let Err(end) = self.work().await {
                return end;
            }
            let now = self.desk.clock.monotonic();
            if let Err(end) = self.look(now) {
                return end;
            }
            let pause = self.intake.ahead(now).saturating_sub(LEAD);
            if !pause.is_zero() {
                // What it has sent waits in the kernel, and then in the program.
                (self.heard_at, self.media_at) = (now, now);
            }
            let next_look = if pause.is_zero() { LOOK } else { pause.min(LOOK) };
            tokio::select! {
                biased;
                () = stopped(&mut self.on_air) => return End::Stopped,
                _ = enabled.wait_for(|enabled| !enabled) => return End::SwitchedOff,
                Some(arrival) = self.arrivals.recv() => self.arrived(arrival, now),
                progress = progress(&mut self.current, pause.is_zero()) => match progress {
                    Ok(true) => self.heard_at = self.desk.clock.monotonic(),
                    Ok(false) => {}
                    Err(broken) => self.broke_off(&broken),
                },
                () = sleep(next_look) => {}
            }
        }
    }

    /// Takes what the current connection has brought, until that is all or the publisher is too far ahead.
    async fn work(&mut self) -> Result<(), End> {
        while let Some(connection) = &mut self.current {
            let now = self.desk.clock.monotonic();
            if self.intake.ahead(now) > LEAD {
                return Ok(());
            }
            let event = connection.next();
            if let Ok(Some(Event::Video(..) | Event::Sound(..))) = event {
                self.media_at = now;
            }
            match event {
                Ok(None) => return Ok(()),
                Ok(Some(Event::Video(timestamp, body))) => self.intake.video(timestamp, body, now)?,
                Ok(Some(Event::Sound(timestamp, body))) => self.intake.sound(timestamp, body, now)?,
                Ok(Some(Event::Facts(facts))) => self.intake.take_facts(facts)?,
                Ok(Some(Event::Unpublished)) if self.challenger.is_none() => return Err(End::Unpublished),
                Ok(Some(Event::Unpublished)) => self.current = None,
                Ok(Some(Event::Refused(why))) => return Err(End::Refused(why)),
                Ok(Some(Event::Publish(_) | Event::Play(_))) => {}
                Err(error) => self.broke_off(&error.into()),
            }
            if self.intake.is_ready() {
                if self.on_air.is_none() {
                    self.on_air = Some(self.begin().await.map_err(End::Refused)?);
                }
                let now = self.desk.clock.monotonic();
                if let Some(on_air) = &self.on_air {
                    on_air.is_live(self.intake.advice());
                    on_air.publish(self.intake.take(), now);
                }
            }
        }
        Ok(())
    }

    /// Begins the stream with the first picture. Nothing is read meanwhile.
    async fn begin(&mut self) -> Result<OnAir, String> {
        let gone = || "the stream was stopped before it began".to_owned();
        let admission = self.admission.take().ok_or_else(gone)?;
        let format = self.intake.format().ok_or_else(gone)?;
        let facts = self.intake.facts();
        let rate = format.frames_per_second.unwrap_or(f64::from(facts.frames_per_second));
        let program = facts.program.as_deref().unwrap_or("a program");
        let peer = self.current.as_ref().map(|connection| connection.peer().to_string());
        let source = SourceDescription {
            camera: format!("{program} at {}", peer.unwrap_or_default()),
            encoder: "the program itself".to_owned(),
            width: format.width,
            height: format.height,
            frames_per_second: rate,
        };
        let mode = VideoMode {
            width: format.width,
            height: format.height,
            frames_per_second: rate.round() as u32,
            bitrate_kbps: facts.kbps,
        };
        let name = Origin::Ingest(self.user).name();
        let (feed, given) = feed::offer(name, source, self.counters.clone());
        let begun = timeout(START, self.desk.live.publish(admission.into_stream(mode), Box::new(feed))).await;
        let stream = match begun {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => return Err("the card takes too long: try again in a minute".to_owned()),
        };
        tracing::info!(user = self.username, stream = %stream.facts.id, "a program sends a stream");
        self.stream = Some(stream.facts.id);
        given.await.map_err(|_| gone())
    }

    /// Deadlines.
    fn look(&mut self, now: Duration) -> Result<(), End> {
        if let Some((_, until)) = &self.challenger
            && (self.current.is_none() || now >= *until)
            && let Some((connection, _)) = self.challenger.take()
        {
            self.take_over(connection, now);
        } else if self.current.is_some()
            && let Some((connection, _)) =
                self.challenger.take_if(|(_, until)| self.heard_at + CHALLENGE > *until)
        {
            let why = "another program is sending a stream with this key";
            self.turn_away(connection, why);
        }
        let silent = now.saturating_sub(self.media_at);
        if silent >= SILENCE {
            return Err(End::Silent);
        }
        if let Some(on_air) = self.on_air.as_ref().filter(|_| silent >= INTERRUPTION) {
            let reason = "nothing comes from the program: the stream ends after 10 s of silence";
            on_air.is_waiting(reason, now);
        }
        Ok(())
    }

    /// A program with the same key has come.
    fn arrived(&mut self, arrival: Arrival, now: Duration) {
        let Arrival { connection, .. } = arrival;
        if self.challenger.is_some() {
            self.turn_away(connection, "another program waits with this key");
        } else {
            self.challenger = Some((connection, now + CHALLENGE));
        }
    }

    /// Refuses a connection beside this task, which has a stream to carry.
    fn turn_away(&self, connection: Connection, why: &'static str) {
        tracing::warn!(user = self.username, from = %connection.peer(), "a second program is refused: {why}");
        tokio::spawn(async move { connection.refuse(why).await });
    }

    /// Lets a connection publish, in place of the one before it.
    fn take_over(&mut self, mut connection: Connection, now: Duration) {
        if let Err(error) = connection.accept() {
            return self.broke_off(&error.into());
        }
        if let Some(before) = self.current.replace(connection) {
            tracing::info!(user = self.username, "the program has connected again");
            tokio::spawn(before.refuse("the program has connected again"));
        }
        self.intake.begin(now);
        (self.heard_at, self.media_at) = (now, now);
    }

    /// The current connection is of no more use. The stream goes on if the program comes back.
    fn broke_off(&mut self, broken: &Broken) {
        tracing::info!(user = self.username, "the program is gone: {broken}");
        let connection = self.current.take();
        if let (Some(connection), Broken::Session(_) | Broken::Memory) = (connection, broken) {
            let why = broken.to_string();
            tokio::spawn(async move { connection.refuse(&why).await });
        }
    }
}

/// Completes when the stream is to stop.
async fn stopped(on_air: &mut Option<OnAir>) {
    match on_air {
        // A studio that is gone stops it, too.
        Some(on_air) => _ = (&mut on_air.stop).await,
        None => std::future::pending().await,
    }
}

async fn progress(connection: &mut Option<Connection>, may_read: bool) -> Result<bool, Broken> {
    match connection {
        Some(connection) => connection.progress(may_read).await,
        None => std::future::pending().await,
    }
}
