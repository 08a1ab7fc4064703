//! Settings of glibc's heap (mallopt(3), `malloc_trim(3)`), so that freed memory goes back to the kernel. A small board has 512 MB in all.
//!
//! By default glibc raises its thresholds whenever a large block is freed, and then keeps such blocks in the heap: after a hundred logins the
//! memory of their password hashing, about 10 MB each, stayed resident. Each thread's arena keeps a share of its own, too.

/// Blocks of this many bytes or more are mapped on their own and unmapped when they are freed. The buffers that a camera's stream is read
/// into several times a second are smaller: mapping them again each time would cost more than reading them.
#[cfg(target_env = "gnu")]
const MAPPED: libc::c_int = 512 * 1024;

/// Unused bytes that stay at the end of the heap: twice the largest read from a camera's stream. With less, the kernel would take back and
/// clear the same pages three times in two seconds.
#[cfg(target_env = "gnu")]
const KEPT: libc::c_int = 1024 * 1024;

/// Sets the thresholds for the whole process; call it before threads start. Does nothing where the C library is not glibc.
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
        tracing::debug!("the C library refused a heap setting and keeps its own");
    }
}

/// Returns free pages anywhere in the heap to the kernel, also those between blocks in use. Takes about a millisecond.
pub fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes a number and no pointer, locks the heap itself, and touches nothing that is in use.
    let _ = unsafe { libc::malloc_trim(0) };
}
