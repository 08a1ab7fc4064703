//! A configured camera as the site knows it, whether it runs or not, and the hardware behind it.

use crate::capture::ability::Ability;
use crate::capture::controls::KeptControls;
use crate::capture::open::ConfiguredCamera;
use crate::capture::source::{Opener, SourceError};
use crate::capture::status::{CaptureCounters, SelfTest};
use crate::capture::supervisor::CameraHandle;
use crate::clock::Clock;
use crate::config;
use perch_store::VideoMode;
use std::sync::Arc;
use tokio::sync::watch;

/// What cameras are made of; tests have their own.
pub trait Hardware: Send + Sync + 'static {
    /// What can be asked of a camera. Blocks while the board is looked at.
    fn ability(&self, wanted: &config::Camera) -> Result<Ability, SourceError>;
    /// What opens it.
    fn opener(
        &self,
        wanted: config::Camera,
        counters: Arc<CaptureCounters>,
        self_test: watch::Sender<SelfTest>,
    ) -> Box<dyn Opener>;
}

/// This board's.
pub struct BoardHardware {
    /// The kernel's.
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
    /// The thread that runs it, or the last one that did.
    handle: watch::Sender<CameraHandle>,
    /// Of all its threads.
    pub(super) counters: Arc<CaptureCounters>,
    /// What was chosen to run it with when it was opened last, and why not something else.
    pub self_test: watch::Sender<SelfTest>,
}

impl LiveCamera {
    /// One that is off.
    pub fn new(config: config::Camera) -> Self {
        Self {
            handle: watch::Sender::new(CameraHandle::idle(&config.name)),
            config: Arc::new(config),
            counters: Arc::default(),
            self_test: watch::Sender::default(),
        }
    }

    /// How it is doing now.
    pub fn handle(&self) -> CameraHandle {
        self.handle.borrow().clone()
    }

    pub(super) fn is_run_by(&self, handle: CameraHandle) {
        self.handle.send_replace(handle);
    }

    /// Its thread hangs in the kernel and was left behind: what it last said is no news of the camera any more.
    pub(super) fn is_left_behind(&self) {
        self.handle.send_replace(CameraHandle::idle(&self.config.name));
    }

    /// As configured, but in this mode.
    pub(super) fn in_mode(&self, mode: &VideoMode) -> config::Camera {
        config::Camera {
            width: mode.width,
            height: mode.height,
            frames_per_second: f64::from(mode.frames_per_second),
            bitrate_kbps: mode.bitrate_kbps,
            ..(*self.config).clone()
        }
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
