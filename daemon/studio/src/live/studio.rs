//! The owner of what is on the air: starts streams, stops them, and takes up those that the last run left.

use super::camera::{Hardware, LiveCamera};
use super::running::{Finished, Programme, Running};
use super::{Gone, LiveError, LiveHandle, OnAir, Pressed, Request};
use crate::capture::ability::Ability;
use crate::clock::wall;
use crate::clock::{Clock, until};
use crate::hls::{HlsMetrics, HlsSettings};
use crate::memory_budget::{MemoryBudget, NoMemory, StreamShare};
use anyhow::{Context as _, anyhow};
use perch_store::{
    Delivery, EndReason, NewStream, Role, Store, StoreError, Stream, StreamId, StreamState, Timestamp, User,
    UserId, VideoMode, Visibility,
};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// People who wait for an answer at once.
const REQUESTS: usize = 32;
/// The end of a stream can be watched for so long.
const LINGER: Duration = Duration::from_mins(1);
/// For the board to say what a camera can do.
const LOOKING: Duration = Duration::from_secs(5);

/// Told of what followers are to be told of.
pub type Tell = Arc<dyn Fn(Vec<Delivery>) + Send + Sync>;

/// How streams are made.
#[derive(Clone, Debug)]
pub struct LiveSettings {
    /// Length of a segment.
    pub segment: Duration,
    /// What the playlist covers.
    pub window: Duration,
    /// Go live with the first camera when the daemon starts.
    pub autostart: bool,
    /// A stream that was cut off by a crash or a power cut goes on if that was not longer ago; zero: never.
    pub resume_within: Duration,
    /// Where streams take their memory from.
    pub memory: MemoryBudget,
}

impl LiveSettings {
    pub(super) fn hls(&self, keyframe_interval: Duration) -> HlsSettings {
        HlsSettings { segment: self.segment, window: self.window, keyframe_interval }
    }
}

/// What the studio and the streams' tasks share.
pub(super) struct Shared {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) hardware: Arc<dyn Hardware>,
    pub(super) settings: LiveSettings,
    pub(super) hls_metrics: Arc<HlsMetrics>,
    pub(super) tell: Tell,
    store: Arc<Store>,
    on_air: watch::Sender<Arc<[OnAir]>>,
}

impl Shared {
    pub(super) async fn store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.store.clone();
        tokio::task::spawn_blocking(move || work(&store)).await.expect("the store does not panic")
    }

    /// Memory for one more stream of `camera`, in this mode.
    fn admit(&self, camera: &LiveCamera, mode: &VideoMode) -> Result<StreamShare, NoMemory> {
        let keyframe_interval = Duration::from_secs_f64(camera.config.keyframe_interval_seconds);
        let target = self.settings.segment.max(keyframe_interval);
        let least = MemoryBudget::least_of_stream(mode.bitrate_kbps, target);
        self.settings.memory.admit_stream(least)
    }

    pub(super) fn show(&self, new: OnAir) {
        self.on_air.send_modify(|all| *all = all.iter().cloned().chain([new]).collect());
    }

    pub(super) fn change(&self, stream: StreamId, change: impl FnOnce(&mut OnAir)) {
        self.on_air.send_modify(|all| {
            let mut changed = all.to_vec();
            if let Some(on_air) = changed.iter_mut().find(|on_air| on_air.stream == stream) {
                change(on_air);
            }
            *all = changed.into();
        });
    }

    /// Something that is not in the list has changed: how a camera is doing.
    pub(super) fn news(&self) {
        self.on_air.send_modify(|_| ());
    }

    fn hide_those(&self, are_hidden: impl Fn(&OnAir) -> bool) {
        self.on_air
            .send_modify(|all| *all = all.iter().filter(|on_air| !are_hidden(on_air)).cloned().collect());
    }
}

/// A stream's task, as the studio holds it.
struct Task {
    user: Option<UserId>,
    camera: String,
    /// Taken when it is told to stop.
    stop: Option<oneshot::Sender<EndReason>>,
    /// Who waits for its end.
    waiting: Vec<oneshot::Sender<Result<Stream, LiveError>>>,
}

/// The owner of what is on the air.
pub struct Studio {
    shared: Arc<Shared>,
    cameras: Arc<[LiveCamera]>,
    requests: mpsc::Receiver<Request>,
    tasks: HashMap<StreamId, Task>,
    running: JoinSet<Finished>,
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
            lingering: VecDeque::new(),
        };
        (studio, LiveHandle { requests: asked, on_air: seen })
    }

    /// Takes up what the last run left, and goes live by itself where that is asked for. `last_alive` is when that run wrote last.
    pub async fn open(&mut self, last_alive: Option<Timestamp>) -> anyhow::Result<()> {
        let left = self.shared.store(Store::unfinished_streams).await?;
        for stream in left {
            self.take_up(stream, last_alive).await?;
        }
        if self.shared.settings.autostart && self.tasks.is_empty() {
            self.start_as_usual().await.context("cannot go live by itself")?;
        } else if self.tasks.is_empty() {
            tracing::info!("nothing is live: go live on the page, or set live.autostart = true");
        }
        Ok(())
    }

    /// Runs until `closing` completes, and then ends every stream. An error where a part broke down that only a restart puts together again.
    pub async fn run(mut self, closing: impl Future<Output = ()>) -> anyhow::Result<()> {
        let mut closing = std::pin::pin!(closing);
        loop {
            let hide_at = self.lingering.front().map(|(at, _)| *at);
            tokio::select! {
                () = &mut closing => break,
                request = self.requests.recv() => match request {
                    Some(request) => self.answer(request).await,
                    None => break,
                },
                Some(finished) = self.running.join_next() => {
                    self.finished(finished.context("a stream's task broke down")?).await?;
                }
                () = until(hide_at) => {
                    if let Some((_, stream)) = self.lingering.pop_front() {
                        self.shared.hide_those(|on_air| on_air.stream == stream);
                    }
                }
            }
        }
        self.requests.close();
        for task in self.tasks.values_mut() {
            task.end(EndReason::Shutdown);
        }
        while let Some(finished) = self.running.join_next().await {
            self.finished(finished.context("a stream's task broke down")?).await?;
        }
        Ok(())
    }

    async fn answer(&mut self, request: Request) {
        match request {
            Request::Start { new, answer } => {
                let started = self.start(*new).await;
                // Who asked may be gone; the stream is there.
                let _ = answer.send(started);
            }
            Request::Stop { stream, reason, answer } => {
                if let Some(task) = self.tasks.get_mut(&stream) {
                    task.end(reason);
                    task.waiting.push(answer);
                } else {
                    let _ = answer.send(self.stop_absent(stream, reason).await);
                }
            }
            Request::Press { answer } => {
                let pressed = self.press().await;
                let _ = answer.send(pressed);
            }
            Request::Forget { gone, done } => {
                self.shared.hide_those(|on_air| match gone {
                    Gone::Stream(stream) => on_air.stream == stream,
                    Gone::User(user) => on_air.user == Some(user),
                });
                let _ = done.send(());
            }
            Request::Change { stream, visibility, done } => {
                self.shared.change(stream, |on_air| on_air.visibility = visibility);
                let _ = done.send(());
            }
        }
    }

    async fn start(&mut self, new: NewStream) -> Result<Stream, LiveError> {
        let Some(camera) = self.cameras.iter().find(|camera| camera.config.name == new.camera).cloned()
        else {
            let there: Vec<_> = self.cameras.iter().map(|camera| camera.config.name.as_str()).collect();
            return Err(LiveError::NoSuchCamera { camera: new.camera, there: there.join(", ") });
        };
        self.ability(&camera).await?.check(&new.mode)?;
        self.take_from_the_appliance(&new.camera).await?;
        let share = self.shared.admit(&camera, &new.mode)?;
        let (asked, now) = (new.clone(), wall(&*self.shared.clock));
        let stream = self.shared.store(move |store| store.start_stream(&asked, now)).await?;
        let programme = Programme {
            stream: stream.facts.id,
            user: Some(new.user),
            share,
            visibility: new.visibility,
            mode: new.mode,
            ends_in: new.duration_seconds.map(|seconds| Duration::from_secs(seconds.into())),
            state: StreamState::Starting,
            zero: self.shared.clock.monotonic(),
        };
        self.put_on_air(&camera, &programme).await?;
        Ok(stream)
    }

    async fn ability(&self, camera: &LiveCamera) -> Result<Ability, LiveError> {
        let (hardware, wanted) = (self.shared.hardware.clone(), camera.config.clone());
        let looking = tokio::task::spawn_blocking(move || hardware.ability(&wanted));
        let looked = tokio::time::timeout(LOOKING, looking).await;
        let Ok(looked) = looked else {
            let hangs = format!("the board does not say what camera {} can do", camera.config.name);
            return Err(LiveError::CameraUnavailable(hangs));
        };
        let ability = looked.map_err(|error| LiveError::CameraUnavailable(error.to_string()))?;
        ability.map_err(|error| LiveError::CameraUnavailable(error.to_string()))
    }

    /// The appliance's own stream makes room for a person's.
    async fn take_from_the_appliance(&mut self, camera: &str) -> Result<(), LiveError> {
        let own = self.tasks.iter_mut().find(|(_, task)| task.user.is_none() && task.camera == camera);
        let Some((&own, task)) = own else { return Ok(()) };
        task.end(EndReason::User);
        self.wait_for_the_end_of(own).await
    }

    /// Waits until a stream that was told to end has let go of its camera.
    async fn wait_for_the_end_of(&mut self, stream: StreamId) -> Result<(), LiveError> {
        while self.tasks.contains_key(&stream) {
            let Some(finished) = self.running.join_next().await else { break };
            let finished = finished.map_err(|_| LiveError::ShuttingDown)?;
            self.finished(finished).await.map_err(|_| LiveError::ShuttingDown)?;
        }
        Ok(())
    }

    /// The button: whoever stands before the camera can end what it shows, whoever started it.
    async fn press(&mut self) -> Result<Pressed, LiveError> {
        let mut ending = Vec::new();
        for (stream, task) in &mut self.tasks {
            if task.stop.is_some() {
                task.end(EndReason::Button);
                ending.push(*stream);
            }
        }
        if !ending.is_empty() {
            return Ok(Pressed::Ending(ending));
        }
        // Pressed again while the last one still ends.
        let ending: Vec<_> = self.tasks.keys().copied().collect();
        for stream in ending {
            self.wait_for_the_end_of(stream).await?;
        }
        self.start_as_usual().await.map(Pressed::Started)
    }

    /// Starts its task. Where that fails the store does not keep it as running.
    async fn put_on_air(&mut self, camera: &LiveCamera, programme: &Programme) -> Result<(), LiveError> {
        let running = match Running::start(&self.shared, camera, programme) {
            Ok(running) => running,
            Err(error) => {
                if programme.user.is_some() {
                    let (id, now) = (programme.stream, wall(&*self.shared.clock));
                    self.shared
                        .store(move |store| store.end_stream(id, EndReason::Interruption, now))
                        .await?;
                }
                return Err(error.into());
            }
        };
        let (stop, stopped) = oneshot::channel();
        let task = Task {
            user: programme.user,
            camera: camera.config.name.clone(),
            stop: Some(stop),
            waiting: Vec::new(),
        };
        self.tasks.insert(programme.stream, task);
        self.running.spawn(running.run(stopped));
        Ok(())
    }

    async fn finished(&mut self, finished: Finished) -> anyhow::Result<()> {
        let Finished { stream, failed } = finished;
        self.lingering.push_back((Instant::now() + LINGER, stream));
        for answer in self.tasks.remove(&stream).into_iter().flat_map(|task| task.waiting) {
            let found = self.shared.store(move |store| store.stream(stream)).await;
            let _ = answer.send(found.map_err(LiveError::from));
        }
        if failed { Err(anyhow!("the way of the pictures broke down")) } else { Ok(()) }
    }

    /// A stream that no task runs has ended, or was left by a run whose camera is configured no more.
    async fn stop_absent(&self, stream: StreamId, reason: EndReason) -> Result<Stream, LiveError> {
        let now = wall(&*self.shared.clock);
        let ended = self.shared.store(move |store| {
            if store.stream(stream)?.facts.state != StreamState::Ended {
                store.end_stream(stream, reason, now)?;
            }
            store.stream(stream)
        });
        Ok(ended.await?)
    }

    /// A stream that the last run did not end: goes on as the same stream, or ends.
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
        // A clock that was not set yet says nothing about how long that was: as far as is known, it was a moment.
        let away_for = last_alive.map_or(Duration::ZERO, since);
        let camera = self.cameras.iter().find(|camera| camera.config.name == details.camera).cloned();
        let within = self.shared.settings.resume_within;
        let resumable =
            camera.filter(|_| !within.is_zero() && away_for <= within && left != Some(Duration::ZERO));
        let id = facts.id;
        let resumable = resumable.and_then(|camera| {
            let share = self.shared.admit(&camera, &details.mode);
            let share = share
                .inspect_err(|error| tracing::error!(stream = %id, "cannot go on with a stream: {error}"));
            Some((camera, share.ok()?))
        });
        let Some((camera, share)) = resumable else {
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
            share,
            visibility: facts.visibility,
            mode: details.mode,
            ends_in: left,
            state: if was_live.is_some() { StreamState::Interrupted } else { StreamState::Starting },
            zero: self.shared.clock.monotonic().saturating_sub(was_live.map_or(Duration::ZERO, since)),
        };
        self.put_on_air(&camera, &programme).await.context("cannot go on with a stream")
    }

    /// Goes live with the first camera as it is configured, for the owner; before there is one, for the appliance itself.
    async fn start_as_usual(&mut self) -> Result<StreamId, LiveError> {
        // The configuration has one at least.
        let camera = self.cameras[0].clone();
        let mode = camera.usual_mode();
        let share = self.shared.admit(&camera, &mode)?;
        let (owner, title) =
            self.shared.store(|store| Ok((first_owner(store)?, store.settings()?.site_name))).await?;
        let (stream, user) = match owner {
            Some(owner) => {
                let new = NewStream {
                    user: owner.id,
                    title,
                    description: String::new(),
                    topics: Vec::new(),
                    camera: camera.config.name.clone(),
                    mode,
                    duration_seconds: None,
                    record: false,
                    visibility: Visibility::Public,
                    relays: Vec::new(),
                };
                let now = wall(&*self.shared.clock);
                let stream = self.shared.store(move |store| store.start_stream(&new, now)).await?;
                (stream.facts.id, Some(owner.id))
            }
            None => (self.id_of_its_own()?, None),
        };
        let programme = Programme {
            stream,
            user,
            share,
            visibility: Visibility::Public,
            mode,
            ends_in: None,
            state: StreamState::Starting,
            zero: self.shared.clock.monotonic(),
        };
        self.put_on_air(&camera, &programme).await?;
        Ok(stream)
    }

    /// An id as the store makes them (ULID), for what the store does not know.
    fn id_of_its_own(&self) -> Result<StreamId, LiveError> {
        let mut random = [0; 16];
        getrandom::fill(&mut random)?;
        let millis = u128::from(wall(&*self.shared.clock).unix_millis().max(0) as u64);
        Ok(StreamId::from_number(millis << 80 | u128::from_be_bytes(random) >> 48))
    }
}

impl Task {
    fn end(&mut self, reason: EndReason) {
        if let Some(stop) = self.stop.take() {
            // A task that is just ending by itself does not hear it, and need not.
            let _ = stop.send(reason);
        }
    }
}

/// The owner whose account is the oldest.
fn first_owner(store: &Store) -> Result<Option<User>, StoreError> {
    const AT_A_TIME: usize = 100;
    let (mut oldest, mut before) = (None, None);
    loop {
        let users = store.users(before, AT_A_TIME)?;
        let Some(last) = users.last() else { return Ok(oldest) };
        before = Some(last.id);
        oldest = users.into_iter().rfind(|user| user.role == Role::Owner).or(oldest);
    }
}
