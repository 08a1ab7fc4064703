//! The sizes of storyboards.

use super::folder::Folder;
use super::names;
use perch_store::{Recording, StreamId};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Bytes of each storyboard, read from the folder each minute and updated as they grow. They are not in the store, which would have to be written
/// for each sheet.
#[derive(Debug, Default)]
pub(super) struct StoryboardSizes(Mutex<Option<BTreeMap<String, u64>>>);

impl StoryboardSizes {
    fn with<T>(&self, work: impl FnOnce(&mut Option<BTreeMap<String, u64>>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the sizes from the folder. If that fails, the sizes known before are kept.
    pub(super) fn measure(&self, folder: &Folder) {
        let Ok(files) = folder.files() else { return };
        let boards = files.into_iter().filter(|found| found.extension == names::STORYBOARD);
        let sizes = boards.filter_map(|found| {
            let id = names::id_of(&found.name)?.to_owned();
            Some((id, std::fs::metadata(&found.path).ok()?.len()))
        });
        let sizes = sizes.collect();
        self.with(|known| *known = Some(sizes));
    }

    pub(super) fn set(&self, stream: StreamId, bytes: u64) {
        self.with(|known| known.get_or_insert_default().insert(names::id_part(stream), bytes));
    }

    pub(super) fn forget(&self, stream: StreamId) {
        self.with(|known| known.as_mut().and_then(|known| known.remove(&names::id_part(stream))));
    }

    /// Adds the storyboards' bytes to the recordings'.
    pub(super) fn add_to(&self, all: &mut [Recording], folder: &Folder) {
        if self.with(|known| known.is_none()) {
            self.measure(folder);
        }
        self.with(|known| {
            for recording in all {
                let bytes = known.as_ref().and_then(|known| known.get(&names::id_part(recording.stream)));
                recording.bytes += bytes.copied().unwrap_or_default();
            }
        });
    }
}
