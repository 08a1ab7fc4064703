//! A store file from outside, read in bounded pieces. redb keeps a value in one page, and a page as large as a value; a made-up file
//! may name a page of gigabytes. A file that Perch wrote has none above [`READ_MOST`].

use redb::StorageBackend;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// The largest read, bytes. The largest value is a picture ([`PICTURE_BYTES`](crate::PICTURE_BYTES), in a page of twice that at
/// most); redb's own records of free pages take less.
const READ_MOST: usize = 4 << 20;

/// The file; reads above [`READ_MOST`] fail.
#[derive(Debug)]
pub(crate) struct Bounded(File);

impl Bounded {
    /// Opens the file for reading and writing.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        File::options().read(true).write(true).open(path).map(Self)
    }
}

impl StorageBackend for Bounded {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        // The memory is not touched yet: zeroed pages are the kernel's until something is written to them.
        if out.len() > READ_MOST {
            let what = format!("a page of it has {} bytes", out.len());
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        self.0.read_exact_at(out, offset)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }
}
