//! glibc's heap, told to give back what it is not using (mallopt(3), `malloc_trim(3)`): a small board has no memory to lend.
//!
//! Left to itself glibc learns from each large block that is freed to put the next one into a heap that it keeps: a hundred logins' worth of
//! password hashing stayed resident, some 10 MB each. Every thread's own arena keeps its share, too.

/// Blocks of at least so many bytes are mapped, and unmapped when they are freed. What a camera's stream is read into, several times a second,
/// is smaller: mapping that anew each time would cost more than reading it.
#[cfg(target_env = "gnu")]
const MAPPED: libc::c_int = 512 * 1024;

/// So much at the end of the heap stays there unused, in bytes: twice what is read of a camera's stream at once. Given back and taken
/// again with each reading, its pages would be cleared by the kernel three times in two seconds.
#[cfg(target_env = "gnu")]
const KEPT: libc::c_int = 1024 * 1024;

/// Settles it for the whole process, before its threads start. Another C library than glibc stays as it is.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt takes two numbers and no pointers, and may be called at any time.
    let settled = unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED) == 1
            && libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT) == 1
            && libc::mallopt(libc::M_ARENA_MAX, 1) == 1
    };
    #[cfg(target_env = "gnu")]
    if !settled {
        tracing::debug!("the C library keeps memory as it likes");
    }
}

/// Gives back the pages between the blocks that are in use: after much was allocated and freed again, most of the heap is such.
pub fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes a number and no pointer, locks the heap itself, and touches nothing that is in use.
    let _ = unsafe { libc::malloc_trim(0) };
}
