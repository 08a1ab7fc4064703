//! The owner of the streams on the air: starts streams, stops them, and takes over those that the last run left. Its
//! loop waits for nothing but events: a slow camera or card delays nobody else's request.
//!
//! It has a few lines more than 500: its steps change one state, and a reader follows them in one place.

use super::camera::{Hardware, LiveCamera};
use super::ends::{self, End, Ends};
use super::error::LiveError;
use super::handle::{ChangeRelays, Gone, LiveHandle, Pressed, Request};
use super::running::{Finished, Running};
use super::shared::{LiveSettings, Shared};
use super::starting::{self, Asker, Prepared, Programme, Source};
use crate::clock::{Clock, until, wall};
use crate::feed::{Feed, Origin};
use crate::hls::HlsMetrics;
use crate::tell::Tell;
use anyhow::{Context as _, anyhow};
use perch_store::{EndReason, NewStream, Store, Stream, StreamId, StreamState, Timestamp, UserId};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// People who wait for an answer at once.
const REQUESTS: usize = 32;
/// How long an ended stream is still shown, so that players can fetch its end.
const LINGER: Duration = Duration::from_mins(1);
/// Starts that may wait for their cameras at the same time.
const STARTS: usize = 32;
/// Presses of the button that may wait for their turn.
const PRESSES: usize = 4;
/// Changes of a stream's relays that may wait for the card.
const CHANGES: usize = 4;

/// The studio's handle of a stream's task.
struct Task {
    user: Option<UserId>,
    origin: Origin,
    /// Taken when it is asked to stop.
    stop: Option<oneshot::Sender<EndReason>>,
    relays: mpsc::Sender<ChangeRelays>,
    /// Those who wait for its end.
    waiting: Vec<oneshot::Sender<Result<Stream, LiveError>>>,
    /// The stream that goes on the air once this one has ended: a person's stream that takes the camera from the
    /// appliance's own.
    next: Option<Box<Prepared>>,
}

/// The result of a job beside the loop.
enum Done {
    /// It answered the one who asked, and that was all.
    Told,
    /// A stream can be put on the air.
    Prepared(Box<Prepared>),
    /// A start failed, and the one who asked knows why.
    Unstarted,
    /// A press of the button failed, and the one who pressed knows why.
    Unpressed,
    /// An attempt to write ends: those that were written.
    Written(Vec<End>),
}

/// The owner of the streams on the air.
pub struct Studio {
    shared: Arc<Shared>,
    cameras: Arc<[LiveCamera]>,
    requests: mpsc::Receiver<Request>,
    tasks: HashMap<StreamId, Task>,
    running: JoinSet<Finished>,
    jobs: JoinSet<Done>,
    /// Number of starts among the jobs.
    starts: usize,
    /// Streams that were stopped before they were on the air; remembered until no start is under way.
    stopped_early: HashSet<StreamId>,
    presses: VecDeque<oneshot::Sender<Result<Pressed, LiveError>>>,
    /// True while a press of the button is starting a stream.
    is_pressing: bool,
    ends: Ends,
    /// Streams that have ended and are still shown, and until when.
    lingering: VecDeque<(Instant, StreamId)>,
}

impl Studio {
    /// A studio with nothing on the air. `tell` must not block.
    pub fn new(
        cameras: Arc<[LiveCamera]>,
        hardware: Arc<dyn Hardware>,
        store: Arc<Store>,
        settings: LiveSettings,
        hls_metrics: Arc<HlsMetrics>,
        tell: Tell,
        clock: Arc<dyn Clock>,
    ) -> (Self, LiveHandle) {
        let (asked, requests) = mpsc::channel(REQUESTS);
        let (on_air, seen) = watch::channel(Arc::from([]));
        let shared = Shared { clock, hardware, settings, hls_metrics, tell, store, on_air };
        let studio = Self {
            shared: Arc::new(shared),
            cameras,
            requests,
            tasks: HashMap::new(),
            running: JoinSet::new(),
            jobs: JoinSet::new(),
            starts: 0,
            stopped_early: HashSet::new(),
            presses: VecDeque::new(),
            is_pressing: false,
            ends: Ends::default(),
            lingering: VecDeque::new(),
        };
        (studio, LiveHandle { requests: asked, on_air: seen })
    }

    /// Takes over what the last run left, and goes live by itself if configured. `last_alive` is the time of that run's
    /// last write.
    pub async fn open(&mut self, last_alive: Option<Timestamp>) -> anyhow::Result<()> {
        let left = self.shared.store(Store::unfinished_streams).await?;
        for stream in left {
            self.take_up(stream, last_alive).await?;
        }
        if self.shared.settings.autostart && self.tasks.is_empty() {
            // The configuration has at least one camera.
            let camera = self.cameras[0].clone();
            let programme = starting::as_usual(&self.shared, &camera).await;
            let programme = programme.context("cannot go live by itself")?;
            self.put_on_air(programme, Source::Camera(camera)).context("cannot go live by itself")?;
        } else if self.tasks.is_empty() {
            tracing::info!("nothing is live: go live on the page, or set live.autostart = true");
        }
        Ok(())
    }

    /// Runs until `closing` completes, and then ends every stream. An error if a part broke down that only a restart
    /// repairs.
    pub async fn run(mut self, closing: impl Future<Output = ()>) -> anyhow::Result<()> {
        let mut closing = std::pin::pin!(closing);
        loop {
            let hide_at = self.lingering.front().map(|(at, _)| *at);
            tokio::select! {
                () = &mut closing => break,
                request = self.requests.recv() => match request {
                    Some(request) => self.answer(request),
                    None => break,
                },
                Some(finished) = self.running.join_next() => {
                    self.finished(finished.context("a stream's task broke down")?)?;
                }
                Some(done) = self.jobs.join_next() => {
                    self.done(done.context("a part of going live broke down")?);
                }
                () = self.ends.due() => self.write_ends(),
                () = until(hide_at) => {
                    if let Some((_, stream)) = self.lingering.pop_front() {
                        self.hide(stream);
                    }
                }
            }
        }
        self.close().await
    }

    /// Ends every stream. A start that is under way is dropped: if the store knows its stream already, the next run
    /// takes it over.
    async fn close(mut self) -> anyhow::Result<()> {
        self.requests.close();
        self.jobs.abort_all();
        for task in self.tasks.values_mut() {
            task.next = None;
            task.end(EndReason::Shutdown);
        }
        while let Some(finished) = self.running.join_next().await {
            let Finished { stream, failed, unwritten } = finished.context("a stream's task broke down")?;
            self.ended(stream, unwritten);
            if failed {
                return Err(anyhow!("a stream's reader broke down"));
            }
        }
        let ends = self.ends.take();
        if !ends.is_empty() && ends::write(&self.shared, &ends).await.len() < ends.len() {
            tracing::error!(
                "the card does not take the ends of streams: they go on when Perch is started again"
            );
        }
        // Those who wait for the end of a stream get their answer.
        while let Some(job) = self.jobs.join_next().await {
            if job.is_err_and(|error| error.is_panic()) {
                return Err(anyhow!("a part of going live broke down"));
            }
        }
        Ok(())
    }

    fn answer(&mut self, request: Request) {
        match request {
            Request::Start { new, feed, answer } => self.start(*new, feed, answer),
            Request::Stop { stream, reason, answer } => {
                if let Some(task) = self.tasks.get_mut(&stream) {
                    task.end(reason);
                    task.waiting.push(answer);
                } else {
                    self.stop_absent(stream, reason, answer);
                }
            }
            Request::Press { answer } => {
                if self.presses.len() < PRESSES {
                    self.presses.push_back(answer);
                    self.heed_presses();
                } else {
                    let _ = answer.send(Err(LiveError::Busy));
                }
            }
            Request::Change { stream, visibility, done } => {
                self.shared.change(stream, |on_air| on_air.visibility = visibility);
                let _ = done.send(());
            }
            Request::Forget { gone, done } => {
                self.shared.hide_those(|on_air| match gone {
                    Gone::Stream(stream) => on_air.stream == stream,
                    Gone::User(user) => on_air.user == Some(user),
                });
                let recordings = self.shared.settings.recordings.clone();
                self.jobs.spawn(async move {
                    recordings.remove_deleted().await;
                    let _ = done.send(());
                    Done::Told
                });
            }
            Request::Pin { stream, is_pinned, answer } => {
                let pinned = self.tasks.contains_key(&stream).then(|| self.shared.pin(stream, is_pinned));
                let _ = answer.send(pinned.ok_or(LiveError::NotOnAir));
            }
            Request::ChangeRelays { stream, change } => {
                let (change, refused) = match self.tasks.get(&stream).map(|task| task.relays.clone()) {
                    None => (change, LiveError::NotOnAir),
                    Some(relays) => match relays.try_send(change) {
                        Ok(()) => return,
                        Err(TrySendError::Full(change)) => (change, LiveError::BeingChanged),
                        Err(TrySendError::Closed(change)) => (change, LiveError::NotOnAir),
                    },
                };
                let _ = change.answer.send(Err(refused));
            }
        }
    }

    fn start(
        &mut self,
        new: NewStream,
        feed: Option<Box<dyn Feed>>,
        answer: oneshot::Sender<Result<Stream, LiveError>>,
    ) {
        if self.starts >= STARTS {
            let _ = answer.send(Err(LiveError::Busy));
            return;
        }
        self.starts += 1;
        let (shared, cameras) = (self.shared.clone(), self.cameras.clone());
        self.jobs.spawn(async move {
            match starting::for_a_person(&shared, &cameras, new, feed).await {
                Ok((programme, source, stream)) => Done::Prepared(Box::new(Prepared {
                    programme,
                    source,
                    asker: Asker::Person(Box::new(stream), answer),
                })),
                Err(error) => {
                    let _ = answer.send(Err(error));
                    Done::Unstarted
                }
            }
        });
    }

    /// Handles the button: whoever stands before the camera can end its stream, whoever started it. A press while the
    /// last stream still ends waits for that.
    fn heed_presses(&mut self) {
        while !self.is_pressing
            && let Some(answer) = self.presses.pop_front()
        {
            let ending = self.tasks.iter().filter(|(_, task)| task.stop.is_some());
            let ending: Vec<StreamId> = ending.map(|(stream, _)| *stream).collect();
            if !ending.is_empty() {
                self.tasks.values_mut().for_each(|task| task.end(EndReason::Button));
                let _ = answer.send(Ok(Pressed::Ending(ending)));
            } else if !self.tasks.is_empty() {
                self.presses.push_front(answer);
                return;
            } else {
                self.is_pressing = true;
                let (shared, camera) = (self.shared.clone(), self.cameras[0].clone());
                self.jobs.spawn(async move {
                    match starting::as_usual(&shared, &camera).await {
                        Ok(programme) => Done::Prepared(Box::new(Prepared {
                            programme,
                            source: Source::Camera(camera),
                            asker: Asker::Button(answer),
                        })),
                        Err(error) => {
                            let _ = answer.send(Err(error));
                            Done::Unpressed
                        }
                    }
                });
            }
        }
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Told => {}
            Done::Unstarted => self.starts -= 1,
            Done::Unpressed => self.is_pressing = false,
            Done::Prepared(prepared) => {
                match prepared.asker {
                    Asker::Person(..) => self.starts -= 1,
                    Asker::Button(_) => self.is_pressing = false,
                }
                self.go_live(prepared);
            }
            Done::Written(written) => self.ends.written(&written),
        }
        if self.starts == 0 && self.tasks.values().all(|task| task.next.is_none()) {
            self.stopped_early.clear();
        }
        self.heed_presses();
    }

    /// Puts a stream on the air if its origin is free, or as soon as the appliance's own stream has made room for a
    /// person's.
    fn go_live(&mut self, prepared: Box<Prepared>) {
        let Programme { stream, user, ref origin, .. } = prepared.programme;
        let holder = self.tasks.values_mut().find(|task| task.origin == *origin);
        let refused = if self.stopped_early.remove(&stream) {
            // The store has the end of this stream.
            prepared.asker.tell(stream, Err(LiveError::Stopped));
            return;
        } else if let Some(holder) = holder {
            if holder.user.is_none() && user.is_some() && holder.next.is_none() {
                holder.end(EndReason::User);
                holder.next = Some(prepared);
                return;
            }
            LiveError::OriginTaken(origin.clone())
        } else {
            let Prepared { programme, source, asker } = *prepared;
            match self.put_on_air(programme, source) {
                Ok(()) => return asker.tell(stream, Ok(())),
                Err(error) => {
                    self.give_back(stream, user);
                    return asker.tell(stream, Err(error));
                }
            }
        };
        self.give_back(stream, user);
        prepared.asker.tell(stream, Err(refused));
    }

    fn give_back(&mut self, stream: StreamId, user: Option<UserId>) {
        if user.is_some() {
            let giving = starting::give_back(self.shared.clone(), stream);
            self.jobs.spawn(async {
                giving.await;
                Done::Told
            });
        }
    }

    /// Starts its feed and its task.
    fn put_on_air(&mut self, mut programme: Programme, source: Source) -> Result<(), LiveError> {
        let share = match programme.share.take() {
            Some(share) => share,
            None => self.shared.admit(source.keyframe_interval(), &programme.mode, programme.is_recorded)?,
        };
        let running = Running::start(&self.shared, &programme, share, source)?;
        let (stop, stopped) = oneshot::channel();
        let (relays, changed_relays) = mpsc::channel(CHANGES);
        let task = Task {
            user: programme.user,
            origin: programme.origin,
            stop: Some(stop),
            relays,
            waiting: Vec::new(),
            next: None,
        };
        self.tasks.insert(programme.stream, task);
        self.running.spawn(running.run(stopped, changed_relays));
        Ok(())
    }

    fn finished(&mut self, finished: Finished) -> anyhow::Result<()> {
        let Finished { stream, failed, unwritten } = finished;
        if let Some(next) = self.ended(stream, unwritten) {
            self.go_live(next);
        }
        self.heed_presses();
        if failed { Err(anyhow!("a stream's reader broke down")) } else { Ok(()) }
    }

    /// Answers those who wait for the end of a stream; returns the stream that goes on the air in its place.
    fn ended(&mut self, stream: StreamId, unwritten: Option<End>) -> Option<Box<Prepared>> {
        self.lingering.push_back((Instant::now() + LINGER, stream));
        if let Some(end) = unwritten {
            self.ends.keep(end);
        }
        let Task { waiting, next, .. } = self.tasks.remove(&stream)?;
        if !waiting.is_empty() {
            let shared = self.shared.clone();
            self.jobs.spawn(async move {
                for answer in waiting {
                    let found = shared.store(move |store| store.stream(stream)).await;
                    let complete = |found| match unwritten {
                        Some(end) => end.complete(found, &*shared.clock),
                        None => found,
                    };
                    let found = found.map(complete);
                    let _ = answer.send(found.map_err(LiveError::from));
                }
                Done::Told
            });
        }
        next
    }

    /// Stops a stream without a task: it has ended, or is about to start, or was left by a run whose camera is no
    /// longer configured.
    fn stop_absent(
        &mut self,
        stream: StreamId,
        reason: EndReason,
        answer: oneshot::Sender<Result<Stream, LiveError>>,
    ) {
        let unwritten = self.ends.of(stream);
        if unwritten.is_none() && (self.starts > 0 || self.tasks.values().any(|task| task.next.is_some())) {
            self.stopped_early.insert(stream);
        }
        let (shared, now) = (self.shared.clone(), wall(&*self.shared.clock));
        let clock = shared.clock.clone();
        self.jobs.spawn(async move {
            let ended = shared.store(move |store| {
                let found = store.stream(stream)?;
                if let Some(end) = unwritten {
                    return Ok(end.complete(found, &*clock));
                }
                if found.facts.state != StreamState::Ended {
                    store.end_stream(stream, reason, now)?;
                }
                store.stream(stream)
            });
            let _ = answer.send(ended.await.map_err(LiveError::from));
            Done::Told
        });
    }

    /// Tries again to write the ends that the card did not take.
    fn write_ends(&mut self) {
        let (shared, ends) = (self.shared.clone(), self.ends.take());
        self.jobs.spawn(async move { Done::Written(ends::write(&shared, &ends).await) });
    }

    /// Stops showing an ended stream, unless only the list of streams on the air knows of its end.
    fn hide(&mut self, stream: StreamId) {
        if self.ends.of(stream).is_some() {
            self.lingering.push_back((Instant::now() + LINGER, stream));
        } else {
            self.shared.hide_those(|on_air| on_air.stream == stream);
        }
    }

    /// Takes over a stream that the last run did not end: it is resumed as the same stream, or ends.
    async fn take_up(&mut self, stream: Stream, last_alive: Option<Timestamp>) -> anyhow::Result<()> {
        let (facts, details) = (&stream.facts, &stream.details);
        let now = wall(&*self.shared.clock);
        let since = |from: Timestamp| {
            Duration::from_millis(now.unix_millis().saturating_sub(from.unix_millis()).max(0) as u64)
        };
        let left = details.duration_seconds.map(|seconds| {
            let ran_for = since(facts.live_at.unwrap_or(facts.created_at));
            Duration::from_secs(seconds.into()).saturating_sub(ran_for)
        });
        // A clock that was not set yet says nothing about the length of the outage, so it counts as a moment.
        let away_for = last_alive.map_or(Duration::ZERO, since);
        let camera = self.cameras.iter().find(|camera| camera.config.name == details.camera).cloned();
        let within = self.shared.settings.resume_within;
        let resumable =
            camera.filter(|_| !within.is_zero() && away_for <= within && left != Some(Duration::ZERO));
        let id = facts.id;
        let resumable = resumable.and_then(|camera| {
            let source = Source::Camera(camera);
            let share = self.shared.admit(source.keyframe_interval(), &details.mode, details.record);
            let share = share
                .inspect_err(|error| tracing::error!(stream = %id, "cannot go on with a stream: {error}"));
            Some((source, share.ok()?))
        });
        let Some((source, share)) = resumable else {
            let (reason, ended_at) = match left {
                Some(Duration::ZERO) => (EndReason::Duration, now),
                _ => (
                    EndReason::Interruption,
                    last_alive.filter(|alive| (facts.created_at..=now).contains(alive)).unwrap_or(now),
                ),
            };
            tracing::info!(stream = %id, "a stream that the last run left has ended");
            let deliveries = self.shared.store(move |store| store.end_stream(id, reason, ended_at)).await?;
            (self.shared.tell)(deliveries.into_iter().collect());
            return Ok(());
        };
        tracing::info!(stream = %id, camera = details.camera, "going on with the stream that was cut off");
        let was_live = facts.live_at;
        if was_live.is_some() {
            self.shared.store(move |store| store.stream_interrupted(id)).await?;
        }
        let programme = Programme {
            stream: id,
            user: Some(facts.user),
            origin: Origin::named(&details.camera),
            share: Some(share),
            visibility: facts.visibility,
            mode: details.mode,
            is_recorded: details.record,
            relays: details.relays.clone(),
            ends_in: left,
            state: if was_live.is_some() { StreamState::Interrupted } else { StreamState::Starting },
            zero: self.shared.clock.monotonic().saturating_sub(was_live.map_or(Duration::ZERO, since)),
        };
        self.put_on_air(programme, source).context("cannot go on with a stream")
    }
}

impl Task {
    fn end(&mut self, reason: EndReason) {
        if let Some(stop) = self.stop.take() {
            // A task that is just ending by itself does not receive it, and does not need to.
            let _ = stop.send(reason);
        }
    }
}
