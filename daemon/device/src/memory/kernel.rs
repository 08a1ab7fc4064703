//! Bytes in the kernel's page cache (`memfd_create(2)`): sendfile(2) hands their pages to a socket, where write(2) would copy them for every
//! viewer. There is no file system and no card behind them. They are sealed against changes (`F_ADD_SEALS` of fcntl(2)).

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt as _;
use std::ptr::NonNull;

/// Sealed bytes, as a slice and as a file for sendfile(2).
#[derive(Debug)]
pub struct KernelMemory {
    file: File,
    address: NonNull<c_void>,
    length: usize,
}

// SAFETY: the mapping belongs to this value alone, is read-only, and stays where it is until the drop.
unsafe impl Send for KernelMemory {}
// SAFETY: shared references only ever read it, and the seals keep everybody from writing.
unsafe impl Sync for KernelMemory {}

/// Kernel memory that is still being written.
#[derive(Debug)]
pub struct KernelMemoryWriter {
    file: File,
    length: usize,
}

impl KernelMemoryWriter {
    /// An empty file. Fails when the process has no descriptor left.
    pub fn new() -> io::Result<Self> {
        let file = memfd_create("perch", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        Ok(Self { file: file.into(), length: 0 })
    }

    /// Appends all of `bytes`. Fails when memory runs out; what was written before stays.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.length as u64)?;
        self.length += bytes.len();
        Ok(())
    }

    /// A copy of what was written, on the heap.
    pub fn read_back(&self) -> io::Result<Vec<u8>> {
        let mut copy = vec![0; self.length];
        self.file.read_exact_at(&mut copy, 0)?;
        Ok(copy)
    }

    /// Seals and maps the bytes. Fails when memory runs out or nothing was written, and then returns the writer beside the error.
    pub fn finish(self) -> Result<KernelMemory, (Self, io::Error)> {
        match KernelMemory::seal(&self.file, self.length) {
            Ok(address) => Ok(KernelMemory { file: self.file, address, length: self.length }),
            Err(error) => Err((self, error)),
        }
    }
}

impl KernelMemory {
    fn seal(file: &File, length: usize) -> io::Result<NonNull<c_void>> {
        fcntl_add_seals(file, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)?;
        // Private, because kernels before 6.7 refuse shared mappings of files that are sealed against writing, even
        // read-only ones. As nobody writes, the pages are still the file's own. Not populated, because most viewers get
        // the bytes by sendfile.
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours. The file is as long as the
        // mapping and is sealed against shrinking (a read beyond its end would be a SIGBUS) and against writing (`&[u8]`
        // must not change).
        let address =
            unsafe { mmap(std::ptr::null_mut(), length, ProtFlags::READ, MapFlags::PRIVATE, file, 0) }?;
        NonNull::new(address).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    /// The offset of `part` in the file, bytes; `None` when it is not a part of these bytes.
    pub fn offset_of(&self, part: &[u8]) -> Option<u64> {
        let own = self.as_ref().as_ptr_range();
        let part = part.as_ptr_range();
        (own.start <= part.start && part.end <= own.end)
            .then(|| (part.start as usize - own.start as usize) as u64)
    }
}

impl AsRef<[u8]> for KernelMemory {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: `length` bytes are mapped there for as long as `self` lives, and the seals keep them from changing.
        unsafe { std::slice::from_raw_parts(self.address.as_ptr().cast(), self.length) }
    }
}

impl AsFd for KernelMemory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for KernelMemory {
    fn drop(&mut self) {
        // SAFETY: made by `seal` with this length, and nobody borrows it any more. munmap fails only on wrong arguments.
        let _ = unsafe { munmap(self.address.as_ptr(), self.length) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy_of(data: &[u8]) -> KernelMemory {
        let mut writer = KernelMemoryWriter::new().unwrap();
        for part in data.chunks(3000) {
            writer.write(part).unwrap();
        }
        assert_eq!(writer.read_back().unwrap(), data);
        writer.finish().unwrap()
    }

    #[test]
    fn what_went_in_is_there_by_address_and_by_file() {
        let data: Vec<u8> = (0..10_000_u32).map(|i| i as u8).collect();
        let memory = copy_of(&data);
        assert_eq!(memory.as_ref(), data);
        let mut part = [0; 100];
        memory.file.read_exact_at(&mut part, 5000).unwrap();
        assert_eq!(part, data[5000..5100]);
    }

    #[test]
    fn nobody_changes_it() {
        let memory = copy_of(b"segment");
        assert!(memory.file.write_at(b"x", 0).is_err());
        assert!(memory.file.set_len(0).is_err() && memory.file.set_len(100).is_err());
    }

    #[test]
    fn parts_of_it_are_found_and_others_are_not() {
        let memory = copy_of(&[7; 5000]);
        assert_eq!(memory.offset_of(&memory.as_ref()[188..376]), Some(188));
        assert_eq!(memory.offset_of(memory.as_ref()), Some(0));
        assert_eq!(memory.offset_of(&[7; 10]), None);
    }

    #[test]
    fn nothing_is_refused() {
        let (writer, _) = KernelMemoryWriter::new().unwrap().finish().expect_err("there is nothing to map");
        assert!(writer.read_back().unwrap().is_empty());
    }
}
