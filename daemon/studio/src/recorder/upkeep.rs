//! Upkeep of recordings while the daemon runs: deletes what is too old or exceeds the budget, and finishes what a failing card prevented.

use super::recordings::Recordings;
use perch_store::{RecordingState, StoreError};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// Interval. A recording that is growing makes room for itself.
const PERIOD: Duration = Duration::from_mins(1);

/// Runs until it is aborted, for the first time at once.
pub async fn run(recordings: Recordings) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let tended = recordings.clone();
        match tokio::task::spawn_blocking(move || tended.tend()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("recordings are looked after later: {error}"),
            // The runtime is shutting down.
            Err(_) => return,
        }
    }
}

impl Recordings {
    /// Closes recordings that a power cut or a failing card left unfinished, by recovering them. A recording without a picture is deleted.
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
                    // Its disk is not mounted: another one is in its place, or the bare mount point is.
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
            // The store first: if the power fails in between, the files are still found by the id at the end of their names.
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
