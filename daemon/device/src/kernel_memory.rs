//! Bytes that lie in the kernel's page cache (`memfd_create(2)`): a socket is handed their pages by sendfile(2), where a write would copy
//! them anew for every viewer. No file system and no card is behind them. Sealed (`F_ADD_SEALS` of fcntl(2)): nobody changes them any more.

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::ffi::c_void;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::ptr::NonNull;

/// See the module.
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

impl KernelMemory {
    /// Copies `data`, once. Fails for want of memory or descriptors, and where `data` is empty.
    pub fn copy_of(data: &[u8]) -> io::Result<Self> {
        let mut file = File::from(memfd_create("perch", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
        file.write_all(data)?;
        fcntl_add_seals(&file, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)?;
        let length = data.len();
        // Private, because kernels before 6.7 refuse shared mappings of what is sealed against writing, read-only ones too. As nobody
        // writes, the pages are the file's own all the same. Not populated: most viewers are sent them by the file.
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours. The file is as long as the mapping and
        // is sealed against shrinking (a read beyond its end would be a SIGBUS) and against writing (`&[u8]` must not change).
        let address =
            unsafe { mmap(std::ptr::null_mut(), length, ProtFlags::READ, MapFlags::PRIVATE, &file, 0) }?;
        let address = NonNull::new(address).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { file, address, length })
    }

    /// Where `part` lies in the file, when it is a part of these bytes.
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
        // SAFETY: made by `copy_of` with this length, and nobody borrows it any more. The result tells of wrong arguments only.
        let _ = unsafe { munmap(self.address.as_ptr(), self.length) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt as _;

    #[test]
    fn what_went_in_is_there_by_address_and_by_file() {
        let data: Vec<u8> = (0..10_000_u32).map(|i| i as u8).collect();
        let memory = KernelMemory::copy_of(&data).unwrap();
        assert_eq!(memory.as_ref(), data);
        let mut part = [0; 100];
        memory.file.read_exact_at(&mut part, 5000).unwrap();
        assert_eq!(part, data[5000..5100]);
    }

    #[test]
    fn nobody_changes_it() {
        let memory = KernelMemory::copy_of(b"segment").unwrap();
        assert!(memory.file.write_at(b"x", 0).is_err());
        assert!(memory.file.set_len(0).is_err() && memory.file.set_len(100).is_err());
    }

    #[test]
    fn parts_of_it_are_found_and_others_are_not() {
        let memory = KernelMemory::copy_of(&[7; 5000]).unwrap();
        assert_eq!(memory.offset_of(&memory.as_ref()[188..376]), Some(188));
        assert_eq!(memory.offset_of(memory.as_ref()), Some(0));
        assert_eq!(memory.offset_of(&[7; 10]), None);
    }

    #[test]
    fn nothing_is_refused() {
        assert!(KernelMemory::copy_of(&[]).is_err());
    }
}
