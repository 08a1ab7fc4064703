//! Looks after recordings while the daemon runs: what is too old or too much is deleted, and what a failing card left undone is done.

use super::recordings::Recordings;
use perch_store::{RecordingState, StoreError};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How often. A recording that grows makes its room itself.
const PERIOD: Duration = Duration::from_mins(1);

/// Runs until it is aborted. The first look is at once.
pub async fn run(recordings: Recordings) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let tended = recordings.clone();
        match tokio::task::spawn_blocking(move || tended.tend()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("recordings are looked after later: {error}"),
            // The runtime ends.
            Err(_) => return,
        }
    }
}

impl Recordings {
    /// Closes recordings that a power cut or a failing card left unfinished, from their own bytes. One without a picture is deleted.
    pub(super) fn close_what_was_left(&self) -> Result<(), StoreError> {
        let _tidying = self.tidying();
        if let Err(error) = self.0.folder.find() {
            tracing::debug!("recordings are not looked after: {error}");
            return Ok(());
        }
        for recording in self.0.store.all_recordings()? {
            let is_left = recording.state == RecordingState::Recording
                && !self.growing().contains_key(&recording.stream);
            if is_left {
                match self.close(&recording) {
                    Ok(Some(growth)) => self.write_end(recording.stream, growth)?,
                    // Its disk is away, and another one in its place, or the folder that it was mounted on.
                    Ok(None) if !self.0.folder.keeps_all(recording.stream) => {}
                    Ok(None) => self.0.store.delete_recording(recording.stream)?,
                    Err(error) => {
                        tracing::warn!(recording = recording.name, "a recording is closed later: {error}");
                    }
                }
            }
        }
        Ok(())
    }

    /// Renames the files of recordings whose dates were corrected.
    pub(super) fn correct_names(&self) -> Result<(), StoreError> {
        let _tidying = self.tidying();
        for recording in self.all()? {
            if !recording.is_name_outdated || self.growing().contains_key(&recording.stream) {
                continue;
            }
            let title = self.0.store.stream(recording.stream)?.details.title;
            let name = Self::name_of(recording.started_at, &title, recording.stream);
            // The store first: whatever the power cuts short, the files are found by what their names end with.
            let named =
                self.0.store.change_recording(recording.stream, |known| known.name.clone_from(&name))?;
            match self.0.folder.rename(recording.stream, &name) {
                Ok(()) => {
                    self.0
                        .store
                        .change_recording(recording.stream, |known| known.is_name_outdated = false)?;
                    self.describe(&named);
                }
                Err(error) => tracing::warn!(name, "a recording is renamed later: {error}"),
            }
        }
        Ok(())
    }
}
