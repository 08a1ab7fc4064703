//! A configured camera as the site knows it, whether it runs or not, and the hardware behind it.

use super::error::LiveError;
use crate::capture::ability::Ability;
use crate::capture::controls::KeptControls;
use crate::capture::open::ConfiguredCamera;
use crate::capture::source::{Opener, SourceError};
use crate::capture::status::{CaptureCounters, SelfTest};
use crate::capture::supervisor::CameraFeed;
use crate::clock::Clock;
use crate::config;
use crate::feed::{Feed, FeedStatus};
use perch_store::VideoMode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot, watch};

/// What cameras are made of; tests have their own.
pub trait Hardware: Send + Sync + 'static {
    /// What can be asked of a camera. Blocks while the board is probed: milliseconds as a rule, seconds where a driver hangs.
    fn ability(&self, wanted: &config::Camera) -> Result<Ability, SourceError>;
    /// What opens the camera.
    fn opener(
        &self,
        wanted: config::Camera,
        counters: Arc<CaptureCounters>,
        self_test: watch::Sender<SelfTest>,
    ) -> Box<dyn Opener>;
}

/// This board's hardware.
pub struct BoardHardware {
    /// The kernel's clock.
    pub clock: Arc<dyn Clock>,
    /// What people have set of the cameras' pictures.
    pub controls: KeptControls,
}

impl Hardware for BoardHardware {
    fn ability(&self, wanted: &config::Camera) -> Result<Ability, SourceError> {
        Ability::find_out(wanted)
    }

    fn opener(
        &self,
        wanted: config::Camera,
        counters: Arc<CaptureCounters>,
        self_test: watch::Sender<SelfTest>,
    ) -> Box<dyn Opener> {
        let camera = ConfiguredCamera::new(wanted, self.clock.clone(), counters, self_test);
        Box::new(camera.with_controls(self.controls.clone()))
    }
}

/// A configured camera; clones are the same.
#[derive(Clone)]
pub struct LiveCamera {
    /// As configured; a stream may have it in another mode.
    pub config: Arc<config::Camera>,
    /// Its feed that runs, or the last one that did.
    handle: watch::Sender<FeedStatus>,
    /// One thread asks the board about it at a time: one that hangs in a driver is not joined by others.
    turn: Arc<Semaphore>,
    /// Of all its feeds.
    pub(super) counters: Arc<CaptureCounters>,
    /// What was chosen to run it with when it was opened last, and why not something else.
    pub self_test: watch::Sender<SelfTest>,
}

impl LiveCamera {
    /// A camera that is off.
    pub fn new(config: config::Camera) -> Self {
        Self {
            handle: watch::Sender::new(FeedStatus::idle(&config.name)),
            config: Arc::new(config),
            turn: Arc::new(Semaphore::new(1)),
            counters: Arc::default(),
            self_test: watch::Sender::default(),
        }
    }

    /// How it is doing now.
    pub fn handle(&self) -> FeedStatus {
        self.handle.borrow().clone()
    }

    pub(super) fn is_run_by(&self, handle: FeedStatus) {
        self.handle.send_replace(handle);
    }

    /// Its thread hangs in the kernel and was left behind: its last state says nothing of the camera any more.
    pub(super) fn is_left_behind(&self) {
        self.handle.send_replace(FeedStatus::idle(&self.config.name));
    }

    /// What can be asked of it. Looks on a thread of its own for `deadline` at most: a board that hangs must not take one of the few threads that the
    /// store's calls need.
    pub(super) async fn ability(
        &self,
        hardware: Arc<dyn Hardware>,
        deadline: Duration,
    ) -> Result<Ability, LiveError> {
        let name = &self.config.name;
        let hangs =
            || LiveError::CameraUnavailable(format!("the board does not say what camera {name} can do"));
        let looking = async {
            let turn = self.turn.clone().acquire_owned().await.map_err(|_| hangs())?;
            let (wanted, (tell, told)) = (self.config.clone(), oneshot::channel());
            std::thread::Builder::new().name(format!("probe-{name}")).spawn(move || {
                // Who asked may have given up.
                let _ = tell.send(hardware.ability(&wanted));
                drop(turn);
            })?;
            let ability = told.await.map_err(|_| hangs())?;
            ability.map_err(|error| LiveError::CameraUnavailable(error.to_string()))
        };
        tokio::time::timeout(deadline, looking).await.unwrap_or_else(|_| Err(hangs()))
    }

    /// A feed of it in this mode.
    pub(super) fn feed(
        &self,
        hardware: &dyn Hardware,
        mode: &VideoMode,
        clock: Arc<dyn Clock>,
    ) -> Box<dyn Feed> {
        let wanted = self.in_mode(mode);
        let name = wanted.name.clone();
        let opener = hardware.opener(wanted, self.counters.clone(), self.self_test.clone());
        Box::new(CameraFeed { name, opener, counters: self.counters.clone(), clock })
    }

    /// As configured, but in this mode.
    fn in_mode(&self, mode: &VideoMode) -> config::Camera {
        config::Camera {
            width: mode.width,
            height: mode.height,
            frames_per_second: f64::from(mode.frames_per_second),
            bitrate_kbps: mode.bitrate_kbps,
            ..(*self.config).clone()
        }
    }

    /// Between key frames, as configured.
    pub(super) fn keyframe_interval(&self) -> Duration {
        Duration::from_secs_f64(self.config.keyframe_interval_seconds)
    }

    /// The mode that is configured.
    pub fn usual_mode(&self) -> VideoMode {
        VideoMode {
            width: self.config.width,
            height: self.config.height,
            frames_per_second: self.config.frames_per_second.round() as u32,
            bitrate_kbps: self.config.bitrate_kbps,
        }
    }
}
