//! A configured camera as the site sees it, running or not, and the hardware behind it.

use super::error::LiveError;
use crate::capture::ability::Ability;
use crate::capture::controls::KeptControls;
use crate::capture::microphones::Microphones;
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

/// The hardware of cameras; tests have their own.
pub trait Hardware: Send + Sync + 'static {
    /// The ability of a camera. Blocks while the board is probed: usually milliseconds, seconds if a driver hangs.
    fn ability(&self, wanted: &config::Camera) -> Result<Ability, SourceError>;
    /// The opener of a camera.
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
    /// The picture controls that people have set.
    pub controls: KeptControls,
    /// Settings and states of the microphones.
    pub microphones: Microphones,
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
        Box::new(camera.with_controls(self.controls.clone()).with_microphones(self.microphones.clone()))
    }
}

/// A configured camera; clones share it.
#[derive(Clone)]
pub struct LiveCamera {
    /// The configuration; a stream may run it in another mode.
    pub config: Arc<config::Camera>,
    /// Its running feed, or the last one.
    handle: watch::Sender<FeedStatus>,
    /// Only one thread at a time asks the board about it, so that others do not join one that hangs in a driver.
    turn: Arc<Semaphore>,
    /// Counters of all its feeds.
    pub(super) counters: Arc<CaptureCounters>,
    /// The choice at its last opening, and the reasons against others.
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

    /// Its present feed's status.
    pub fn handle(&self) -> FeedStatus {
        self.handle.borrow().clone()
    }

    pub(super) fn is_run_by(&self, handle: FeedStatus) {
        self.handle.send_replace(handle);
    }

    /// Marks the camera as off because its thread hangs in the kernel and was left behind: the thread's last state is
    /// no longer true.
    pub(super) fn is_left_behind(&self) {
        self.handle.send_replace(FeedStatus::idle(&self.config.name));
    }

    /// The camera's ability. Probes on a thread of its own for `deadline` at most: a board that hangs must not take one
    /// of the few threads that the store's calls need.
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
                // The caller may have given up.
                let _ = tell.send(hardware.ability(&wanted));
                drop(turn);
            })?;
            let ability = told.await.map_err(|_| hangs())?;
            ability.map_err(|error| LiveError::CameraUnavailable(error.to_string()))
        };
        tokio::time::timeout(deadline, looking).await.unwrap_or_else(|_| Err(hangs()))
    }

    /// A feed of this camera in this mode.
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

    /// The configuration, with this mode.
    fn in_mode(&self, mode: &VideoMode) -> config::Camera {
        config::Camera {
            width: mode.width,
            height: mode.height,
            frames_per_second: f64::from(mode.frames_per_second),
            bitrate_kbps: mode.bitrate_kbps,
            ..(*self.config).clone()
        }
    }

    /// Configured interval of key frames.
    pub(super) fn keyframe_interval(&self) -> Duration {
        Duration::from_secs_f64(self.config.keyframe_interval_seconds)
    }

    /// The configured mode.
    pub fn usual_mode(&self) -> VideoMode {
        VideoMode {
            width: self.config.width,
            height: self.config.height,
            frames_per_second: self.config.frames_per_second.round() as u32,
            bitrate_kbps: self.config.bitrate_kbps,
        }
    }
}
