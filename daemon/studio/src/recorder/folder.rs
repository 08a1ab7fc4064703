//! The folder that recordings lie in: on the card, or on a disk that may be pulled and come back.

use super::keeping::Card;
use super::names;
use perch_store::StreamId;
use rustix::fs::{StatVfsMountFlags, statfs, statvfs};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// FAT12, FAT16 and FAT32 (statfs(2), `MSDOS_SUPER_MAGIC`): a file has at most 4 GiB.
const FAT: i64 = 0x4d44;
/// A part is closed at this length if the file system limits files to 4 GiB.
const PART_ON_FAT: u64 = 3_900_000_000;

/// The folder of the recordings.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// True if it is in the data directory, where it is created when missing. A configured folder is never created: if it is missing, its disk is.
    is_own: bool,
}

/// A file of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) name: String,
    pub(super) part: u32,
    pub(super) extension: String,
}

impl Folder {
    pub(super) const fn new(path: PathBuf, is_own: bool) -> Self {
        Self { path, is_own }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Checks that it exists and that its file system takes writes. A file that is already open does not show that: ext4 that was
    /// remounted read-only by force accepts writes to it, answers fdatasync(2) with success, and writes nothing.
    pub(super) fn find(&self) -> io::Result<()> {
        match std::fs::metadata(&self.path) {
            Ok(found) if found.is_dir() && self.is_read_only() => Err(Errno::ROFS.into()),
            Ok(found) if found.is_dir() => Ok(()),
            Ok(_) => Err(io::ErrorKind::NotADirectory.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.is_own => {
                use std::os::unix::fs::DirBuilderExt as _;
                std::fs::DirBuilder::new().mode(0o750).create(&self.path)
            }
            Err(error) => Err(error),
        }
    }

    /// Size and free space of its file system.
    pub(super) fn card(&self) -> io::Result<Card> {
        let found = statvfs(&self.path)?;
        Ok(Card {
            total: found.f_blocks.saturating_mul(found.f_frsize),
            free: found.f_bavail.saturating_mul(found.f_frsize),
        })
    }

    /// True if its file system is mounted read-only, which ext4 does by itself after an error.
    pub(super) fn is_read_only(&self) -> bool {
        statvfs(&self.path).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY))
    }

    /// The number of the disk that it is on (`st_dev`).
    pub(super) fn device(&self) -> io::Result<u64> {
        Ok(std::fs::metadata(&self.path)?.dev())
    }

    /// Largest size of a part in bytes, if its file system has a limit.
    pub(super) fn longest_part(&self) -> Option<u64> {
        #[allow(clippy::unnecessary_cast, reason = "the type differs from board to board")]
        let kind = statfs(&self.path).ok()?.f_type as i64;
        (kind == FAT).then_some(PART_ON_FAT)
    }

    /// All files of recordings, in no particular order.
    pub(super) fn files(&self) -> io::Result<Vec<Found>> {
        let mut all = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            let path = entry?.path();
            let file_name = path.file_name().and_then(|name| name.to_str());
            if let Some((name, part, extension)) = file_name.and_then(names::taken_apart) {
                let (name, extension) = (name.to_owned(), extension.to_owned());
                all.push(Found { path, name, part, extension });
            }
        }
        Ok(all)
    }

    fn files_of(&self, stream: StreamId) -> io::Result<impl Iterator<Item = Found> + use<>> {
        let id = names::id_part(stream);
        Ok(self.files()?.into_iter().filter(move |found| found.name.ends_with(&id)))
    }

    /// False if files of a stream's recording may be on a disk that is not mounted: none of them is here, and the folder is a configured one.
    pub(super) fn keeps_all(&self, stream: StreamId) -> bool {
        self.is_own || self.files_of(stream).is_ok_and(|mut files| files.next().is_some())
    }

    /// Removes every file of a stream's recording.
    pub(super) fn remove(&self, stream: StreamId) -> io::Result<()> {
        for found in self.files_of(stream)? {
            match std::fs::remove_file(&found.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.sync()
    }

    /// Renames every file of a stream's recording. If a power cut interrupts it, a second call renames the rest.
    pub(super) fn rename(&self, stream: StreamId, name: &str) -> io::Result<()> {
        for found in self.files_of(stream)? {
            let named = names::file(&self.path, name, found.part, &found.extension);
            if named != found.path {
                std::fs::rename(&found.path, named)?;
            }
        }
        self.sync()
    }

    /// Syncs the folder, so that new and renamed files survive a power cut.
    pub(super) fn sync(&self) -> io::Result<()> {
        match File::open(&self.path)?.sync_all() {
            // FAT through FUSE cannot sync a folder, and writes its entries at once.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            synced => synced,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "01KB5VV5A0T3Y6Y0R9WQX3W4NM";

    fn listed(folder: &Folder) -> Vec<String> {
        let mut all: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        all.sort();
        all
    }

    #[test]
    fn files_of_one_recording_are_renamed_and_removed_and_others_stay() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path().join("recordings"), true);
        folder.find().unwrap();
        folder.find().unwrap();
        for file in [
            "a X3W4NM.mp4",
            "a X3W4NM.index",
            "b X3W4NM part 2.mp4",
            "a X3W4NM.json",
            "a X3W4NM.storyboard",
            "a X3W4NN.mp4",
            "X3W4NM.txt",
        ] {
            std::fs::write(folder.path().join(file), file).unwrap();
        }
        // One file already had its new name when the power failed.
        folder.rename(STREAM.parse().unwrap(), "b X3W4NM").unwrap();
        assert_eq!(
            listed(&folder),
            [
                "X3W4NM.txt",
                "a X3W4NN.mp4",
                "b X3W4NM part 2.mp4",
                "b X3W4NM.index",
                "b X3W4NM.json",
                "b X3W4NM.mp4",
                "b X3W4NM.storyboard"
            ]
        );
        folder.remove(STREAM.parse().unwrap()).unwrap();
        assert_eq!(listed(&folder), ["X3W4NM.txt", "a X3W4NN.mp4"]);
        assert!(folder.card().unwrap().total > 0);
    }

    #[test]
    fn a_folder_on_a_disk_is_not_made_where_the_disk_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path().join("disk"), false);
        assert_eq!(folder.find().unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(folder.remove(STREAM.parse().unwrap()).is_err());
        std::fs::write(folder.path(), "").unwrap();
        assert!(folder.find().is_err());
    }
}
